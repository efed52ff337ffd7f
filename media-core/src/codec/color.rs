//! Colours: what is drawn is named in RGB and stored in the canvas' space, BT.601 with limited range.
//!
//! Browsers deliver cameras in that space, and a VP8 stream cannot name another one: receivers take it for granted.
//! The H.264 encoder names it, because receivers would take BT.709 for granted there.

/// A colour as people write it: full range, 8 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// One pixel of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Yuv {
    /// Luma, 16–235.
    pub y: u8,
    /// Blue difference, 16–240, neutral at 128.
    pub u: u8,
    /// Red difference, 16–240, neutral at 128.
    pub v: u8,
}

impl Yuv {
    /// Black.
    pub const BLACK: Self = Self { y: 16, u: 128, v: 128 };
}

impl From<Rgb> for Yuv {
    /// Fixed-point BT.601, limited range; the weights are those of the recommendation times 219/255 (luma) or
    /// 224/255 (chroma), in 1/65536.
    fn from(Rgb(r, g, b): Rgb) -> Self {
        let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
        Self {
            y: to_byte(16_829 * r + 33_039 * g + 6_416 * b, 16),
            u: to_byte(-9_714 * r - 19_071 * g + 28_785 * b, 128),
            v: to_byte(28_785 * r - 24_104 * g - 4_681 * b, 128),
        }
    }
}

impl From<Yuv> for Rgb {
    fn from(Yuv { y, u, v }: Yuv) -> Self {
        let (y, u, v) = (76_309 * (i32::from(y) - 16), i32::from(u) - 128, i32::from(v) - 128);
        Self(
            to_byte(y + 104_597 * v, 0),
            to_byte(y - 25_675 * u - 53_279 * v, 0),
            to_byte(y + 132_201 * u, 0),
        )
    }
}

/// From 1/65536, rounded to nearest, kept within a byte.
fn to_byte(fixed: i32, offset: i32) -> u8 {
    u8::try_from((((fixed + 32_768) >> 16) + offset).clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of ITU-R BT.601-7 §2.5 for the 8-bit corner colours.
    #[test]
    fn corner_colours_are_those_of_bt601() {
        let check = |rgb, (y, u, v)| assert_eq!(Yuv::from(rgb), Yuv { y, u, v }, "{rgb:?}");
        check(Rgb(0, 0, 0), (16, 128, 128));
        check(Rgb(255, 255, 255), (235, 128, 128));
        check(Rgb(255, 0, 0), (81, 90, 240));
        check(Rgb(0, 255, 0), (145, 54, 34));
        check(Rgb(0, 0, 255), (41, 240, 110));
    }

    #[test]
    fn there_and_back_is_within_three_steps() {
        for r in (0..=255).step_by(15) {
            for g in (0..=255).step_by(15) {
                for b in (0..=255).step_by(15) {
                    let Rgb(r2, g2, b2) = Rgb::from(Yuv::from(Rgb(r, g, b)));
                    let far = r.abs_diff(r2).max(g.abs_diff(g2)).max(b.abs_diff(b2));
                    assert!(far <= 3, "{r},{g},{b} came back as {r2},{g2},{b2}");
                }
            }
        }
    }
}
