//! Colours: what is drawn is named in RGB and stored in the canvas' space, BT.709 with limited range.

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
    /// Fixed-point BT.709, limited range; the weights are those of the recommendation times 219/255 (luma) or
    /// 224/255 (chroma), in 1/65536.
    fn from(Rgb(r, g, b): Rgb) -> Self {
        let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
        Self {
            y: to_byte(11_966 * r + 40_254 * g + 4_064 * b, 16),
            u: to_byte(-6_596 * r - 22_189 * g + 28_785 * b, 128),
            v: to_byte(28_785 * r - 26_145 * g - 2_640 * b, 128),
        }
    }
}

impl From<Yuv> for Rgb {
    fn from(Yuv { y, u, v }: Yuv) -> Self {
        let (y, u, v) = (76_309 * (i32::from(y) - 16), i32::from(u) - 128, i32::from(v) - 128);
        Self(
            to_byte(y + 117_489 * v, 0),
            to_byte(y - 13_975 * u - 34_925 * v, 0),
            to_byte(y + 138_438 * u, 0),
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

    /// Values of ITU-R BT.709-6 §3 for the 8-bit corner colours.
    #[test]
    fn corner_colours_are_those_of_bt709() {
        let check = |rgb, (y, u, v)| assert_eq!(Yuv::from(rgb), Yuv { y, u, v }, "{rgb:?}");
        check(Rgb(0, 0, 0), (16, 128, 128));
        check(Rgb(255, 255, 255), (235, 128, 128));
        check(Rgb(255, 0, 0), (63, 102, 240));
        check(Rgb(0, 255, 0), (173, 42, 26));
        check(Rgb(0, 0, 255), (32, 240, 118));
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
