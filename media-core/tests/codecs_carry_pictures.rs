//! What goes into an encoder comes out of the decoder, at the rate asked for, with key frames only when asked for.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, helpers included"
)]

use std::sync::Arc;

use layouts::Size;
use media_core::codec::{
    CodecError, Encoded, EncoderConfig, MAX_PIXELS, Picture, Rgb, VideoDecoder, VideoEncoder, Yuv,
};
use media_core::units::{Bitrate, VideoCodec};

const BOTH: [VideoCodec; 2] = [VideoCodec::Vp8, VideoCodec::H264];
const SIZE: Size = Size { width: 640, height: 360 };
const RATE: Bitrate = Bitrate(1_500_000);
const FPS: u32 = 30;

/// A textured room, a textured disc that moves through it, and a little noise, as a camera has it.
fn filmed(size: Size, frame: u32) -> Picture {
    let (width, height) = (size.width, size.height);
    let mut noise = frame.wrapping_mul(2_654_435_761) | 1;
    let centre = (width / 4 + frame * 3 % (width / 2), height / 2);
    let mut y = Vec::with_capacity((width * height) as usize);
    for row in 0..height {
        for column in 0..width {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let (dx, dy) = (column.abs_diff(centre.0), row.abs_diff(centre.1));
            let value = if dx * dx + dy * dy < (height / 4).pow(2) {
                150 + (dx / 4 * 3 + dy / 3 * 5) % 48
            } else {
                60 + row / 6 % 60 + (column / 8 + row / 8) % 5 * 6
            };
            y.push(u8::try_from(value + noise % 4).unwrap());
        }
    }
    let chroma = |offset: u32| -> Vec<u8> {
        let (width, height) = (width.div_ceil(2), height.div_ceil(2));
        let pixel = |row: u32, column: u32| u8::try_from(100 + (offset + row / 3 + column / 5) % 56).unwrap();
        (0..height).flat_map(|row| (0..width).map(move |column| pixel(row, column))).collect()
    };
    Picture::from_planes(size, &y, &chroma(0), &chroma(frame / 2)).unwrap()
}

fn encoder(codec: VideoCodec, size: Size, bitrate: Bitrate) -> VideoEncoder {
    VideoEncoder::new(EncoderConfig { codec, size, fps: FPS, bitrate }).unwrap()
}

fn ticks(frame: u32) -> u64 {
    u64::from(frame) * 90_000 / u64::from(FPS)
}

/// Luma PSNR in dB.
fn psnr(a: &Picture, b: &Picture) -> f64 {
    assert_eq!(a.size(), b.size());
    let rows = |picture: &'_ Picture| {
        let width = picture.size().width as usize;
        picture.y().chunks(picture.y_stride()).flat_map(move |row| row[..width].to_vec()).collect::<Vec<_>>()
    };
    let (a, b) = (rows(a), rows(b));
    let squares: u64 = a.iter().zip(&b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0_f64.powi(2) * a.len() as f64 / squares.max(1) as f64).log10()
}

/// Encodes `frames` pictures; says which were left out by `None`.
fn encode(encoder: &mut VideoEncoder, frames: std::ops::Range<u32>, size: Size) -> Vec<Option<Encoded>> {
    frames.map(|frame| encoder.encode(&filmed(size, frame), ticks(frame), false).unwrap()).collect()
}

#[test]
fn a_moving_picture_survives() {
    for codec in BOTH {
        for size in [SIZE, Size { width: 322, height: 182 }] {
            let mut encoder = encoder(codec, size, RATE);
            let mut decoder = VideoDecoder::new(codec).unwrap();
            let mut quality = Vec::new();
            for frame in 0..60 {
                let original = filmed(size, frame);
                let Some(coded) = encoder.encode(&original, ticks(frame), false).unwrap() else { continue };
                assert_eq!(coded.keyframe, frame == 0);
                let decoded = decoder.decode(&coded.data).unwrap().expect("no delay");
                quality.push(psnr(&original, &decoded));
            }
            assert!(quality.len() > 50, "{codec:?} left out {} of 60", 60 - quality.len());
            let steady = &quality[quality.len() / 3..];
            let worst = steady.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(worst > 35.0, "{codec:?} {size:?}: {worst:.1} dB");
        }
    }
}

