//! Keeps from the SCTP library what would exhaust it.
//!
//! in:  packets of one peer before the library reads them, packets of the library before they leave, what was read
//! out: whether the library may read a packet
//!
//! `rtc-sctp` 0.21 believes its peer. A cause in an ABORT or ERROR that says to be longer than its chunk ends the process.
//! One FORWARD TSN makes it count through up to 2³¹ numbers; it keeps pieces of
//! messages by their bytes alone, so that a megabyte of pieces with one byte each is a hundred megabytes, and looks
//! through all pieces of a message whenever one comes; it makes a stream for whatever number it is told; it keeps every
//! reset of a stream that cannot be done yet, and every one of its own until it is answered, and sends all of those
//! again by timer. Its arithmetic wraps only where overflow is not checked. So numbers have to be near each other here,
//! and the gate keeps count of the pieces the library holds:
//!
//! ```text
//!   DATA ──► held ──► read by us
//!                └──► given up by the sender (FORWARD TSN)
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::packet::{
    ABORT, Chunk, DATA, Data, ERROR, FORWARD_TSN, HEARTBEAT, INIT, Malformed, RE_CONFIG, Reset, SACK, chunks,
};
use super::{MAX_STREAMS, PACKET_MAX};
use crate::transport::DropReason;

/// Chunks of one packet; one with nothing but messages of one byte has 60.
const MAX_CHUNKS: usize = 128;
/// Of them, those that are not DATA. A sender bundles a SACK, a FORWARD TSN, a RE-CONFIG and an answer at most.
const MAX_CONTROL: usize = 8;
/// How far numbers may be ahead of what has come without a gap; a full window of packets is a hundred.
const MAX_AHEAD: i64 = 16_384;
/// The first extended number: far from zero, so that nothing before it is negative.
const FIRST_ROUND: u64 = 1 << 32;
/// Pieces the library may hold that cannot be read yet, from where on only those are taken that can mend that …
const MAX_HELD: usize = 4096;
/// … and so many of those.
const MAX_MENDING: usize = 1024;
/// Resets waiting for something, of either side. A sender has one under way (RFC 6525 §5.1.1).
const MAX_RESETS: usize = 32;
/// INIT and its parameters; those of browsers have 60 bytes.
const MAX_INIT: usize = 512;

/// What the library holds of one peer.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// All up to this number has come; extended to 64 bits, so that it only grows. `None` before the INIT.
    cumulative: Option<u64>,
    /// What came beyond it.
    ahead: BTreeSet<u64>,
    /// Pieces that have not been read, by their numbers.
    held: BTreeMap<u64, Data>,
    /// Resets of the peer that the library has put off.
    put_off: BTreeSet<u32>,
    /// Resets of ours that the peer has not answered.
    unanswered: BTreeSet<u32>,
}

impl Gate {
    /// Whether the library may read this packet.
    pub(super) fn admit(&mut self, packet: &[u8]) -> Result<(), DropReason> {
        if packet.len() > PACKET_MAX {
            return Err(DropReason::DataMalformed);
        }
        let all: Vec<Chunk<'_>> = chunks(packet).collect::<Result<_, _>>()?;
        let control = all.iter().filter(|chunk| chunk.kind != DATA).count();
        let heartbeats = all.iter().filter(|chunk| chunk.kind == HEARTBEAT).count();
        if all.len() > MAX_CHUNKS || control > MAX_CONTROL || heartbeats > 1 {
            return Err(DropReason::DataTooMuch);
        }
        // First looked at as a whole, because the library reads all of it or nothing.
        all.iter().try_for_each(|chunk| self.check(chunk, all.len()))?;
        let data = all.iter().filter(|chunk| chunk.kind == DATA).map(Chunk::data);
        let data: Vec<Data> = data.collect::<Result<_, _>>()?;
        self.check_room(&data)?;
        all.iter().try_for_each(|chunk| self.note(chunk))
    }

