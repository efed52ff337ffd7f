//! Header extensions that a forwarder passes on.
//!
//! in:  a packet, the ids that its section gave them
//! out: their values, to be written under the ids of a receiver's section
//!
//! ```text
//!   passed on      audio level (RFC 6464), orientation (3GPP TS 26.114 §7.4.5), playout delay, capture time
//!   told anew      dependency descriptor: which frames a receiver gets is its own
//!   written anew   transport-wide number, time of sending
//!   left behind    names of the section and of the encoding: they are the publisher's
//! ```
//!
//! Of the capture time only the time goes on. The difference of clocks that may follow it is the one between the publisher
//! and us, and would be wrong at the receiver.

use super::ext::ExtId;
use super::header::RtpView;

/// Under which ids they travel in a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnwardIds {
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`
    pub audio_level: Option<ExtId>,
    /// `urn:3gpp:video-orientation`
    pub orientation: Option<ExtId>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`
    pub playout_delay: Option<ExtId>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time`
    pub abs_capture_time: Option<ExtId>,
    /// The dependency descriptor.
    pub dependency: Option<ExtId>,
}

/// What one packet says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Onward {
    /// Loudness, and whether it is speech.
    pub audio_level: Option<u8>,
    /// Camera and quarter turns; on the last packet of a picture.
    pub orientation: Option<u8>,
    /// Least and most delay, 12 bits each.
    pub playout_delay: Option<[u8; 3]>,
    /// NTP time, 32.32 fixed point.
    pub abs_capture_time: Option<[u8; 8]>,
}

impl Onward {
    /// What `packet` says, and its dependency descriptor, in one pass.
    #[must_use]
    pub fn read<'a>(packet: &RtpView<'a>, ids: &OnwardIds) -> (Self, Option<&'a [u8]>) {
        let (mut it, mut dependency) = (Self::default(), None);
        for (id, value) in packet.elements() {
            let id = Some(id);
            if id == ids.audio_level {
                it.audio_level = value.first().copied();
            } else if id == ids.orientation {
                it.orientation = value.first().copied();
            } else if id == ids.playout_delay {
                it.playout_delay = value.first_chunk().copied();
            } else if id == ids.abs_capture_time {
                it.abs_capture_time = value.first_chunk().copied();
            } else if id == ids.dependency {
                dependency = Some(value);
            }
        }
        (it, dependency)
    }

    /// The elements a receiver with these ids gets, `dependency` as it is told there.
    pub fn write<'a>(&'a self, ids: &OnwardIds, dependency: Option<&'a [u8]>, out: &mut Elements<'a>) {
        fn bytes<const N: usize>(value: &Option<[u8; N]>) -> Option<&[u8]> {
            value.as_ref().map(<[u8; N]>::as_slice)
        }
        fn byte(value: &Option<u8>) -> Option<&[u8]> {
            value.as_ref().map(std::slice::from_ref)
        }
        out.push(ids.audio_level, byte(&self.audio_level));
        out.push(ids.orientation, byte(&self.orientation));
        out.push(ids.playout_delay, bytes(&self.playout_delay));
        out.push(ids.abs_capture_time, bytes(&self.abs_capture_time));
        out.push(ids.dependency, dependency);
    }
}

/// All that are known: five that are passed on, the number, the time of sending, the section's name.
const MOST: usize = 8;

/// Elements of a packet that is being written.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    all: [(ExtId, &'a [u8]); MOST],
    count: usize,
}

impl Default for Elements<'_> {
    fn default() -> Self {
        Self { all: [(ExtId(0), &[]); MOST], count: 0 }
    }
}

impl<'a> Elements<'a> {
    /// Adds a value where the receiver has an id for it.
    pub fn push(&mut self, id: Option<ExtId>, value: Option<&'a [u8]>) {
        if let Some(element) = id.zip(value)
            && let Some(place) = self.all.get_mut(self.count)
        {
            *place = element;
            self.count += 1;
        }
    }

    /// What was added.
    #[must_use]
    pub fn as_slice(&self) -> &[(ExtId, &'a [u8])] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::{RtpHeader, write_packet};
    use crate::units::{Pt, Ssrc};

    const fn ids(audio_level: u8, orientation: u8, playout_delay: u8, time: u8, dependency: u8) -> OnwardIds {
        const fn id(id: u8) -> Option<ExtId> {
            if id == 0 { None } else { Some(ExtId(id)) }
        }
        OnwardIds {
            audio_level: id(audio_level),
            orientation: id(orientation),
            playout_delay: id(playout_delay),
            abs_capture_time: id(time),
            dependency: id(dependency),
        }
    }

    /// What comes under the publisher's ids leaves under the receiver's, and nothing else.
    fn check(came: &[(u8, &[u8])], publisher: &OnwardIds, receiver: &OnwardIds, left: &[(u8, &[u8])]) {
        let header = RtpHeader { marker: false, pt: Pt(96), seq: 1, timestamp: 2, ssrc: Ssrc(3) };
        let elements: Vec<(ExtId, &[u8])> = came.iter().map(|(id, value)| (ExtId(*id), *value)).collect();
        let mut packet = Vec::new();
        write_packet(&mut packet, &header, &elements, &[b"x"]);
        let view = RtpView::parse(&packet).unwrap();
        let (onward, dependency) = Onward::read(&view, publisher);
        let mut out = Elements::default();
        onward.write(receiver, dependency, &mut out);
        let out: Vec<(u8, &[u8])> = out.as_slice().iter().map(|(id, value)| (id.0, *value)).collect();
        assert_eq!(out, left, "{came:?}");
    }

    #[test]
    fn values_go_on_under_the_receivers_ids() {
        let publisher = ids(1, 2, 3, 4, 5);
        let level: (u8, &[u8]) = (1, &[0x85]);
        check(&[level], &publisher, &ids(7, 0, 0, 0, 0), &[(7, &[0x85])]);
        check(&[level], &publisher, &ids(0, 7, 7, 7, 7), &[]);
        check(&[(9, b"mid"), (10, b"q"), level], &publisher, &ids(9, 10, 11, 12, 13), &[(9, &[0x85])]);
        let time = [1, 2, 3, 4, 5, 6, 7, 8];
        let with_offset = [&time[..], &[9; 8]].concat();
        check(
            &[(2, &[3]), (3, &[1, 2, 3]), (4, &with_offset), (5, &[0x80, 0, 1, 7, 7])],
            &publisher,
            &ids(0, 14, 13, 12, 11),
            &[(14, &[3]), (13, &[1, 2, 3]), (12, &time), (11, &[0x80, 0, 1, 7, 7])],
        );
        // Values that are too short are none.
        check(&[(3, &[1, 2]), (4, &time[..7])], &publisher, &publisher, &[]);
        check(&[level, (2, &[3])], &OnwardIds::default(), &publisher, &[]);
    }
}
