//! Layouts that somebody defines: a room's own, or a project's.
//!
//! in:  a definition as JSON values, the layouts that are defined already
//! out: a layout, or the slot and the reason why there is none
//!
//! ```json
//! { "name": "news", "title": "News", "canvas": "16:9", "background": "#101820",
//!   "slots": [
//!     { "position": "reserved-1", "x": "0",   "y": "0", "w": "2/3", "h": "2/3", "follow": "floor" },
//!     { "position": "standard-1", "x": "2/3", "y": "0", "w": "1/3", "h": "1/3", "fit": "cover" } ],
//!   "playback": { "x": "0", "y": "0", "w": "2/3", "h": "2/3" } }
//! { "name": "news-any", "layouts": ["1x1", "news"] }
//! ```
//!
//! A bad definition is refused whole. Nothing in it decides how much memory it takes beyond [`MAX_SLOTS`] and
//! [`MAX_GROUP`].

mod check;
mod fields;
mod measure;
mod slot;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::catalogue::LayoutId;
use crate::grid::GridRect;
use crate::layer::Rgb;
use crate::plan::{Options, Plan};
use crate::slots::Slot;
use fields::Fields;

/// Most slots of one layout.
pub const MAX_SLOTS: usize = 256;
/// Most layouts in a group.
pub const MAX_GROUP: usize = 64;
/// Most layouts that one room, or one project, defines.
pub const MAX_DEFINED: usize = 64;
/// Longest name in bytes, longest title in characters.
const MAX_NAME: usize = 64;
const MAX_TITLE: usize = 100;

/// Names of the images behind and over all slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grounds {
    /// Behind; where a slot is it is covered.
    pub background: Option<Arc<str>>,
    /// Over everything.
    pub foreground: Option<Arc<str>>,
}

/// A layout that somebody defined, checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Defined {
    name: String,
    shape: Shape,
    playback: GridRect,
    background: Option<Rgb>,
    images: Grounds,
    aspect: Option<(u32, u32)>,
    options: Options,
    source: Value,
}

#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Slots(Vec<Slot>),
    /// In ascending order, at least one.
    Group(Vec<Plan>),
}

/// Why a definition is no layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which of several definitions, from 1.
    pub number: Option<usize>,
    /// Where in it: a slot by its number and position, or the playback layer; nothing for the whole.
    pub place: Option<String>,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    fn whole(reason: impl Into<String>) -> Self {
        Self { number: None, place: None, reason: reason.into() }
    }

    fn at(place: impl Into<String>, reason: String) -> Self {
        Self { number: None, place: Some(place.into()), reason }
    }

    /// Of one among several.
    fn within(self, number: usize, definition: &Value) -> Self {
        let name: String = definition
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .chars()
            .take(MAX_NAME)
            .collect();
        let layout = format!("layout {number} ({name:?})");
        let place = self.place.map_or(layout.clone(), |place| format!("{layout}, {place}"));
        Self { number: Some(number), place: Some(place), reason: self.reason }
    }
}

/// Reads a definition. `known` are the layouts beside those of this build that a group may name.
///
/// # Errors
///
/// What is wrong with it, and in which slot.
pub fn define(definition: &Value, known: &[LayoutId]) -> Result<LayoutId, Refusal> {
    let mut fields = Fields::of(definition).map_err(Refusal::whole)?;
    let layout = read(&mut fields, definition, known)?;
    fields.nothing_else().map_err(Refusal::whole)?;
    Ok(LayoutId::of_defined(layout))
}