    /// Takes note of what the library sends.
    pub(super) fn sent(&mut self, packet: &[u8]) {
        for chunk in chunks(packet).flatten().filter(|chunk| chunk.kind == RE_CONFIG) {
            for reset in chunk.resets().unwrap_or_default() {
                match reset {
                    Reset::Request { number, .. } => self.unanswered.insert(number),
                    Reset::Response { number, in_progress: true } => self.put_off.insert(number),
                    Reset::Response { number, in_progress: false } => self.put_off.remove(&number),
                };
            }
        }
    }

    /// A message of so many pieces was read from a stream.
    pub(super) fn read(&mut self, stream: u16, ssn: u16, pieces: usize) {
        let of_stream = self.held.iter().filter(|(_, data)| data.stream == stream);
        let of_message = of_stream.filter(|(_, data)| !data.unordered && data.ssn == ssn);
        let ordered: Vec<u64> = of_message.map(|(number, _)| *number).collect();
        let read = if ordered.len() == pieces { ordered } else { self.whole(stream, pieces) };
        for number in read {
            self.held.remove(&number);
        }
    }

    /// A stream is no more, and what came on it is forgotten.
    pub(super) fn ended(&mut self, stream: u16) {
        self.held.retain(|_, data| data.stream != stream);
    }

    /// How many pieces wait for others.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The earliest unordered message of a stream that has come whole, in so many pieces.
    fn whole(&self, stream: u16, pieces: usize) -> Vec<u64> {
        let mut run: Vec<u64> = Vec::new();
        for (&number, data) in self.held.iter().filter(|(_, data)| data.stream == stream && data.unordered) {
            let follows = run.last().is_some_and(|last| last + 1 == number);
            if data.begins || !follows {
                run.clear();
            }
            if data.begins || follows {
                run.push(number);
            }
            if data.ends && run.len() == pieces {
                return run;
            }
            if data.ends {
                run.clear();
            }
        }
        Vec::new()
    }

    /// How far a number is ahead of what has come without a gap; not above 0 when it has come.
    fn distance(&self, tsn: u32) -> Option<i64> {
        let cumulative = self.cumulative?;
        #[allow(clippy::cast_possible_truncation, reason = "the low 32 bits are what travels")]
        let ahead = tsn.wrapping_sub(cumulative as u32);
        Some(i64::from(ahead.cast_signed()))
    }

    fn extended(&self, tsn: u32) -> Option<u64> {
        self.cumulative?.checked_add_signed(self.distance(tsn)?)
    }

    fn is_new(&self, tsn: u32) -> bool {
        let is_ahead = self.distance(tsn).is_some_and(|ahead| ahead > 0);
        is_ahead && self.extended(tsn).is_some_and(|number| !self.ahead.contains(&number))
    }

    /// Whatever has come behind the last number without a gap now counts as come.
    fn advance(&mut self) {
        let Some(cumulative) = &mut self.cumulative else { return };
        while self.ahead.first() == Some(&(*cumulative + 1)) {
            self.ahead.pop_first();
            *cumulative += 1;
        }
    }

    /// The sender will not repeat what is missing up to `tsn`. The library forgets the pieces of ordered messages where
    /// the sender names their stream, those of unordered ones anyhow; a whole message stays until it is read.
    fn give_up(&mut self, tsn: u32, streams: &[(u16, u16)]) {
        let Some(number) = self.extended(tsn) else { return };
        self.cumulative = Some(number);
        self.ahead = self.ahead.split_off(&(number + 1));
        self.held.retain(|held, data| {
            let named = streams.iter().find(|(stream, _)| *stream == data.stream);
            let is_past = if data.unordered {
                *held <= number
            } else {
                named.is_some_and(|(_, ssn)| ssn.wrapping_sub(data.ssn).cast_signed() >= 0)
            };
            !is_past || (data.begins && data.ends && !data.unordered)
        });
        self.advance();
    }