/// A still room in which a window shows the film, and sometimes jumps.
fn window(film: u32, at: u32) -> Picture {
    let still = filmed(SIZE, 7);
    let moving = filmed(SIZE, film);
    let (left, top) = ((at * 97 % 25 * 16) as usize, (at * 53 % 12 * 16) as usize);
    let plane = |still: &[u8], moving: &[u8], stride: usize, shift: usize| -> Vec<u8> {
        let (width, height) = (SIZE.width as usize >> shift, SIZE.height as usize >> shift);
        let inside =
            |from: usize, side: usize, n: usize| (from >> shift..(from + side) >> shift).contains(&n);
        let pixel = |x: usize, y: usize| {
            let moves = inside(left, 160, x) && inside(top, 96, y);
            if moves { moving[y * stride + x] } else { still[y * stride + x] }
        };
        (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect()
    };
    let (y, chroma) = (still.y_stride(), still.chroma_stride());
    let planes = [
        plane(still.y(), moving.y(), y, 0),
        plane(still.u(), moving.u(), chroma, 1),
        plane(still.v(), moving.v(), chroma, 1),
    ];
    Picture::from_planes(SIZE, &planes[0], &planes[1], &planes[2]).unwrap()
}

/// The worst mean difference of luma over the blocks of 16×16.
fn worst_block(a: &Picture, b: &Picture) -> f64 {
    let mut worst = 0_u32;
    for top in (0..SIZE.height / 16 * 16).step_by(16) {
        for left in (0..SIZE.width).step_by(16) {
            let rows = (top..top + 16).map(|row| row as usize * a.y_stride() + left as usize);
            let of_row = |at: usize| -> u32 {
                a.y()[at..at + 16]
                    .iter()
                    .zip(&b.y()[at..at + 16])
                    .map(|(a, b)| u32::from(a.abs_diff(*b)))
                    .sum()
            };
            worst = worst.max(rows.map(of_row).sum());
        }
    }
    f64::from(worst) / 256.0
}

#[test]
fn an_encoder_that_leaves_out_what_stays_never_leaves_a_viewer_behind() {
    let rates = [2_000_000, 150_000, 2_000_000];
    let mut encoder =
        VideoEncoder::saving(EncoderConfig { codec: VideoCodec::Vp8, size: SIZE, fps: FPS, bitrate: RATE })
            .unwrap();
    let mut decoder = VideoDecoder::new(VideoCodec::Vp8).unwrap();
    let (mut left_out, mut joined) = (0, None::<VideoDecoder>);
    let mut frame = 0;
    for (part, bps) in rates.into_iter().enumerate() {
        encoder.set_bitrate(Bitrate(bps)).unwrap();
        for n in 0..120_u32 {
            // The window jumps every second; in the last two seconds of a part all stands still.
            let original = window(frame.min(frame / 120 * 120 + 60), frame.min(frame / 120 * 120 + 60) / 30);
            let force = part == 2 && n == 10;
            let coded = encoder.encode(&original, ticks(frame), force).unwrap();
            frame += 1;
            let Some(coded) = coded else {
                left_out += 1;
                continue;
            };
            assert_eq!(coded.keyframe, frame == 1 || force);
            if force {
                joined = Some(VideoDecoder::new(VideoCodec::Vp8).unwrap());
            }
            let shown = decoder.decode(&coded.data).unwrap().unwrap();
            if let Some(joined) = &mut joined {
                assert_eq!(joined.decode(&coded.data).unwrap().unwrap().y(), shown.y());
            }
            if n > 100 {
                let worst = worst_block(&original, &shown);
                let most = if bps > 1_000_000 { 6.0 } else { 20.0 };
                assert!(worst < most, "frame {frame}: a block is {worst:.1} off");
                assert!(psnr(&original, &shown) > if bps > 1_000_000 { 38.0 } else { 30.0 });
            }
        }
    }
    assert!(left_out > 0, "pictures were left out in the narrow part");
    assert_eq!(encoder.is_settled(), Some(true));
}

#[test]
fn a_still_camera_becomes_one_picture() {
    for codec in BOTH {
        let mut encoder = encoder(codec, SIZE, RATE);
        let mut decoder = VideoDecoder::new(codec).unwrap();
        let mut shown: Vec<Arc<Picture>> = Vec::new();
        for frame in 0..60 {
            let original = if frame < 50 { filmed(SIZE, 7) } else { filmed(SIZE, frame) };
            let Some(coded) = encoder.encode(&original, ticks(frame), false).unwrap() else { continue };
            let picture = decoder.decode(&coded.data).unwrap().unwrap();
            if frame >= 50 {
                assert!(!shown.iter().any(|old| Arc::ptr_eq(old, &picture)), "{codec:?}: it moves again");
            }
            shown.push(picture);
        }
        let still = &shown[25..45];
        let changes = still.windows(2).filter(|pair| !Arc::ptr_eq(&pair[0], &pair[1])).count();
        assert!(changes <= 2, "{codec:?}: {changes} changes of 19");
    }
}

#[test]
fn colours_survive() {
    let color = Yuv { y: 81, u: 90, v: 240 };
    for codec in BOTH {
        let coded =
            encoder(codec, SIZE, RATE).encode(&Picture::filled(SIZE, color), 0, false).unwrap().unwrap();
        let decoded = VideoDecoder::new(codec).unwrap().decode(&coded.data).unwrap().unwrap();
        for (x, y) in [(0, 0), (639, 359), (320, 180), (5, 300)] {
            let pixel = decoded.pixel(x, y).unwrap();
            let off = [pixel.y.abs_diff(color.y), pixel.u.abs_diff(color.u), pixel.v.abs_diff(color.v)];
            assert!(off.iter().all(|off| *off <= 3), "{codec:?}: {pixel:?} at {x},{y}");
        }
    }
}

#[test]
fn a_key_frame_comes_when_asked_and_starts_a_new_decoder() {
    for codec in BOTH {
        let mut encoder = encoder(codec, SIZE, RATE);
        let mut late = VideoDecoder::new(codec).unwrap();
        let mut keys = Vec::new();
        for frame in 0..40 {
            let coded = encoder.encode(&filmed(SIZE, frame), ticks(frame), frame == 25).unwrap();
            let Some(coded) = coded else { continue };
            if coded.keyframe {
                keys.push(frame);
            }
            if frame < 25 && frame > 0 {
                assert_eq!(late.decode(&coded.data).err(), Some(CodecError::NeedsKeyFrame));
            } else if frame > 25 {
                assert!(late.decode(&coded.data).unwrap().is_some());
            } else if frame == 25 {
                assert!(psnr(&late.decode(&coded.data).unwrap().unwrap(), &filmed(SIZE, frame)) > 30.0);
            }
        }
        assert_eq!(keys, [0, 25], "{codec:?}");
    }
}

#[test]
fn a_key_frame_asked_for_while_pictures_are_left_out_comes_with_the_next() {
    for codec in BOTH {
        let mut encoder = encoder(codec, SIZE, Bitrate::kbps(40));
        encode(&mut encoder, 0..10, SIZE);
        let (mut asked, mut left_out, mut keys) = (false, 0, 0);
        for frame in 10..250 {
            // Ask only where the picture before was left out, which is when the next one often is, too.
            let ask = !asked && left_out > 0;
            let coded = encoder.encode(&filmed(SIZE, frame), ticks(frame), ask).unwrap();
            asked |= ask;
            match coded {
                None => left_out += 1,
                Some(coded) => {
                    assert_eq!(coded.keyframe, asked, "{codec:?} frame {frame}");
                    keys += u32::from(coded.keyframe);
                    asked = false;
                    left_out = 0;
                }
            }
        }
        assert!(keys > 0, "{codec:?} left nothing out");
    }
}

#[test]
fn the_rate_is_kept_and_follows_a_change() {
    for codec in BOTH {
        let mut encoder = encoder(codec, SIZE, Bitrate::kbps(600));
        for (start, kbps) in [(0, 600), (200, 1_500), (400, 400)] {
            encoder.set_bitrate(Bitrate::kbps(kbps)).unwrap();
            encode(&mut encoder, start..start + 50, SIZE); // settles
            let coded = encode(&mut encoder, start + 50..start + 200, SIZE);
            let bytes: usize = coded.iter().flatten().map(|coded| coded.data.len()).sum();
            let measured = bytes as f64 * 8.0 / (150.0 / f64::from(FPS)) / 1000.0;
            let off = measured / kbps as f64 - 1.0;
            assert!(off.abs() < 0.25, "{codec:?} {kbps} kbit/s: {measured:.0}");
            assert!(coded.iter().flatten().all(|coded| !coded.keyframe || start == 0));
        }
    }
}

/// NAL unit types of an access unit, in order, and the bytes of each.
fn nal_units(data: &[u8]) -> Vec<(u8, &[u8])> {
    let starts: Vec<usize> = (0..data.len().saturating_sub(3))
        .filter(|at| data[*at..].starts_with(&[0, 0, 1]))
        .map(|at| at + 3)
        .collect();
    let ends = starts.iter().skip(1).map(|next| next - 3).chain([data.len()]);
    starts.iter().zip(ends).map(|(start, end)| (data[*start] & 0x1f, &data[*start..end])).collect()
}

// ITU-T H.264 §7.4.1.2.1 (parameter sets before the IDR that uses them), §A.2.1.1 (constrained baseline).
#[test]
fn an_h264_stream_is_what_the_answer_promises() {
    let size = Size { width: 1280, height: 720 };
    let mut encoder = encoder(VideoCodec::H264, size, RATE);
    let (mut sets, mut idrs) = (Vec::new(), Vec::new());
    for frame in 0..300 {
        // A cut to another scene, which must not be coded as an IDR.
        let picture = if frame / 75 % 2 == 0 {
            filmed(size, frame)
        } else {
            let value = u8::try_from(40 + frame / 75 * 60).unwrap();
            Picture::filled(size, Yuv { y: value, u: 90, v: 160 })
        };
        let Some(coded) = encoder.encode(&picture, ticks(frame), frame == 200).unwrap() else { continue };
        let units = nal_units(&coded.data);
        let types: Vec<u8> = units.iter().map(|unit| unit.0).collect();
        if coded.keyframe {
            assert_eq!(types, [7, 8, 5], "frame {frame}");
            idrs.push(frame);
            sets.push((units[0].1.to_vec(), units[1].1.to_vec()));
        } else {
            assert_eq!(types, [1], "frame {frame}");
        }
    }
    assert_eq!(idrs, [0, 200]);
    let same = |a: &[u8], b: &[u8]| {
        a.iter().rev().skip_while(|b| **b == 0).eq(b.iter().rev().skip_while(|b| **b == 0))
    };
    assert!(
        same(&sets[0].0, &sets[1].0) && same(&sets[0].1, &sets[1].1),
        "the same identifiers and contents"
    );
    let [profile, constraints, level] = sets[0].0[1..4] else { panic!("a short SPS") };
    assert_eq!(profile, 66);
    assert_eq!(constraints & 0b1100_0000, 0b1100_0000, "constraint_set0 and constraint_set1");
    assert!(level <= 31, "720p30 fits level 3.1, what browsers offer; got {level}");
}

#[test]
fn impossible_encoders_are_refused() {
    let check = |width, height, fps| {
        for codec in BOTH {
            let config = EncoderConfig { codec, size: Size { width, height }, fps, bitrate: RATE };
            assert!(matches!(VideoEncoder::new(config), Err(CodecError::Refused(_))), "{config:?}");
        }
    };
    check(641, 360, 30);
    check(640, 361, 30);
    check(0, 0, 30);
    check(8, 8, 30);
    check(10_000, 360, 30);
    check(640, 360, 0);
    check(640, 360, 61);
    let other = Picture::filled(Size { width: 320, height: 180 }, Yuv::BLACK);
    for codec in BOTH {
        assert!(matches!(encoder(codec, SIZE, RATE).encode(&other, 0, false), Err(CodecError::Refused(_))));
    }
}

#[test]
fn time_that_stands_or_runs_back_is_taken_as_a_little_later() {
    for codec in BOTH {
        let mut encoder = encoder(codec, SIZE, RATE);
        for (frame, pts) in [(0, 9000), (1, 9000), (2, 0), (3, 12_000)] {
            encoder.encode(&filmed(SIZE, frame), pts, false).unwrap();
        }
    }
}

#[test]
fn a_decoder_follows_a_change_of_size() {
    for codec in BOTH {
        let mut decoder = VideoDecoder::new(codec).unwrap();
        for (width, height) in [(640, 360), (320, 180), (360, 640), (1280, 720)] {
            let size = Size { width, height };
            for coded in encode(&mut encoder(codec, size, RATE), 0..3, size).into_iter().flatten() {
                let decoded = decoder.decode(&coded.data).unwrap().unwrap();
                assert_eq!(decoded.size(), size, "{codec:?}");
            }
        }
    }
}

#[test]
fn the_screen_of_any_usual_monitor_is_decoded_and_kept_no_larger_than_a_canvas() {
    for codec in BOTH {
        for (monitor, kept) in [
            ((1920, 1080), (1920, 1080)),
            ((1920, 1200), (1728, 1080)),
            ((2560, 1440), (1920, 1080)),
            ((3440, 1440), (1920, 802)),
            ((3456, 2234), (1670, 1080)),
            ((3840, 2160), (1920, 1080)),
            ((1440, 2560), (1080, 1920)),
            ((1080, 1080), (1080, 1080)),
        ] {
            let size = Size { width: monitor.0, height: monitor.1 };
            if codec == VideoCodec::H264 && size.height > 2160 && size.width > 2160 {
                continue; // OpenH264 does not encode it.
            }
            let picture = Picture::filled(size, Rgb(200, 40, 40));
            let coded = encoder(codec, size, RATE).encode(&picture, 0, true).unwrap().unwrap();
            let decoded = VideoDecoder::new(codec).unwrap().decode(&coded.data).unwrap().unwrap();
            assert_eq!((decoded.size().width, decoded.size().height), kept, "{codec:?} of {monitor:?}");
            let Rgb(red, green, blue) = decoded.pixel(kept.0 / 2, kept.1 / 2).unwrap().into();
            assert!(red > 180 && green < 60 && blue < 60, "{codec:?} of {monitor:?}");
        }
    }
}

/// The beginning of a key frame of so many macroblocks, ITU-T H.264 §7.3.2.1.1.
fn h264_of(columns: u32, rows: u32) -> Vec<u8> {
    let golomb = |value: u32| format!("{:0>1$b}", value + 1, 2 * (value + 1).ilog2() as usize + 1);
    // Id, frame numbers, order counts of type 2, one reference, no gaps, size, whole frames, stop bit.
    let bits = [0, 0, 2, 1].map(golomb).concat() + "0" + &golomb(columns - 1) + &golomb(rows - 1) + "11";
    let bits = format!("{bits:0<0$}", bits.len().next_multiple_of(8));
    let bytes =
        bits.as_bytes().chunks(8).map(|byte| byte.iter().fold(0_u8, |value, bit| value << 1 | (bit - b'0')));
    let mut unit = vec![0, 0, 0, 1, 0x67, 66, 0, 51];
    unit.extend(bytes);
    unit.extend([0, 0, 0, 1, 0x65, 0x88, 0x84]);
    unit
}

#[test]
fn too_large_a_picture_is_refused_before_it_is_decoded() {
    // The header alone decides; a decoder must not allocate for it.
    let size = Size { width: 4800, height: 2400 };
    assert!(size.width * size.height > MAX_PIXELS);
    let vp8 = vec![0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xc0, 0x12, 0x60, 0x09];
    for (codec, coded) in [(VideoCodec::Vp8, vp8), (VideoCodec::H264, h264_of(300, 150))] {
        assert_eq!(
            VideoDecoder::new(codec).unwrap().decode(&coded).err(),
            Some(CodecError::UnacceptableSize(size)),
            "{codec:?}"
        );
    }
    // As large as VP8 can say.
    let header = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f];
    let size = Size { width: 16_383, height: 16_383 };
    let decoded = VideoDecoder::new(VideoCodec::Vp8).unwrap().decode(&header);
    assert_eq!(decoded.err(), Some(CodecError::UnacceptableSize(size)));
}

