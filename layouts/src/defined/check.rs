//! What must hold among the slots of a definition.

use serde_json::Value;

use super::{Refusal, slot};
use crate::position::Position;
use crate::slots::{Holds, Slot};

/// The slots in their order, if they are right together.
pub(super) fn slots(values: &[Value]) -> Result<Vec<Slot>, Refusal> {
    let mut slots: Vec<Slot> = Vec::new();
    for (number, value) in (1..).zip(values) {
        let refuse = |reason| Refusal::at(place(number, value), reason);
        let slot = slot::slot(value).map_err(refuse)?;
        if let Some(reason) = (1..).zip(&slots).find_map(|other| conflict(&slot, other)) {
            return Err(refuse(reason));
        }
        slots.push(slot);
    }
    if slots.is_empty() {
        return Err(Refusal::whole("slots is empty"));
    }
    if !slots.iter().any(takes_a_member) {
        return Err(Refusal::whole("no slot can take a member"));
    }
    for (name, number) in
        [("standard", Slot::standard_number as NumberOf), ("reserved", Slot::reserved_number)]
    {
        let mut numbers: Vec<u16> = slots.iter().filter_map(number).collect();
        numbers.sort_unstable();
        if let Some((missing, _)) = (1..).zip(numbers).find(|(expected, found)| expected != found) {
            return Err(Refusal::whole(format!(
                "{name}-{missing} is missing: numbers begin at 1 and leave none out"
            )));
        }
    }
    Ok(slots)
}

type NumberOf = fn(&Slot) -> Option<u16>;

impl Slot {
    fn standard_number(&self) -> Option<u16> {
        if let Position::Standard(number) = self.position { Some(number) } else { None }
    }

    fn reserved_number(&self) -> Option<u16> {
        if let Position::Reserved(number) = self.position { Some(number) } else { None }
    }
}

/// Which slot, for people.
fn place(number: usize, value: &Value) -> String {
    match value.get("position").and_then(Value::as_str) {
        Some(position) => {
            let position: String = position.chars().take(40).collect();
            format!("slot {number} ({position:?})")
        }
        None => format!("slot {number}"),
    }
}

fn conflict(slot: &Slot, (number, other): (usize, &Slot)) -> Option<String> {
    if slot.position == other.position {
        return Some(format!("slot {number} has the same position"));
    }
    let may_overlap = slot.overlay || other.overlay || slot.z != other.z;
    (!may_overlap && slot.rect.overlaps(other.rect)).then(|| {
        format!(
            "overlaps slot {number} ({}), and neither is an overlay nor do their z differ",
            other.position
        )
    })
}