/// Reads several, of which groups may name others in any order. `known` are layouts they may name beside.
///
/// # Errors
///
/// What is wrong, in which of them, and in which slot.
pub fn define_all(definitions: &[Value], known: &[LayoutId]) -> Result<Vec<LayoutId>, Refusal> {
    if definitions.len() > MAX_DEFINED {
        return Err(Refusal::whole(format!(
            "are {}, and at most {MAX_DEFINED} are allowed",
            definitions.len()
        )));
    }
    let mut all: Vec<(usize, LayoutId)> = Vec::new();
    let is_group = |definition: &Value| definition.get("layouts").is_some();
    for groups in [false, true] {
        for (number, definition) in definitions.iter().enumerate().filter(|(_, one)| is_group(one) == groups)
        {
            let known: Vec<LayoutId> = all.iter().map(|(_, own)| own).chain(known).cloned().collect();
            let layout =
                define(definition, &known).map_err(|refusal| refusal.within(number + 1, definition))?;
            if all.iter().any(|(_, other)| other.name() == layout.name()) {
                return Err(Refusal::whole("another has the same name").within(number + 1, definition));
            }
            all.push((number, layout));
        }
    }
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, layout)| layout).collect())
}

/// Those of them that can be read, for what was written under other circumstances.
#[must_use]
pub fn define_what_can_be(definitions: &[Value], known: &[LayoutId]) -> Vec<LayoutId> {
    let mut readable = definitions.to_vec();
    while let Err(refusal) = define_all(&readable, known) {
        match refusal.number {
            Some(number) if number <= readable.len() => drop(readable.remove(number - 1)),
            Some(_) | None => readable.truncate(readable.len().saturating_sub(1).min(MAX_DEFINED)),
        }
    }
    define_all(&readable, known).unwrap_or_default()
}

fn read(fields: &mut Fields<'_>, definition: &Value, known: &[LayoutId]) -> Result<Defined, Refusal> {
    let whole = Refusal::whole;
    let name =
        fields.text("name").and_then(|name| name.ok_or("name is missing".to_owned())).map_err(whole)?;
    check_name(name).map_err(whole)?;
    if fields.text("title").map_err(whole)?.is_some_and(|title| title.chars().count() > MAX_TITLE) {
        return Err(whole(format!("title is longer than {MAX_TITLE} characters")));
    }
    let aspect = fields.text("canvas").map_err(whole)?.map(aspect).transpose().map_err(whole)?;
    let behind = fields.text("background").map_err(whole)?.map(ground).transpose().map_err(whole)?;
    let (background, behind) = match behind {
        Some(Behind::Colour(colour)) => (Some(colour), None),
        Some(Behind::Image(image)) => (None, Some(image)),
        None => (None, None),
    };
    let over = fields.text("foreground").map_err(whole)?.map(image).transpose().map_err(whole)?;
    let images = Grounds { background: behind, foreground: over };
    let options = Options {
        compact: fields.flag("compact").map_err(whole)?.unwrap_or(false),
        duplicate_floor: fields.flag("duplicate_floor").map_err(whole)?.unwrap_or(false),
        screen_alone: fields
            .word("screen_fallback", &[("floor", false), ("empty", true)])
            .map_err(whole)?
            .unwrap_or(false),
        solo_stays: false,
    };
    let playback = match fields.take("playback") {
        None => GridRect::WHOLE,
        Some(value) => slot::rectangle_alone(value).map_err(|reason| Refusal::at("playback", reason))?,
    };
    let slots = fields.list("slots", MAX_SLOTS).map_err(whole)?;
    let group = fields.list("layouts", MAX_GROUP).map_err(whole)?;
    let shape = match (slots, group) {
        (Some(slots), None) => Shape::Slots(check::slots(slots)?),
        (None, Some(names)) => Shape::Group(members(names, known).map_err(whole)?),
        (Some(_), Some(_)) => return Err(whole("has both slots and layouts".to_owned())),
        (None, None) => return Err(whole("slots are missing".to_owned())),
    };
    let source = definition.clone();
    Ok(Defined { name: name.to_owned(), shape, playback, background, images, aspect, options, source })
}

fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+_-".contains(&b);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
        return Err(format!("name must be 1 to {MAX_NAME} of a-z, 0-9, +, _ and -"));
    }
    if LayoutId::by_name(name).is_some() {
        return Err(format!("{name} is a built-in layout"));
    }
    Ok(())
}

