//! What other encoders make of VP9 and AV1 comes through packets, assembly and decoder as the pictures that went in.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test fails by panicking, helpers included"
)]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::Size;
use media_core::codec::{CodecError, EncoderConfig, Picture, VideoDecoder, VideoEncoder};
use media_core::receive::{Feedback, Format, VideoConfig, VideoReceiver};
use media_core::rtp::{PayloadInfo, RtpHeader, RtpView, vp9, write_packet};
use media_core::units::{Bitrate, Pt, Ssrc, VideoCodec};

const SIZE: Size = Size { width: 320, height: 180 };
const FRAMES: usize = 20;

/// What ffmpeg draws, in the size and with the arguments given.
fn ffmpeg(size: Size, arguments: &[&str]) -> Vec<u8> {
    let source = format!("testsrc2=s={}x{}:r=20:d=1", size.width, size.height);
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p"])
        .args(arguments)
        .arg("-")
        .output()
        .expect("ffmpeg is one of the Makefile's packages");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Frames of an IVF file: 32 bytes of head, then each with a length and a time before it.
fn ivf(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<12>() {
        let len = u32::from_le_bytes(*head.first_chunk().unwrap()) as usize;
        frames.push(after[..len].to_vec());
        rest = &after[len..];
    }
    frames
}

fn coded(codec: VideoCodec, size: Size) -> Vec<Vec<u8>> {
    let realtime: &[&str] = match codec {
        VideoCodec::Vp9 => &["-c:v", "libvpx-vp9", "-deadline", "realtime"],
        VideoCodec::Av1 => &["-c:v", "libaom-av1", "-usage", "realtime"],
        VideoCodec::Vp8 | VideoCodec::H264 => panic!("the server encodes {codec:?} itself"),
    };
    let rest = ["-cpu-used", "8", "-lag-in-frames", "0", "-g", "999", "-b:v", "800k", "-f", "ivf"];
    ivf(&ffmpeg(size, &[realtime, &rest].concat()))
}

fn originals(size: Size) -> Vec<Picture> {
    let luma = (size.width * size.height) as usize;
    let raw = ffmpeg(size, &["-f", "rawvideo"]);
    let planes = |frame: &[u8]| {
        Picture::from_planes(size, &frame[..luma], &frame[luma..luma * 5 / 4], &frame[luma * 5 / 4..])
            .unwrap()
    };
    raw.chunks(luma * 3 / 2).map(planes).collect()
}

/// Luma PSNR in dB.
fn psnr(a: &Picture, b: &Picture) -> f64 {
    assert_eq!(a.size(), b.size());
    let rows = |picture: &Picture| -> Vec<u8> {
        let width = picture.size().width as usize;
        picture.y().chunks(picture.y_stride()).flat_map(|row| row[..width].to_vec()).collect()
    };
    let (a, b) = (rows(a), rows(b));
    let squares: u64 = a.iter().zip(&b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0_f64.powi(2) * a.len() as f64 / squares.max(1) as f64).log10()
}

/// Payloads of a picture, as browsers make them.
fn payloads(codec: VideoCodec, picture: &[u8], number: usize) -> Vec<Vec<u8>> {
    if codec == VideoCodec::Vp9 {
        vp9_payloads(&[picture], number)
    } else {
        av1_payloads(picture, number == 0)
    }
}

/// Layers of one picture, the lowest first, each in pieces; I, P, B and E, and with several layers L.
fn vp9_payloads(layers: &[&[u8]], number: usize) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for (spatial_id, frame) in layers.iter().enumerate() {
        let pieces = frame.chunks(1000);
        let last = pieces.len() - 1;
        for (i, piece) in pieces.enumerate() {
            let mut flags = 0x80 | u8::from(i == 0) << 3 | u8::from(i == last) << 2;
            flags |= if number == 0 { 0 } else { 0x40 } | if layers.len() > 1 { 0x20 } else { 0 };
            let mut payload = vec![flags, 0x80, u8::try_from(number).unwrap()];
            if layers.len() > 1 {
                payload.extend_from_slice(&[u8::try_from(spatial_id).unwrap() << 1, 0]);
            }
            payload.extend_from_slice(piece);
            out.push(payload);
        }
    }
    out
}