fn takes_a_member(slot: &Slot) -> bool {
    let follows_others = matches!(slot.holds, Holds::Screen | Holds::ScreenAlone | Holds::Playback);
    slot.position != Position::Screen && !(slot.only && follows_others)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{define, define_all, define_what_can_be};
    use super::*;
    use crate::catalogue::LayoutId;

    fn slot(position: &str, x: u32, y: u32) -> Value {
        json!({"position": position, "x": x, "y": y, "w": 90, "h": 90})
    }

    fn with(slots: &[Value]) -> Value {
        json!({"name": "news", "slots": slots})
    }

    fn changed(field: &str, value: Value) -> Value {
        let mut definition = with(&[slot("reserved-1", 0, 0), slot("standard-1", 90, 0)]);
        definition["slots"][1][field] = value;
        definition
    }

    fn check(definition: &Value, expected: &str) {
        let said = define(definition, &[]).map_or_else(|refusal| refusal.to_string(), |_| String::new());
        assert!(
            if expected.is_empty() { said.is_empty() } else { said.contains(expected) },
            "{definition}: {said:?}, and not {expected:?}"
        );
    }

    #[test]
    fn the_definition_of_the_manual_is_a_layout() {
        check(
            &json!({ "name": "news", "title": "News", "canvas": "16:9", "background": "#101820",
              "slots": [
                { "position": "reserved-1", "x": "0", "y": "0", "w": "2/3", "h": "2/3", "follow": "floor" },
                { "position": "standard-1", "x": "2/3", "y": "0", "w": "1/3", "h": "1/3", "fit": "cover" } ],
              "playback": { "x": "0", "y": "0", "w": "2/3", "h": "2/3" } }),
            "",
        );
    }

    #[test]
    fn each_slot_is_judged_and_named() {
        let at = r#"slot 2 ("standard-1"): "#;
        let cases = [
            ("x", json!("3/4"), "".to_owned()),
            ("x", json!(271), format!("{at}its right edge is outside the canvas")),
            ("y", json!("0.76"), format!("{at}its lower edge is outside the canvas")),
            ("x", Value::Null, format!("{at}x is missing")),
            ("x", json!(0.5), format!("{at}x must be a part as text")),
            ("w", json!("1/61"), format!("{at}w is less than 1/60 of the canvas")),
            ("h", json!(0), format!("{at}h is less than 1/60 of the canvas")),
            ("h", json!(6), "".to_owned()),
            ("x", json!(89), format!("{at}overlaps slot 1 (reserved-1)")),
            (
                "position",
                json!("reserved-1"),
                r#"slot 2 ("reserved-1"): slot 1 has the same position"#.to_owned(),
            ),
            ("position", json!("auto"), r#"slot 2 ("auto"): position must be standard-N"#.to_owned()),
            ("position", json!("standard-3"), "standard-1 is missing".to_owned()),
            ("position", json!("reserved-3"), "reserved-2 is missing".to_owned()),
            ("position", json!(7), "slot 2: position must be text".to_owned()),
            ("fit", json!("stretch"), format!("{at}fit must be one of contain, cover, auto")),
            ("follow", json!("me"), format!("{at}follow must be one of none, floor, screen, playback")),
            ("only", json!("yes"), format!("{at}only must be true or false")),
            ("only", json!(true), format!("{at}takes only whom it follows")),
            ("reservation", json!("two words"), format!("{at}reservation must be 1 to 32")),
            ("role", json!("host"), "".to_owned()),
            ("border", json!(51), format!("{at}border must be a whole number, 0 to 50")),
            ("z", json!(1.5), format!("{at}z must be a whole number")),
            ("audio_pan", json!("left"), format!("{at}audio_pan must be auto")),
            ("audio_pan", json!(-1.01), format!("{at}audio_pan must be auto")),
            ("audio_pan", json!(-0.5), "".to_owned()),
            ("colour", json!("red"), format!(r#"{at}"colour" is not known here"#)),
        ];
        for (field, value, expected) in cases {
            check(&changed(field, value), &expected);
        }
    }

    #[test]
    fn slots_overlap_by_order_or_as_overlays_only() {
        for (field, value) in [("overlay", json!(true)), ("z", json!(1))] {
            let mut definition = changed(field, value);
            definition["slots"][1]["x"] = json!(10);
            check(&definition, "");
        }
    }

    #[test]
    fn the_whole_is_judged() {
        let good = with(&[slot("standard-1", 0, 0)]);
        let and = |field: &str, value: Value| {
            let mut definition = good.clone();
            definition[field] = value;
            definition
        };
        check(&good, "");
        check(&json!([]), "must be an object");
        check(&with(&[]), "slots is empty");
        check(&json!({"name": "news"}), "slots are missing");
        check(&and("name", Value::Null), "name is missing");
        for name in ["", "News", "a b", "group:x", "ä", &"x".repeat(65)] {
            check(&and("name", json!(name)), "name must be 1 to 64");
        }
        for name in ["2x2", "1up_top_left+5", "grid-zoom"] {
            check(&and("name", json!(name)), "is a built-in layout");
        }
        check(&and("title", json!("x".repeat(101))), "title is longer than 100");
        check(&and("canvas", json!("16x9")), "canvas must be");
        check(&and("canvas", json!("0:9")), "canvas must be");
        check(&and("background", json!("#12345")), "background must be #rrggbb");
        check(&and("background", json!("#12345ä")), "background must be #rrggbb");
        check(&and("background", json!("Sea.png")), "background must be #rrggbb or the name of an image");
        check(&and("foreground", json!("#102030")), "foreground must be the name of an image");
        check(&and("playback", json!({"x": 0, "y": 0, "w": 361, "h": 1})), "playback: ");
        check(&and("duplicate_floor", json!(1)), "duplicate_floor must be true or false");
        check(&and("screen_fallback", json!("black")), "screen_fallback must be one of floor, empty");
        check(&and("layouts", json!(["1x1"])), "has both slots and layouts");
        check(&and("slot", json!([])), "\"slot\" is not known here");
        check(&and("slots", json!(vec![slot("standard-1", 0, 0); 257])), "slots has 257 entries");
        let screen =
            json!({"position": "screen", "x": 0, "y": 0, "w": 90, "h": 90, "only": true, "follow": "screen"});
        check(&with(&[screen]), "no slot can take a member");
    }

    #[test]
    fn of_several_each_is_named_and_groups_come_in_any_order() {
        let good = |name: &str| json!({"name": name, "slots": [slot("standard-1", 0, 0)]});
        let group = json!({"name": "any", "layouts": ["b", "a"]});
        let all = define_all(&[group.clone(), good("a"), good("b")], &[]).unwrap();
        assert_eq!(all.iter().map(LayoutId::name).collect::<Vec<_>>(), ["any", "a", "b"]);
        let said = |definitions: &[Value]| define_all(definitions, &[]).unwrap_err().to_string();
        assert_eq!(said(&[good("a"), good("a")]), r#"layout 2 ("a"): another has the same name"#);
        let mut bad = good("b");
        bad["slots"][0]["w"] = json!(0);
        assert_eq!(
            said(&[good("a"), bad.clone()]),
            r#"layout 2 ("b"), slot 1 ("standard-1"): w is less than 1/60 of the canvas"#
        );
        assert!(said(&vec![good("a"); 65]).contains("at most 64"));
        // What cannot be read is left out, and the groups that name it.
        let left = define_what_can_be(&[group, good("a"), bad], &[]);
        assert_eq!(left.iter().map(LayoutId::name).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_group_ascends_and_names_what_there_is() {
        let group = |names: &[&str]| json!({"name": "mine", "layouts": names});
        let news = define(&with(&[slot("standard-1", 0, 0), slot("standard-2", 90, 0)]), &[]).unwrap();
        let known = [news];
        for (names, expected) in [
            (&["1x1", "news", "3x3"][..], ""),
            (&["news", "1x1"][..], "layouts must ascend, and 1x1 seats fewer"),
            (&["old"], "\"old\" is not a layout"),
            (&["grid-responsive"], "grid-responsive is a group itself"),
            (&[], "layouts is empty"),
        ] {
            let said =
                define(&group(names), &known).map_or_else(|wrong| wrong.to_string(), |_| String::new());
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{names:?}: {said}");
        }
        let mine = define(&group(&["1x1", "news"]), &known).unwrap();
        let all = [&known[..], std::slice::from_ref(&mine)].concat();
        assert_eq!(LayoutId::find("group:mine", &all), Some(mine.clone()));
        assert_eq!(LayoutId::find("mine", &all), Some(mine));
        assert_eq!(LayoutId::find("group:news", &all), None);
        assert_eq!(LayoutId::find("news", &all), Some(known[0].clone()));
        assert_eq!(LayoutId::find("2x2", &all), LayoutId::by_name("2x2"));
    }
}