/// `16:9`.
fn aspect(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse().ok().filter(|side| (1..=100).contains(side));
    text.split_once(':')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| "canvas must be width:height, as in 16:9, each 1 to 100".to_owned())
}

/// `#rrggbb`.
fn colour(text: &str) -> Result<Rgb, String> {
    let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()));
    let channel = |at: usize| u8::from_str_radix(digits?.get(at..at + 2)?, 16).ok();
    match (channel(0), channel(2), channel(4)) {
        (Some(red), Some(green), Some(blue)) => Ok(Rgb(red, green, blue)),
        _ => Err("background must be #rrggbb or the name of an image".to_owned()),
    }
}

/// What a layout has behind its slots.
enum Behind {
    Colour(Rgb),
    Image(Arc<str>),
}

fn ground(text: &str) -> Result<Behind, String> {
    if is_image_name(text) { Ok(Behind::Image(text.into())) } else { colour(text).map(Behind::Colour) }
}

fn image(text: &str) -> Result<Arc<str>, String> {
    let reason = || format!("foreground must be the name of an image: 1 to {MAX_NAME} of a-z, 0-9, _ and -");
    is_image_name(text).then(|| text.into()).ok_or_else(reason)
}

/// Whether an image can have that name; whether there is one of it is not known here.
#[must_use]
pub fn is_image_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_plain)
}

fn members(names: &[Value], known: &[LayoutId]) -> Result<Vec<Plan>, String> {
    let mut plans: Vec<Plan> = Vec::new();
    for name in names {
        let name = name.as_str().ok_or("layouts must be names")?;
        let shown: String = name.chars().take(MAX_NAME).collect();
        let layout = LayoutId::find(name, known).ok_or_else(|| format!("{shown:?} is not a layout"))?;
        let plan = layout.only_plan().ok_or_else(|| format!("{name} is a group itself"))?;
        if plans.last().is_some_and(|before| before.seats() > plan.seats()) {
            return Err(format!("layouts must ascend, and {name} seats fewer than the one before it"));
        }
        plans.push(plan);
    }
    if plans.is_empty() { Err("layouts is empty".to_owned()) } else { Ok(plans) }
}

impl LayoutId {
    /// The layout of that name, of this build or of `defined`.
    #[must_use]
    pub fn find(name: &str, defined: &[Self]) -> Option<Self> {
        let is_named = |layout: &&Self| {
            let is_group = || layout.only_plan().is_none();
            layout.name() == name
                || name.strip_prefix("group:").is_some_and(|n| layout.name() == n && is_group())
        };
        Self::by_name(name).or_else(|| defined.iter().find(is_named).cloned())
    }
}

impl Defined {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn source(&self) -> &Value {
        &self.source
    }

    pub(crate) fn background(&self) -> Option<Rgb> {
        self.background
    }

    pub(crate) fn images(&self) -> &Grounds {
        &self.images
    }

    pub(crate) fn aspect(&self) -> Option<(u32, u32)> {
        self.aspect
    }

    pub(crate) fn options(&self) -> Options {
        self.options
    }

    pub(crate) fn playback(&self) -> GridRect {
        self.playback
    }

    /// Its own slots; none of a group.
    pub(crate) fn slots(&self) -> &[Slot] {
        match &self.shape {
            Shape::Slots(slots) => slots,
            Shape::Group(_) => &[],
        }
    }

    pub(crate) fn plans(this: &Arc<Self>) -> Vec<Plan> {
        match &this.shape {
            Shape::Slots(_) => vec![Plan::Defined(Arc::clone(this))],
            Shape::Group(plans) => plans.clone(),
        }
    }

    pub(crate) fn only_plan(this: &Arc<Self>) -> Option<Plan> {
        match &this.shape {
            Shape::Slots(_) => Some(Plan::Defined(Arc::clone(this))),
            Shape::Group(_) => None,
        }
    }
}
