//! One slot of a definition.

use serde_json::Value;

use super::fields::Fields;
use super::measure::Measure;
use crate::grid::{GRID, GridRect};
use crate::layer::{Fit, Pan};
use crate::position::Position;
use crate::slots::{Holds, Slot};
use crate::tag::Tag;

/// No side is less than this part of the canvas.
const LEAST_PART: u64 = 60;

/// Whom a slot follows, as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    Nothing,
    Floor,
    Screen,
    Playback,
}

/// A slot, or what is wrong with it.
pub(super) fn slot(value: &Value) -> Result<Slot, String> {
    let mut fields = Fields::of(value)?;
    let position = position(&mut fields)?;
    let rect = rectangle(&mut fields)?;
    let follow = fields
        .word(
            "follow",
            &[
                ("none", Follow::Nothing),
                ("floor", Follow::Floor),
                ("screen", Follow::Screen),
                ("playback", Follow::Playback),
            ],
        )?
        .unwrap_or(Follow::Nothing);
    let only = fields.flag("only")?.unwrap_or(false);
    let reservation = tag(&mut fields, "reservation")?;
    let role = tag(&mut fields, "role")?;
    let holds = match (follow, reservation) {
        (Follow::Nothing, Some(tag)) => Holds::Tagged(tag),
        (_, Some(_)) => return Err("has both a reservation and somebody to follow".to_owned()),
        (Follow::Nothing, None) if only => {
            return Err("takes only whom it follows, and follows nobody".to_owned());
        }
        (Follow::Nothing, None) if position == Position::Screen => Holds::Screen,
        (Follow::Nothing, None) => Holds::Queue,
        (Follow::Floor, None) => Holds::Floor,
        (Follow::Screen, None) => Holds::Screen,
        (Follow::Playback, None) => Holds::Playback,
    };
    let fit = fields.word("fit", &[("contain", Fit::Contain), ("cover", Fit::Cover), ("auto", Fit::Auto)])?;
    let z = fields.whole("z", -1000, 1000)?.and_then(|z| i16::try_from(z).ok());
    let slot = Slot {
        z: z.unwrap_or(0),
        fit: fit.unwrap_or(Fit::Contain),
        only,
        role,
        overlay: fields.flag("overlay")?.unwrap_or(false),
        border: fields.whole("border", 0, 50)?.and_then(|border| u8::try_from(border).ok()),
        pan: pan(&mut fields)?,
        ..Slot::new(position, rect, holds)
    };
    fields.nothing_else()?;
    Ok(slot)
}

/// A rectangle and nothing else.
pub(super) fn rectangle_alone(value: &Value) -> Result<GridRect, String> {
    let mut fields = Fields::of(value)?;
    let rect = rectangle(&mut fields)?;
    fields.nothing_else()?;
    Ok(rect)
}

fn position(fields: &mut Fields<'_>) -> Result<Position, String> {
    let text = fields.text("position")?.ok_or("position is missing")?;
    match text.parse::<Position>() {
        Ok(position @ (Position::Standard(_) | Position::Reserved(_) | Position::Screen)) => Ok(position),
        Ok(Position::Auto | Position::OffCanvas | Position::Playback | Position::FullScreen) | Err(_) => {
            Err("position must be standard-N, reserved-N or screen".to_owned())
        }
    }
}

fn rectangle(fields: &mut Fields<'_>) -> Result<GridRect, String> {
    let mut measure = |name: &'static str| {
        let value = fields.take(name).ok_or_else(|| format!("{name} is missing"))?;
        Measure::read(value).map_err(|reason| format!("{name} {reason}"))
    };
    let [x, y, w, h] = [measure("x")?, measure("y")?, measure("w")?, measure("h")?];
    for (side, length) in [("w", w), ("h", h)] {
        if length.is_less_than_one_of(LEAST_PART) {
            return Err(format!("{side} is less than 1/{LEAST_PART} of the canvas"));
        }
    }
    for (edge, end) in [("right", x.plus(w)), ("lower", y.plus(h))] {
        if end.is_more_than_all() {
            return Err(format!("its {edge} edge is outside the canvas"));
        }
    }
    let span = |from: Measure, length: Measure| (from.steps(), from.plus(length).steps() - from.steps());
    let ((x, w), (y, h)) = (span(x, w), span(y, h));
    debug_assert!(x + w <= GRID && y + h <= GRID);
    Ok(GridRect { x, y, w, h })
}

fn tag(fields: &mut Fields<'_>, name: &'static str) -> Result<Option<Tag>, String> {
    let read = |text: &str| text.parse::<Tag>().map_err(|wrong| format!("{name} {wrong}"));
    fields.text(name)?.map(read).transpose()
}

#[allow(clippy::cast_possible_truncation, reason = "a number within ±1 times 1000")]
fn pan(fields: &mut Fields<'_>) -> Result<Option<Pan>, String> {
    let read = |value: &Value| match (value.as_str(), value.as_f64()) {
        (Some("auto"), _) => Ok(Pan::Auto),
        (_, Some(from)) if from.abs() <= 1.0 => Ok(Pan::At((from * 1000.0).round() as i16)),
        _ => Err("audio_pan must be auto or a number from -1 to 1".to_owned()),
    };
    fields.take("audio_pan").map(read).transpose()
}