/// Damaged frames give errors or pictures, never a crash, and a key frame always repairs the decoder.
#[test]
fn hostile_frames_stay_harmless() {
    let size = Size { width: 160, height: 90 };
    for codec in BOTH {
        let frames: Vec<_> =
            encode(&mut encoder(codec, size, Bitrate::kbps(300)), 0..6, size).into_iter().flatten().collect();
        let key = &frames[0].data;
        let mut decoder = VideoDecoder::new(codec).unwrap();
        let mut tried = 0_u32;
        let mut attack = |data: &[u8], from_key: bool| {
            if !from_key {
                decoder.decode(key).unwrap();
            }
            if let Ok(Some(picture)) = decoder.decode(data) {
                assert!(picture.size().width * picture.size().height <= MAX_PIXELS);
            }
            tried += 1;
        };
        for (index, frame) in frames.iter().take(3).enumerate() {
            let data = &frame.data;
            // Every length at the head, where the structure is, then every seventh.
            for cut in (0..data.len()).filter(|cut| *cut < 64 || cut % 7 == 0) {
                attack(&data[..cut], index == 0);
            }
            for bit in (0..data.len() * 8).filter(|bit| *bit < 64 * 8 || bit % 61 == 0) {
                let mut damaged = data.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                attack(&damaged, index == 0);
            }
            // Noise over a part, from a fixed seed.
            let mut noise = 0x9e37_79b9_u32;
            for _ in 0..200 {
                let mut damaged = data.to_vec();
                for _ in 0..8 {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let at = noise as usize % damaged.len();
                    damaged[at] = u8::try_from(noise >> 24).unwrap();
                }
                attack(&damaged, index == 0);
            }
        }
        assert!(tried > 1000);
        let repaired: Option<Arc<Picture>> = decoder.decode(key).unwrap();
        assert!(psnr(&repaired.unwrap(), &filmed(size, 0)) > 30.0, "{codec:?}");
    }
}