    /// What can be said of a chunk by itself.
    fn check(&self, chunk: &Chunk<'_>, of: usize) -> Result<(), DropReason> {
        if !chunk.is_known() {
            return Err(DropReason::DataMalformed);
        }
        match chunk.kind {
            INIT if of > 1 || chunk.value.len() > MAX_INIT => Err(DropReason::DataMalformed),
            INIT => chunk.initial_tsn().map(drop).map_err(Into::into),
            SACK if !chunk.gaps_are_in_order()? => Err(DropReason::DataMalformed),
            ABORT | ERROR if !chunk.causes_are_whole() => Err(DropReason::DataMalformed),
            DATA => {
                let data = chunk.data()?;
                let near = self.distance(data.tsn).is_some_and(|ahead| ahead <= MAX_AHEAD);
                if data.stream >= MAX_STREAMS || !near { Err(DropReason::DataTooMuch) } else { Ok(()) }
            }
            FORWARD_TSN => {
                let (tsn, streams) = chunk.forward()?;
                let near = self.distance(tsn).is_some_and(|ahead| ahead <= MAX_AHEAD);
                let distinct: BTreeSet<u16> = streams.iter().map(|(stream, _)| *stream).collect();
                let known = distinct.len() == streams.len() && distinct.iter().all(|s| *s < MAX_STREAMS);
                if near && known { Ok(()) } else { Err(DropReason::DataTooMuch) }
            }
            RE_CONFIG => chunk.resets()?.iter().try_for_each(|reset| self.check_reset(*reset)),
            _ => Ok(()),
        }
    }

    /// A reset before the last of its data has come would be put off, and be done in one direction only in the end. The
    /// sender repeats it.
    fn check_reset(&self, reset: Reset) -> Result<(), DropReason> {
        match reset {
            Reset::Request { last, .. } => {
                let is_there = self.distance(last).is_some_and(|ahead| ahead <= 0);
                let room = self.put_off.len() < MAX_RESETS && self.unanswered.len() < MAX_RESETS;
                if is_there && room { Ok(()) } else { Err(DropReason::DataTooMuch) }
            }
            Reset::Response { .. } => Ok(()),
        }
    }

    /// More pieces than can be held are taken only when they begin where something is missing.
    fn check_room(&self, data: &[Data]) -> Result<(), DropReason> {
        let new = data.iter().filter(|data| self.is_new(data.tsn)).count();
        let mends = data.iter().any(|data| self.distance(data.tsn) == Some(1));
        let room = if mends { MAX_HELD + MAX_MENDING } else { MAX_HELD };
        if new == 0 || self.held.len() + new <= room { Ok(()) } else { Err(DropReason::DataTooMuch) }
    }

