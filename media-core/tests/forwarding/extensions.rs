//! Header extensions on their way from one page to another: what goes on, under whose ids, and what stays behind.
//!
//! Each page has ids of its own, as browsers do.

use std::time::Duration;

use media_core::room::Receive;
use media_core::rtp::{ExtId, RtpView};

use crate::hall::Hall;
use crate::page::{MID, REPAIRED_RID, RID, Setup};

/// Ids of extensions in the sections of a page.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    pub audio_level: u8,
    pub playout_delay: u8,
    pub capture_time: u8,
    pub orientation: u8,
    pub send_time: u8,
    pub dependency: u8,
}

impl Ids {
    pub fn of(page: u32) -> Self {
        let odd = u8::from(!page.is_multiple_of(2));
        Self {
            audio_level: 1 + odd,
            playout_delay: 5 + odd,
            capture_time: 7 + odd,
            orientation: 12 + odd,
            send_time: if odd == 1 { 14 } else { 9 },
            dependency: if odd == 1 { 9 } else { 14 },
        }
    }

    /// Lines for the sections of a camera and of its slots.
    pub fn of_video(&self) -> String {
        let lines = [
            (self.playout_delay, "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"),
            (self.orientation, "urn:3gpp:video-orientation"),
            (
                self.dependency,
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
            ),
        ];
        lines.map(|(id, uri)| format!("a=extmap:{id} {uri}\r\n")).concat() + &self.of_any()
    }

    /// Lines for sections of sound.
    pub fn of_audio(&self) -> String {
        format!("a=extmap:{} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n", self.audio_level)
            + &self.of_any()
    }

    fn of_any(&self) -> String {
        let lines = [
            (self.capture_time, "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"),
            (self.send_time, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
        ];
        lines.map(|(id, uri)| format!("a=extmap:{id} {uri}\r\n")).concat()
    }
}

/// What a packet says at its receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub marker: bool,
    pub mid: Option<Vec<u8>>,
    pub rid: Option<Vec<u8>>,
    pub repaired_rid: Option<Vec<u8>>,
    pub audio_level: Option<Vec<u8>>,
    pub playout_delay: Option<Vec<u8>>,
    pub capture_time: Option<Vec<u8>>,
    pub orientation: Option<Vec<u8>>,
    pub send_time: Option<u32>,
}

impl Said {
    pub fn read(packet: &RtpView<'_>, ids: &Ids) -> Self {
        let ext = |id: u8| packet.ext(ExtId(id)).map(<[u8]>::to_vec);
        Self {
            marker: packet.marker(),
            mid: ext(MID),
            rid: ext(RID),
            repaired_rid: ext(REPAIRED_RID),
            audio_level: ext(ids.audio_level),
            playout_delay: ext(ids.playout_delay),
            capture_time: ext(ids.capture_time),
            orientation: ext(ids.orientation),
            send_time: packet.abs_send_time(ExtId(ids.send_time)),
        }
    }
}

const SIMULCAST: Setup = Setup { encodings: 3, slots: 2 };

/// What has been said in a slot since it was asked last.
fn said(hall: &mut Hall, viewer: usize, slot: u8) -> Vec<Said> {
    std::mem::take(&mut hall.seats[viewer].page.slots[usize::from(slot)].2.said)
}

#[test]
fn what_is_said_of_pictures_goes_on_under_the_viewers_ids_and_names_stay_behind() {
    let mut hall = Hall::new(41);
    let (alice, bob) = (hall.join(SIMULCAST), hall.join(SIMULCAST));
    assert_ne!(hall.seats[alice].page.ids.orientation, hall.seats[bob].page.ids.orientation);
    hall.connect_all();
    hall.run(3.0);
    let slot = hall.slot_of(bob, alice).unwrap();
    let all = said(&mut hall, bob, slot);
    assert!(all.len() > 100);
    assert!(all.iter().all(|said| said.rid.is_none() && said.repaired_rid.is_none()));
    // Alice says 1 for her camera; Bob's slots are his sections 2 and 3.
    let mid = (2 + slot).to_string().into_bytes();
    assert!(all.iter().all(|said| said.mid.as_ref().is_none_or(|it| *it == mid)), "{all:?}");
    assert!(all.iter().any(|said| said.mid.is_some()) && all.last().unwrap().mid.is_none());
    let delays: Vec<_> = all.iter().filter_map(|said| said.playout_delay.clone()).collect();
    assert!(!delays.is_empty() && delays.iter().all(|delay| *delay == [0, 0x10, 0x20]));
    let times: Vec<_> = all.iter().filter_map(|said| said.capture_time.clone()).collect();
    assert!(!times.is_empty() && times.iter().all(|time| time.len() == 8), "{times:?}");
    // 18 bits of a second: 33 ms are 8738 of them.
    let sent: Vec<u32> = all.iter().map(|said| said.send_time.expect("written anew")).collect();
    let passed: u32 = sent.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]) & 0xff_ffff).sum();
    assert!((2 << 18..3 << 18).contains(&passed), "{passed} of about {}", 3 << 18);
}

