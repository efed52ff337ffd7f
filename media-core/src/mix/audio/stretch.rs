//! Makes sound a little shorter or longer without changing its pitch (WSOLA).
//!
//! in:  samples about to be heard; the first one continues what was heard
//! out: the same with one period of the waveform less or more
//!
//!   shorter:  │ A A A A │ B B …        longer:  │ A A A A │ B B …
//!              ╲ fade to╱                                   ╲ fade back to A: A A A A │ A' A' … B B
//!               B B …
//!
//! The period is the lag at which the waveform resembles itself most, so both sides of the fade are in phase.

/// Compared and faded over: 10 ms.
const WINDOW: usize = 480;

/// 2.5 ms: the period of a high voice; shorter ones fit several times.
const MIN_LAG: usize = 120;

/// 15 ms: the period of the lowest voices.
const MAX_LAG: usize = 720;

/// Samples that let every period be tried.
pub(super) const WANTED: usize = WINDOW + MAX_LAG;

/// Coarse search runs on every fourth sample.
const COARSE: usize = 4;

/// Mean square under which nobody hears a seam (−66 dBFS).
const SILENCE: f32 = 2.5e-7;

/// How alike both sides must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seam {
    /// Inaudible, or not at all: there is time to wait for a better place.
    Good,
    /// The best there is: delay matters more.
    Any,
}

impl Seam {
    fn accepts(self, likeness: f32) -> bool {
        match self {
            Self::Good => likeness > 0.9,
            Self::Any => true,
        }
    }
}

/// Takes one period out; returns its samples, none when there was no place for the seam.
pub(super) fn shorten(pcm: &mut Vec<f32>, seam: Seam) -> usize {
    let Some(lag) = period(pcm, seam) else { return 0 };
    let (head, tail) = pcm.split_at_mut(lag);
    // With a lag shorter than the window both sides overlap, so the later side is read before it is overwritten.
    let later: Vec<f32> = tail.iter().take(WINDOW).copied().collect();
    let earlier: Vec<f32> = head.iter().chain(later.iter()).take(WINDOW).copied().collect();
    fade(tail, &earlier, &later);
    pcm.drain(..lag);
    lag
}

/// Puts one period in; returns its samples, none when there was no place for the seam.
pub(super) fn lengthen(pcm: &mut Vec<f32>, seam: Seam) -> usize {
    let Some(lag) = period(pcm, seam) else { return 0 };
    let onward: Vec<f32> = pcm.iter().skip(lag).take(WINDOW).copied().collect();
    let again: Vec<f32> = pcm.iter().take(WINDOW).copied().collect();
    let period: Vec<f32> = pcm.iter().take(lag).copied().collect();
    pcm.splice(..0, period);
    let (_, tail) = pcm.split_at_mut(lag);
    fade(tail, &onward, &again);
    lag
}

/// Goes from one sound to another, written over the beginning of `to`.
fn fade(to: &mut [f32], from: &[f32], into: &[f32]) {
    let step = 1.0 / WINDOW as f32;
    let mut share = 0.0;
    for ((sample, from), into) in to.iter_mut().zip(from).zip(into) {
        share += step;
        *sample = from + (into - from) * share;
    }
}

/// The lag at which the beginning comes again.
fn period(pcm: &[f32], seam: Seam) -> Option<usize> {
    let longest = MAX_LAG.min(pcm.len().checked_sub(WINDOW)?);
    if longest < MIN_LAG {
        return None;
    }
    if energy(pcm) < SILENCE * pcm.len() as f32 {
        return Some(longest);
    }
    let coarse: Vec<f32> = pcm
        .chunks_exact(COARSE)
        .take((WINDOW + longest) / COARSE)
        .map(|chunk| chunk.iter().sum::<f32>() / COARSE as f32)
        .collect();
    let rough = best(&coarse, WINDOW / COARSE, MIN_LAG / COARSE, longest / COARSE)?.0 * COARSE;
    let around = (rough.saturating_sub(COARSE).max(MIN_LAG), (rough + COARSE).min(longest));
    let (lag, likeness) = best(pcm, WINDOW, around.0, around.1)?;
    seam.accepts(likeness).then_some(lag)
}

/// The lag between `from` and `to` with the highest normalised correlation.
fn best(pcm: &[f32], window: usize, from: usize, to: usize) -> Option<(usize, f32)> {
    let first = pcm.get(..window)?;
    let own = energy(first);
    (from..=to)
        .filter_map(|lag| {
            let shifted = pcm.get(lag..lag + window)?;
            let common: f32 = first.iter().zip(shifted).map(|(a, b)| a * b).sum();
            Some((lag, common / (own * energy(shifted)).sqrt().max(f32::MIN_POSITIVE)))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

fn energy(pcm: &[f32]) -> f32 {
    pcm.iter().map(|sample| sample * sample).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(hz: f32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| {
                let at = n as f32 / 48_000.0 * std::f32::consts::TAU * hz;
                0.3 * at.sin() + 0.1 * (2.0 * at).sin() + 0.05 * (3.0 * at).cos()
            })
            .collect()
    }

    fn steepest(pcm: &[f32]) -> f32 {
        pcm.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn both_ways_keep_the_waveform() {
        for hz in [80.0, 100.0, 133.7, 220.0, 440.0, 1000.0, 3333.0] {
            let sound = voice(hz, 2400);
            let limit = steepest(&sound) * 1.1 + 1e-3;
            let mut shorter = sound.clone();
            let removed = shorten(&mut shorter, Seam::Good);
            assert!((MIN_LAG..=MAX_LAG).contains(&removed), "{hz} Hz: removed {removed}");
            assert_eq!(shorter.len(), sound.len() - removed);
            assert!(steepest(&shorter) <= limit, "{hz} Hz shorter");
            assert!((shorter[0] - sound[0]).abs() < limit, "{hz} Hz continues what was heard");
            assert_eq!(shorter[WINDOW..], sound[WINDOW + removed..]);

            let mut longer = sound.clone();
            let added = lengthen(&mut longer, Seam::Good);
            assert!((MIN_LAG..=MAX_LAG).contains(&added), "{hz} Hz: added {added}");
            assert_eq!(longer.len(), sound.len() + added);
            assert!(steepest(&longer) <= limit, "{hz} Hz longer");
            assert_eq!(longer[..added], sound[..added]);
            assert_eq!(longer[added + WINDOW..], sound[WINDOW..]);
        }
    }

    #[test]
    fn noise_has_no_good_seam_but_some() {
        let mut seed = 1_u32;
        let mut noise: Vec<f32> = (0..2400)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 16_777_216.0 - 0.5
            })
            .collect();
        assert_eq!(shorten(&mut noise, Seam::Good), 0);
        assert!(shorten(&mut noise, Seam::Any) > 0);
    }

    #[test]
    fn silence_gives_as_much_as_there_is_and_little_sound_nothing() {
        assert_eq!(shorten(&mut vec![0.0; 2400], Seam::Good), MAX_LAG);
        assert_eq!(lengthen(&mut vec![0.0; 960], Seam::Good), 480);
        for length in 0..WINDOW + MIN_LAG {
            assert_eq!(shorten(&mut vec![0.1; length], Seam::Any), 0, "{length}");
        }
    }
}
