//! The Data Channel Establishment Protocol, RFC 8832: how a channel gets its name and its manners.

use super::{Delivery, Reliability};

/// Longest label and protocol that are taken.
const TEXT_MAX: usize = 256;

const OPEN: u8 = 3;
const ACK: u8 = 2;
/// Of a channel type: messages may overtake each other.
const UNORDERED: u8 = 0x80;

/// What a channel is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSetup {
    /// W3C `label`.
    pub label: String,
    /// W3C `protocol`, often empty.
    pub protocol: String,
    /// What becomes of messages on the way.
    pub delivery: Delivery,
}

/// A message of DCEP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dcep {
    Open(ChannelSetup),
    Ack,
}

impl Dcep {
    /// `None`: none of RFC 8832, or too long.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let (&kind, rest) = message.split_first()?;
        match kind {
            ACK => Some(Self::Ack),
            OPEN => read_open(rest).map(Self::Open),
            _ => None,
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let Self::Open(ChannelSetup { label, protocol, delivery }) = self else { return vec![ACK] };
        let (kind, value) = match delivery.reliability {
            Reliability::Reliable => (0, 0),
            Reliability::MaxRetransmits(times) => (1, u32::from(times)),
            Reliability::MaxLifetime { ms } => (2, u32::from(ms)),
        };
        let kind = if delivery.ordered { kind } else { kind | UNORDERED };
        let length = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
        // Priority "normal", RFC 8831 §6.4.
        let mut message = vec![OPEN, kind, 1, 0];
        message.extend(value.to_be_bytes());
        message.extend(length(label));
        message.extend(length(protocol));
        message.extend(label.as_bytes());
        message.extend(protocol.as_bytes());
        message
    }
}

impl ChannelSetup {
    pub(super) fn fits(&self) -> bool {
        self.label.len() <= TEXT_MAX && self.protocol.len() <= TEXT_MAX
    }
}

fn read_open(open: &[u8]) -> Option<ChannelSetup> {
    let (&[kind, _, _, v0, v1, v2, v3, l0, l1, p0, p1], texts) = open.split_first_chunk::<11>()?;
    let value = u32::from_be_bytes([v0, v1, v2, v3]);
    // More than W3C allows to ask for means "often" or "long".
    let value = u16::try_from(value).unwrap_or(u16::MAX);
    let reliability = match kind & !UNORDERED {
        0 => Reliability::Reliable,
        1 => Reliability::MaxRetransmits(value),
        2 => Reliability::MaxLifetime { ms: value },
        _ => return None,
    };
    let (label, protocol) = texts.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
    if protocol.len() != usize::from(u16::from_be_bytes([p0, p1])) {
        return None;
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let setup = ChannelSetup {
        label: text(label)?,
        protocol: text(protocol)?,
        delivery: Delivery { ordered: kind & UNORDERED == 0, reliability },
    };
    setup.fits().then_some(setup)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_channel_reads_as_it_was_written() {
        for reliability in
            [Reliability::Reliable, Reliability::MaxRetransmits(3), Reliability::MaxLifetime { ms: 500 }]
        {
            for ordered in [true, false] {
                let setup = ChannelSetup {
                    label: "Chat – ü".to_owned(),
                    protocol: "p".to_owned(),
                    delivery: Delivery { ordered, reliability },
                };
                let open = Dcep::Open(setup);
                assert_eq!(Dcep::read(&open.write()), Some(open.clone()));
                let mut long = open.write();
                long.push(0);
                assert_eq!(Dcep::read(&long), None);
                for end in 0..open.write().len() {
                    assert_eq!(Dcep::read(&open.write()[..end]), None, "{end} bytes");
                }
            }
        }
        assert_eq!(Dcep::read(&Dcep::Ack.write()), Some(Dcep::Ack));
        assert_eq!(Dcep::read(&[9]), None);
    }

    #[test]
    fn texts_have_a_limit_and_are_text() {
        let open = |label: Vec<u8>| {
            let length = u16::try_from(label.len()).unwrap().to_be_bytes();
            Dcep::read(&[&[3, 0, 1, 0, 0, 0, 0, 0][..], &length, &[0, 0], &label].concat())
        };
        assert!(open(vec![b'x'; 256]).is_some());
        assert!(open(vec![b'x'; 257]).is_none());
        assert!(open(vec![0xff]).is_none());
    }
}
