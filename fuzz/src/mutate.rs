//! Inputs nobody kept: the corpus, changed at random from a printed seed.
//!
//! in:  the kept inputs of a target, a seed
//! out: inputs that are nearly right, one after another; the same for the same seed
//!
//! libFuzzer goes where coverage leads it and needs a nightly compiler; this goes blindly, but on every run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::corpus::inputs;

/// `SIGNALBOX_FUZZ_SEED`: begins elsewhere than this.
const SEED: u64 = 0x5167_6e61_6c62_6f78;
/// `SIGNALBOX_FUZZ_MS`: for how long each target is fed.
const BUDGET: Duration = Duration::from_secs(2);
/// A fast target ends before its time is up.
const MAX_INPUTS: u64 = 100_000;
/// Longer than what the network can send in one piece.
const MAX_LEN: usize = 4096;
/// Numbers at which lengths and counters turn.
const TURNS: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0x0f, 0xf0, 0xfe];

/// Feeds each target changed inputs for a while; says from which seed came what it does not survive, and what that is.
pub fn attack(targets: &[(&str, fn(&[u8]))]) {
    let seed = number("SIGNALBOX_FUZZ_SEED").unwrap_or(SEED);
    let budget = number("SIGNALBOX_FUZZ_MS").map_or(BUDGET, Duration::from_millis);
    println!("SIGNALBOX_FUZZ_SEED={seed}");
    for (name, target) in targets {
        let corpus: Vec<Vec<u8>> = inputs(name).into_iter().map(|(_, bytes)| bytes).collect();
        // Each target has a sequence of its own, so that it is the same whichever targets are run.
        let mut random = Random(name.bytes().fold(seed | 1, |seed, byte| mix(seed ^ u64::from(byte))));
        let begun = Instant::now();
        let mut count = 0;
        while count < MAX_INPUTS && begun.elapsed() < budget {
            let bytes = changed(&corpus, &mut random);
            let survived = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
            assert!(
                survived.is_ok(),
                "{name} does not survive input {count} of SIGNALBOX_FUZZ_SEED={seed}; keep it in fuzz/corpus/{name}:\n{}",
                hex(&bytes)
            );
            count += 1;
        }
        println!("{name}: {count} inputs");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A kept input with one to eight changes.
fn changed(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.of(corpus).cloned().unwrap_or_default();
    for _ in 0..=random.below(8) {
        change(&mut bytes, corpus, random);
    }
    bytes.truncate(MAX_LEN);
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let len = random.below(1 + (bytes.len() - at).min(64));
    match random.below(9) {
        0 => flip(bytes, at, 1 << random.below(8)),
        1 => set(bytes, at, random.byte()),
        2 => set(bytes, at, TURNS[random.below(TURNS.len())]),
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..at + len)),
        5 => insert(bytes, at, &[random.byte()]),
        // A piece again, here or elsewhere.
        6 => {
            let piece = bytes[at..at + len].to_vec();
            let to = random.below(bytes.len() + 1);
            insert(bytes, to, &piece);
        }
        // The end of another input.
        7 => {
            let other = random.of(corpus).map_or(&[][..], Vec::as_slice);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        // Lengths in two bytes.
        _ => {
            set(bytes, at, TURNS[random.below(TURNS.len())]);
            set(bytes, at + 1, random.byte());
        }
    }
}

fn flip(bytes: &mut [u8], at: usize, bits: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= bits;
    }
}

fn set(bytes: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = value;
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(bytes.splice(at..at, piece.iter().copied()));
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = mix(self.0);
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// 0 below 1.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).expect("48 bits") % bound.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn of<'a, T>(&mut self, values: &'a [T]) -> Option<&'a T> {
        values.get(self.below(values.len()))
    }
}

fn mix(mut state: u64) -> u64 {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    state
}
