//! What a recorder gets of a conference: the picture that is seen and the sound that is heard, at the same moments.

use std::time::{Duration, Instant};

use media_core::codec::{Rgb, VideoDecoder};
use media_core::room::{Action, Event, Recorded, RecordedMedia};
use media_core::units::{Bitrate, VideoCodec};

use crate::conference::{Conference, alike};
use crate::meeting::{BLUE, RED, page};
use crate::page::Setup;
use crate::sound::strength;

fn recorded(it: &Conference) -> Vec<Recorded> {
    let of = |(_, event): &(Duration, Event)| match event {
        Event::Recorded { recorded, .. } => Some(recorded.clone()),
        _ => None,
    };
    it.events.iter().filter_map(of).collect()
}

fn sound(all: &[Recorded]) -> (Vec<Instant>, Vec<f32>) {
    let pieces = all.iter().filter_map(|it| match &it.media {
        RecordedMedia::Sound { samples } => Some((it.at, samples)),
        RecordedMedia::Picture { .. } => None,
    });
    let (times, samples): (Vec<_>, Vec<_>) = pieces.unzip();
    let pcm = samples.iter().flat_map(|piece| piece.iter()).map(|sample| f32::from(*sample) / 32767.0);
    (times, pcm.collect())
}

#[test]
fn a_recorder_sees_and_hears_all_while_its_viewers_have_another_codec() {
    let mut it = Conference::new(3);
    let vp8 = |setup| Setup { video: vec![VideoCodec::Vp8], ..setup };
    let ann = it.join(vp8(page(RED, 440.0)));
    let bob = it.join(vp8(page(BLUE, 880.0)));
    it.warm_up();
    let begun = it.now;
    it.act(Action::StartRecording { least: Bitrate::kbps(2000) });
    it.run(5.0);
    it.act(Action::StopRecording);
    it.run(0.5);
    let all = recorded(&it);

    // Pictures: decodable from the first on, at 15 per second, and both members are on them.
    let mut decoder = VideoDecoder::new(VideoCodec::H264).unwrap();
    let (mut shown, mut keys, mut times) = (None, 0, Vec::new());
    for unit in &all {
        if let RecordedMedia::Picture { keyframe, data } = &unit.media {
            keys += usize::from(*keyframe);
            times.push(unit.at);
            shown = decoder.decode(data).unwrap().or(shown);
        }
    }
    assert!((73..=76).contains(&times.len()), "{}", times.len());
    assert_eq!(keys, 3);
    assert!(times[0] - begun < Duration::from_millis(150));
    let picture = shown.unwrap();
    assert_eq!(picture.size(), it.canvas);
    for (member, colour) in [(ann, RED), (bob, BLUE)] {
        let (x, y) = it.centre_of(member);
        let seen = Rgb::from(picture.pixel(x, y).unwrap());
        assert!(alike(seen, colour), "{seen:?} is to be {colour:?}");
    }

    // Sound: both tones, as loud as they were spoken, without a hole, on the clock of the pictures.
    let (at, pcm) = sound(&all);
    assert!(at.windows(2).all(|two| two[1] - two[0] == Duration::from_millis(20)));
    assert!((245..=255).contains(&at.len()), "{}", at.len());
    for hz in [440.0, 880.0] {
        let level = strength(&pcm[48_000..96_000], hz) / 0.3;
        assert!((0.85..1.15).contains(&level), "{hz} Hz at {level}");
    }
    assert!(times[0].max(at[0]) - times[0].min(at[0]) < Duration::from_millis(150));
    for viewer in [ann, bob] {
        assert!(alike(it.sees(viewer, ann), RED) && alike(it.sees(viewer, bob), BLUE));
    }
}