#[test]
fn a_turned_camera_is_turned_in_every_slot_and_nobody_else_is() {
    let mut hall = Hall::new(42);
    let (alice, bob, carol) = (hall.join(SIMULCAST), hall.join(SIMULCAST), hall.join(SIMULCAST));
    hall.seats[alice].page.camera.as_mut().unwrap().orientation = Some(3);
    // Carol's browser turns her pictures itself.
    hall.seats[carol].page.camera.as_mut().unwrap().orientation = None;
    hall.connect_all();
    hall.run(2.0);
    let [of_alice, of_carol] = [alice, carol].map(|member| hall.slot_of(bob, member).unwrap());
    let ends = |all: &[Said]| {
        all.iter().filter(|said| said.marker).map(|said| said.orientation.clone()).collect::<Vec<_>>()
    };
    let all = said(&mut hall, bob, of_alice);
    assert!(all.iter().all(|said| said.marker || said.orientation.is_none()), "at the end of pictures only");
    assert!(ends(&all).iter().all(|turn| *turn == Some(vec![3])), "{:?}", ends(&all));
    assert!(ends(&said(&mut hall, bob, of_carol)).iter().all(Option::is_none));

    hall.seats[alice].page.camera.as_mut().unwrap().orientation = Some(1);
    hall.run(0.5);
    let turns = ends(&said(&mut hall, bob, of_alice));
    assert!(turns.contains(&Some(vec![1])) && turns.last().unwrap() == &Some(vec![1]), "{turns:?}");

    // Another encoding of the same camera begins with a key frame, which says it as well.
    hall.set_viewport(bob, 300, 168);
    hall.run(2.0);
    let turns = ends(&said(&mut hall, bob, of_alice));
    assert!(turns.len() > 50 && turns.iter().all(|turn| *turn == Some(vec![1])), "{turns:?}");

    // Alice goes; whoever comes into her slot stands upright, and the viewer is told.
    let gone = hall.seats[alice].key;
    hall.act(media_core::room::Action::RemoveMember { member: gone });
    let dave = hall.join(SIMULCAST);
    hall.seats[dave].page.camera.as_mut().unwrap().orientation = None;
    hall.connect_all();
    hall.run(2.0);
    assert_eq!(hall.slot_of(bob, dave), Some(of_alice));
    let view = &hall.seats[bob].page.slots[usize::from(of_alice)].2;
    let first = view.shown.iter().position(|shown| usize::from(shown.value.member) == dave + 1).unwrap();
    assert!(view.shown[first].value.keyframe);
    let turns = ends(&said(&mut hall, bob, of_alice));
    assert_eq!(turns.last().unwrap(), &Some(vec![0]));
}

#[test]
fn a_repeated_packet_says_what_it_said() {
    let mut hall = Hall::new(43);
    let (alice, bob) = (hall.join(SIMULCAST), hall.join(SIMULCAST));
    hall.seats[alice].page.camera.as_mut().unwrap().orientation = Some(2);
    hall.connect_all();
    hall.link.impairment.loss_permille = 100;
    hall.run(5.0);
    let slot = hall.slot_of(bob, alice).unwrap();
    let repeats = std::mem::take(&mut hall.seats[bob].page.slots[usize::from(slot)].2.repeats);
    let ends: Vec<_> = repeats.iter().filter(|said| said.marker).collect();
    assert!(ends.len() > 3, "{}", repeats.len());
    assert!(ends.iter().all(|said| said.orientation == Some(vec![2])));
    assert!(repeats.iter().all(|said| said.rid.is_none() && said.repaired_rid.is_none()));
    assert!(repeats.iter().all(|said| said.send_time.is_some()));
}

#[test]
fn a_player_of_one_member_gets_its_turns_too() {
    let mut hall = Hall::new(44);
    let alice = hall.join(SIMULCAST);
    hall.seats[alice].page.camera.as_mut().unwrap().orientation = Some(1);
    let key = hall.seats[alice].key;
    let player = hall.join_to(Setup { encodings: 0, slots: 1 }, Receive::Member(key));
    hall.connect_all();
    hall.run(2.0);
    let last = said(&mut hall, player, 0).into_iter().rfind(|said| said.marker).unwrap();
    assert_eq!(last.orientation, Some(vec![1]));
    assert!(Duration::from_secs(2) <= hall.now - hall.started);
}