    fn note(&mut self, chunk: &Chunk<'_>) -> Result<(), DropReason> {
        match chunk.kind {
            INIT => {
                let cumulative = FIRST_ROUND + u64::from(chunk.initial_tsn()?) - 1;
                *self = Self { cumulative: Some(cumulative), ..Self::default() };
            }
            DATA => {
                let data = chunk.data()?;
                if let Some(number) = self.extended(data.tsn).filter(|_| self.is_new(data.tsn)) {
                    self.ahead.insert(number);
                    self.held.insert(number, data);
                    self.advance();
                }
            }
            FORWARD_TSN => {
                let (tsn, streams) = chunk.forward()?;
                if self.distance(tsn).is_some_and(|ahead| ahead > 0) {
                    self.give_up(tsn, &streams);
                }
            }
            RE_CONFIG => {
                for reset in chunk.resets()? {
                    if let Reset::Response { number, in_progress: false } = reset {
                        self.unanswered.remove(&number);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl From<Malformed> for DropReason {
    fn from(_: Malformed) -> Self {
        Self::DataMalformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: u32 = u32::MAX - 5;

    fn packet(chunks: &[(u8, u8, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = vec![0; 12];
        for (kind, flags, value) in chunks {
            bytes.extend([*kind, *flags]);
            bytes.extend(u16::try_from(value.len() + 4).unwrap().to_be_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    fn init() -> (u8, u8, Vec<u8>) {
        let tsn = FIRST.to_be_bytes();
        (INIT, 0, [&[0, 0, 0, 1, 0, 2, 0, 0, 0, 9, 0, 9][..], &tsn].concat())
    }

    /// The `n`th chunk of the peer; flags as on the wire: 4 unordered, 2 begins, 1 ends.
    fn data(n: u32, flags: u8, stream: u16, ssn: u16) -> (u8, u8, Vec<u8>) {
        let tsn = FIRST.wrapping_add(n).to_be_bytes();
        let (stream, ssn) = (stream.to_be_bytes(), ssn.to_be_bytes());
        (DATA, flags, [&tsn[..], &stream, &ssn, &[0, 0, 0, 51], b"x"].concat())
    }

    fn forward(n: u32, streams: &[(u16, u16)]) -> (u8, u8, Vec<u8>) {
        let mut value = FIRST.wrapping_add(n).to_be_bytes().to_vec();
        for (stream, ssn) in streams {
            value.extend(stream.to_be_bytes());
            value.extend(ssn.to_be_bytes());
        }
        (FORWARD_TSN, 0, value)
    }

    fn request(number: u32, last: u32) -> (u8, u8, Vec<u8>) {
        let words = [number, 0, FIRST.wrapping_add(last)].map(u32::to_be_bytes).concat();
        (RE_CONFIG, 0, [&[0, 13, 0, 18][..], &words, &[0, 1]].concat())
    }

    fn response(number: u32, result: u32) -> (u8, u8, Vec<u8>) {
        let words = [number, result].map(u32::to_be_bytes).concat();
        (RE_CONFIG, 0, [&[0, 16, 0, 12][..], &words].concat())
    }

    fn open() -> Gate {
        let mut gate = Gate::default();
        assert_eq!(gate.admit(&packet(&[init()])), Ok(()));
        gate
    }

    #[test]
    fn the_form_of_packets_is_checked() {
        let (malformed, too_much) = (Err(DropReason::DataMalformed), Err(DropReason::DataTooMuch));
        let check = |what: &str, bytes: &[u8], expected| assert_eq!(open().admit(bytes), expected, "{what}");
        let chunk = |chunk| packet(&[chunk]);
        check("data", &chunk(data(0, 3, 0, 0)), Ok(()));
        check("two chunks", &packet(&[data(0, 3, 0, 0), (SACK, 0, vec![0; 12])]), Ok(()));
        check("nothing", &[], malformed);
        check("a header", &[0; 12], malformed);
        check("half a chunk", &chunk(data(0, 3, 0, 0))[..20], malformed);
        check("a chunk shorter than its header", &[&[0; 12][..], &[0, 0, 0, 3]].concat(), malformed);
        check("no user data", &chunk((DATA, 3, vec![0; 12])), malformed);
        check("unknown", &chunk((64, 0, vec![])), malformed);
        check("INIT with company", &packet(&[init(), data(0, 3, 0, 0)]), malformed);
        check(
            "gap blocks in disorder",
            &chunk((SACK, 0, [0, 0, 0, 2, 0, 9, 0, 9, 0, 3, 0, 4].repeat(2))),
            malformed,
        );
        check(
            "more gap blocks than bytes",
            &chunk((SACK, 0, [vec![0; 8], vec![255; 4]].concat())),
            malformed,
        );
        check("a cause beyond its chunk", &chunk((9, 0, vec![0, 3, 0, 51, 0])), malformed);
        check("a cause without itself", &chunk((6, 0, vec![0, 12, 0, 3])), malformed);
        check("a cause and its text", &chunk((6, 0, [&[0, 12, 0, 9][..], b"bye!!"].concat())), Ok(()));
        check("a reset of nothing", &chunk((RE_CONFIG, 0, vec![])), malformed);
        check("another parameter", &chunk((RE_CONFIG, 0, vec![0, 17, 0, 4])), malformed);
        check("a stream beyond the last", &chunk(data(0, 3, MAX_STREAMS, 0)), too_much);
        check("a number far ahead", &chunk(data(16_385, 3, 0, 0)), too_much);
        check("forward by far", &chunk(forward(1 << 30, &[])), too_much);
        check("forward with a stream twice", &chunk(forward(1, &[(1, 1), (1, 1)])), too_much);
        check("many chunks", &packet(&vec![(SACK, 0, vec![]); 129]), too_much);
        check(
            "many answers to make",
            &packet(&vec![(HEARTBEAT, 0, vec![0, 1, 0, 8, 0, 0, 0, 0]); 2]),
            too_much,
        );
        check("a reset that is early", &chunk(request(1, 5)), too_much);
        assert_eq!(Gate::default().admit(&chunk(data(0, 3, 0, 0))), too_much, "before INIT");
    }

    #[test]
    fn what_was_read_is_held_no_more() {
        let mut gate = open();
        // An ordered message of three pieces over the wrap of the numbers, an unordered one of two, backwards.
        for n in [2, 1, 0] {
            let flags = [2, 0, 1][n as usize];
            assert_eq!(gate.admit(&packet(&[data(n, flags, 5, 7)])), Ok(()));
        }
        for n in [9, 8] {
            assert_eq!(gate.admit(&packet(&[data(n, [4 | 2, 4 | 1][n as usize - 8], 6, 0)])), Ok(()));
        }
        assert_eq!(gate.admit(&packet(&[data(9, 5, 6, 0)])), Ok(()), "again");
        assert_eq!(gate.held(), 5);
        gate.read(5, 7, 3);
        assert_eq!(gate.held(), 2);
        gate.read(6, 0, 2);
        assert_eq!(gate.held(), 0);
    }

    #[test]
    fn what_the_sender_gives_up_is_held_no_more() {
        let mut gate = open();
        assert_eq!(gate.admit(&packet(&[data(1, 2, 1, 0), data(2, 4 | 2, 2, 0), data(3, 3, 3, 0)])), Ok(()));
        // Ordered ones go by the name of their stream only, as in the library.
        assert_eq!(gate.admit(&packet(&[forward(4, &[])])), Ok(()));
        assert_eq!(gate.held(), 2);
        assert_eq!(gate.admit(&packet(&[data(5, 3, 1, 1), forward(6, &[(1, 0)])])), Ok(()));
        assert_eq!(gate.held(), 2, "a whole message, and a later one");
        // All up to 6 counts as come.
        assert_eq!(gate.admit(&packet(&[request(1, 6)])), Ok(()));
    }

    #[test]
    fn pieces_that_fit_nothing_come_to_an_end() {
        let mut gate = open();
        let admitted = |gate: &mut Gate, numbers: std::ops::Range<u32>| {
            numbers.filter(|n| gate.admit(&packet(&[data(*n, 0, 1, 0)])).is_ok()).count()
        };
        // With a gap before them: then only what comes where the gap is, and that not for ever.
        assert_eq!(admitted(&mut gate, 1..10_000), MAX_HELD);
        assert_eq!(admitted(&mut gate, 0..1), 1);
        assert_eq!(admitted(&mut gate, 4097..20_000), MAX_MENDING - 1);
        gate.ended(1);
        assert_eq!(admitted(&mut gate, 5120..5121), 1, "the stream was reset");
    }

    #[test]
    fn resets_that_wait_come_to_an_end() {
        let mut gate = open();
        assert_eq!(gate.admit(&packet(&[data(0, 3, 1, 0)])), Ok(()));
        let mut admitted = 0;
        for number in 0..100 {
            if gate.admit(&packet(&[request(number, 0)])).is_ok() {
                admitted += 1;
                // The library says yes, and asks the same of the peer, which never answers.
                gate.sent(&packet(&[response(number, 1)]));
                gate.sent(&packet(&[request(1000 + number, 0)]));
            }
        }
        assert_eq!(admitted, MAX_RESETS);
        assert_eq!(gate.admit(&packet(&[response(1000, 1)])), Ok(()));
        assert_eq!(gate.admit(&packet(&[request(100, 0)])), Ok(()), "one is answered");
    }
}