/// The temporal unit's OBUs without their sizes, in as many packets as it takes: one OBU element in each.
fn av1_payloads(unit: &[u8], key: bool) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = unit;
    while let Some(&header) = rest.first() {
        assert!(header & 0x04 == 0 && header & 0x02 != 0, "no layers, and sizes, as ffmpeg writes them");
        let (mut len, mut at) = (0, 1);
        loop {
            len |= usize::from(rest[at] & 0x7f) << (7 * (at - 1));
            at += 1;
            if rest[at - 1] & 0x80 == 0 {
                break;
            }
        }
        let obu = [&[header & !0x02], &rest[at..at + len]].concat();
        rest = &rest[at + len..];
        if header >> 3 == 2 {
            continue; // the delimiter does not travel
        }
        let pieces = obu.chunks(900);
        let last = pieces.len() - 1;
        for (i, piece) in pieces.enumerate() {
            let begins_sequence = key && out.is_empty();
            let head =
                u8::from(i > 0) << 7 | u8::from(i < last) << 6 | 1 << 4 | u8::from(begins_sequence) << 3;
            out.push([&[head], piece].concat());
        }
    }
    out
}

/// A camera's packets on their way to the canvas.
struct Path {
    receiver: VideoReceiver,
    decoder: VideoDecoder,
    now: Instant,
    seq: u16,
}

impl Path {
    fn new(codec: VideoCodec) -> Self {
        let formats = vec![(Pt(98), Format::Codec(codec))];
        Self {
            receiver: VideoReceiver::new(VideoConfig { ssrc: Ssrc(1), formats }),
            decoder: VideoDecoder::new(codec).unwrap(),
            now: Instant::now(),
            seq: 65_530,
        }
    }

    /// Sends a picture's packets, `order` giving their places; what is shown comes back.
    fn send(&mut self, payloads: &[Vec<u8>], number: usize, order: &[usize]) -> Vec<Arc<Picture>> {
        for &i in order {
            let header = RtpHeader {
                marker: i + 1 == payloads.len(),
                pt: Pt(98),
                seq: self.seq.wrapping_add(u16::try_from(i).unwrap()),
                timestamp: u32::try_from(number).unwrap() * 4500,
                ssrc: Ssrc(1),
            };
            let mut packet = Vec::new();
            write_packet(&mut packet, &header, &[], &[&payloads[i]]);
            self.receiver.handle_rtp(self.now, &RtpView::parse(&packet).unwrap());
        }
        self.seq = self.seq.wrapping_add(u16::try_from(payloads.len()).unwrap());
        self.now += Duration::from_millis(50);
        let mut shown = Vec::new();
        while let Some(frame) = self.receiver.poll_frame() {
            shown.extend(self.decoder.decode(&frame.data).unwrap());
        }
        shown
    }
}

#[test]
fn pictures_come_through_whatever_order_their_packets_take() {
    let originals = originals(SIZE);
    for codec in [VideoCodec::Vp9, VideoCodec::Av1] {
        let coded = coded(codec, SIZE);
        assert_eq!(coded.len(), FRAMES);
        let mut path = Path::new(codec);
        let mut several = 0;
        for (number, picture) in coded.iter().enumerate() {
            let payloads = payloads(codec, picture, number);
            several += usize::from(payloads.len() > 1);
            let first = PayloadInfo::of(codec, &payloads[0], false, None).unwrap();
            assert_eq!(first.keyframe, number == 0, "{codec:?} {number}");
            assert_eq!(first.size, (number == 0).then_some(SIZE), "{codec:?} {number}");
            let mut order: Vec<usize> = (0..payloads.len()).collect();
            if number % 2 == 1 {
                order.reverse();
            }
            let shown = path.send(&payloads, number, &order);
            assert_eq!(shown.len(), 1, "{codec:?} {number}");
            let quality = psnr(&originals[number], &shown[0]);
            assert!(quality > 28.0, "{codec:?} {number}: {quality:.1} dB");
        }
        assert!(several > 3, "{codec:?}: pictures of several packets");
    }
}

