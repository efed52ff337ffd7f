//! Untrusted text, made drawable.
//!
//! in:  any text
//! out: the part of it that can and may be drawn; initials
//!
//! Names come from strangers: control and direction characters are dropped, and length is bounded before anything else is
//! done. Of marks that stand on one another three are kept, which is what languages need; more are there to cover others.

use harfrust::unicode::combining_class;

/// Characters of a name that are looked at, and of those that are kept.
const LOOKED_AT: usize = 256;
const KEPT: usize = 64;
/// Marks kept on one letter: Hebrew has a dot in it, one above and a vowel below.
const MARKS: usize = 3;

/// The text without what cannot or must not be drawn, spaces collapsed, at most [`KEPT`] characters.
pub(super) fn drawable(text: &str) -> String {
    let mut kept = String::new();
    let (mut count, mut marks) = (0, 0);
    for character in text.chars().take(LOOKED_AT) {
        if count == KEPT {
            break;
        }
        if character.is_whitespace() {
            if kept.is_empty() || kept.ends_with(' ') {
                continue;
            }
            kept.push(' ');
        } else if is_joiner(character) {
            // Persian and Indic names are written with them; elsewhere they are nothing, or glue between emoji.
            if !kept.chars().next_back().is_some_and(joins) {
                continue;
            }
            kept.push(character);
        } else if character.is_control() || is_invisible(character) {
            continue;
        } else if is_mark(character) {
            marks += 1;
            // A mark needs a letter to stand on.
            if marks > MARKS || kept.is_empty() || kept.ends_with(' ') {
                continue;
            }
            kept.push(character);
        } else {
            marks = 0;
            kept.push(character);
        }
        count += 1;
    }
    kept.truncate(kept.trim_end_matches(|last: char| last.is_whitespace() || is_joiner(last)).len());
    kept
}

/// Stands on, below or around the letter before it.
pub(super) fn is_mark(character: char) -> bool {
    combining_class(u32::from(character)) != 0
        || matches!(character,
            '\u{488}'..='\u{489}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{eb1}'
            | '\u{eb4}'..='\u{ebc}' | '\u{ec8}'..='\u{ece}' | '\u{1abe}' | '\u{20d0}'..='\u{20f0}')
}

pub(super) fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Its script has letters that join.
fn joins(character: char) -> bool {
    matches!(character, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{1800}'..='\u{18af}')
}

/// Direction marks and overrides, variation selectors, tags, byte order marks.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// First letters of the first and the last word that begin with one, in capitals.
pub(super) fn initials(drawable: &str) -> String {
    let mut letters =
        drawable.split(' ').filter_map(|word| word.chars().next()).filter(|first| first.is_alphanumeric());
    let first = letters.next();
    let last = letters.next_back();
    first.into_iter().chain(last).filter_map(|letter| letter.to_uppercase().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned() {
        let check = |text: &str, expected: &str| assert_eq!(drawable(text), expected, "{text:?}");
        check("Ada Lovelace", "Ada Lovelace");
        check("  Ada \t\n Lovelace ", "Ada Lovelace");
        check("A\u{0}d\u{7}a\u{1b}[31m", "Ada[31m");
        check("\u{202e}evil\u{202c}\u{200b}", "evil");
        check("", "");
        check("\u{200f} \u{200f}", "");
        check(&"x".repeat(10_000), &"x".repeat(KEPT));
        check(&" ".repeat(10_000), "");
    }

    #[test]
    fn marks_do_not_pile_up_and_joiners_stay_where_letters_join() {
        let check = |text: &str, expected: &str| assert_eq!(drawable(text), expected, "{text:?}");
        let pile: String = std::iter::repeat_n('\u{301}', 200).collect();
        check(&format!("a{pile}"), "a\u{301}\u{301}\u{301}");
        check(&format!("a{pile}b"), "a\u{301}\u{301}\u{301}b");
        check(&pile, "");
        check("Nguyê\u{303}n", "Nguyê\u{303}n");
        check("مَّ", "مَّ");
        check("می\u{200c}خواهم", "می\u{200c}خواهم");
        check("a\u{200d}b", "ab");
        check("👩\u{200d}👩", "👩👩");
        check("क\u{200d}", "क");
    }

    #[test]
    fn initials_are_of_the_first_and_last_word() {
        let check = |text: &str, expected: &str| assert_eq!(initials(&drawable(text)), expected, "{text:?}");
        check("Ada Lovelace", "AL");
        check("ada", "A");
        check("Ada de la Lovelace", "AL");
        check("(guest) Ada", "A");
        check("ßeta", "S");
        check("王小明", "王");
        check("🙂", "");
        check("", "");
    }
}
