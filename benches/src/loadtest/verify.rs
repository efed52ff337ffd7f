//! Judges decrypted payloads and measures how long they were on the way.

use super::vp8;

/// Delays kept until somebody takes them.
const MOST_DELAYS: usize = 200_000;

/// What one verifying peer found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Payloads that are as they were sent.
    pub intact: u64,
    /// Payloads that are not.
    pub damaged: u64,
    /// Milliseconds from the publisher's stamp to the kernel's.
    pub delays_ms: Vec<f64>,
}

impl Verified {
    pub(super) fn take(&mut self, payload: &[u8], arrived_ns: u64) {
        // Padding, which servers send to probe.
        if payload.is_empty() {
            return;
        }
        let Some(stamp) = vp8::verify(payload) else {
            self.damaged += 1;
            return;
        };
        self.intact += 1;
        if self.delays_ms.len() < MOST_DELAYS {
            let nanoseconds = u32::try_from(arrived_ns.saturating_sub(stamp.sent_ns)).unwrap_or(u32::MAX);
            self.delays_ms.push(f64::from(nanoseconds) / 1e6);
        }
    }
}