#[test]
fn a_lost_packet_stops_the_picture_until_a_key_frame() {
    for codec in [VideoCodec::Vp9, VideoCodec::Av1] {
        let coded = coded(codec, SIZE);
        let mut path = Path::new(codec);
        let send = |path: &mut Path, number: usize, lose: bool| {
            let payloads = payloads(codec, &coded[number], number);
            let order: Vec<usize> = (usize::from(lose)..payloads.len()).collect();
            path.send(&payloads, number, &order).len()
        };
        assert_eq!(send(&mut path, 0, false), 1);
        assert_eq!(send(&mut path, 1, true), 0);
        let mut asked = Vec::new();
        for number in 2..FRAMES {
            assert_eq!(send(&mut path, number, false), 0, "{codec:?}: nothing refers to a hole");
            asked.extend(std::iter::from_fn(|| path.receiver.poll_feedback(path.now)));
        }
        assert!(asked.iter().any(|feedback| matches!(feedback, Feedback::Nack(_))), "{codec:?}");
        assert!(asked.contains(&Feedback::Pli), "{codec:?}");
        // Another coded sequence begins, later.
        let payloads = payloads(codec, &coded[0], 0);
        let order: Vec<usize> = (0..payloads.len()).collect();
        assert_eq!(path.send(&payloads, FRAMES + 1, &order).len(), 1, "{codec:?}");
    }
}

/// Two layers, each decodable by itself: the higher one is shown, and without it the lower.
#[test]
fn of_a_layered_picture_is_shown_what_came() {
    let large = Size { width: 640, height: 360 };
    let (low, high) = (coded(VideoCodec::Vp9, SIZE), coded(VideoCodec::Vp9, large));
    let mut path = Path::new(VideoCodec::Vp9);
    let both = vp9_payloads(&[&low[0], &high[0]], 0);
    let shown = path.send(&both, 0, &(0..both.len()).collect::<Vec<_>>());
    assert_eq!(shown.iter().map(|picture| picture.size()).collect::<Vec<_>>(), [large]);
    let one = vp9_payloads(&[&low[0]], 0);
    let shown = path.send(&one, 1, &(0..one.len()).collect::<Vec<_>>());
    assert_eq!(shown.iter().map(|picture| picture.size()).collect::<Vec<_>>(), [SIZE]);
}

#[test]
fn frames_of_unacceptable_size_do_not_reach_the_library() {
    let mut key = coded(VideoCodec::Vp9, SIZE).swap_remove(0);
    // Marker, profile, flags: a byte; three of sync code; four bits; then 16 bits less one for each side.
    let width_at = 4;
    key[width_at] = key[width_at] & 0xf0 | 0x0f;
    key[width_at + 1] = 0xff;
    key[width_at + 2] |= 0xf0;
    let Some(vp9::Announced::Size(announced)) = vp9::frame_size(&key) else { panic!("it has a size") };
    assert_eq!(announced, Size { width: 65_536, height: 180 });
    let decoded = VideoDecoder::new(VideoCodec::Vp9).unwrap().decode(&key);
    assert_eq!(decoded.unwrap_err(), CodecError::UnacceptableSize(announced));

    let large = coded(VideoCodec::Av1, Size { width: 5200, height: 160 }).swap_remove(0);
    let decoded = VideoDecoder::new(VideoCodec::Av1).unwrap().decode(&large);
    assert_eq!(decoded.unwrap_err(), CodecError::UnacceptableSize(Size { width: 5200, height: 160 }));
}

#[test]
fn damage_is_an_error_and_a_key_frame_heals() {
    for codec in [VideoCodec::Vp9, VideoCodec::Av1] {
        let coded = coded(codec, SIZE);
        let mut decoder = VideoDecoder::new(codec).unwrap();
        assert_eq!(decoder.decode(&coded[1]).unwrap_err(), CodecError::NeedsKeyFrame, "{codec:?}");
        let mut damaged = 0;
        for (i, frame) in coded.iter().enumerate().skip(1) {
            assert!(decoder.decode(&coded[0]).unwrap().is_some(), "{codec:?}: a key frame heals");
            let mut broken = frame.clone();
            broken.truncate(frame.len() * (i % 5) / 6);
            let half = broken.len() / 2;
            broken.iter_mut().skip(half).for_each(|byte| *byte ^= 0x5a);
            damaged += usize::from(decoder.decode(&broken).is_err());
        }
        assert!(damaged > 10, "{codec:?}: {damaged} of {}", coded.len() - 1);
    }
}

#[test]
fn no_canvas_is_encoded_in_them() {
    for codec in [VideoCodec::Vp9, VideoCodec::Av1] {
        let config = EncoderConfig { codec, size: SIZE, fps: 30, bitrate: Bitrate::kbps(500) };
        assert!(matches!(VideoEncoder::new(config), Err(CodecError::Refused(_))), "{codec:?}");
    }
}
