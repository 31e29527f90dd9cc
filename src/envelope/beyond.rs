//! What the grammar of JSON allows, and no script can be given. The fields that the host skips are looked at here, so that
//! a payload that is taken for an event is one for its scripts too.

/// As deep as scripts read their event.
const NESTING_MAX: usize = 127;

/// Why no script could read this JSON text, if none could. Most are told by a look at their bytes.
pub(super) fn beyond(text: &str) -> Option<String> {
    let is_bracket = |it: &u8| matches!(it, b'{' | b'[');
    if NESTING_MAX < text.bytes().filter(is_bracket).count() && NESTING_MAX < depth_of(text) {
        return Some(format!("it nests deeper than {NESTING_MAX} levels"));
    }
    if has_half_of_a_character(text) {
        return Some("it holds half of a character (`\\ud800` to `\\udfff` alone)".into());
    }
    None
}

fn depth_of(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(it) = bytes.next() {
        match it {
            b'"' => skip_text(&mut bytes),
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn skip_text(bytes: &mut std::str::Bytes<'_>) {
    while let Some(it) = bytes.next() {
        match it {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// Characters beyond the first 65,536 are escaped as two halves, the higher one first.
fn has_half_of_a_character(text: &str) -> bool {
    let mut is_lower_awaited = false;
    let mut rest = text;
    // A backslash stands in texts only, and always with what it escapes.
    while let Some(at) = rest.find('\\') {
        let escaped = rest[at + 1..].chars().next().map_or(0, char::len_utf8);
        let unit = rest
            .get(at + 2..at + 6)
            .filter(|_| rest[at + 1..].starts_with('u'))
            .and_then(|it| u16::from_str_radix(it, 16).ok());
        let is_next_to_it = at == 0;
        match unit {
            Some(0xdc00..=0xdfff) if is_lower_awaited && is_next_to_it => is_lower_awaited = false,
            Some(0xd800..=0xdbff) if !is_lower_awaited => is_lower_awaited = true,
            Some(0xd800..=0xdfff) => return true,
            Some(_) | None if is_lower_awaited => return true,
            Some(_) | None => {}
        }
        rest = &rest[at + 1 + escaped + if unit.is_some() { 4 } else { 0 }..];
    }
    is_lower_awaited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, why: Option<&str>) {
        let found = beyond(text);
        assert_eq!(found.is_some(), why.is_some(), "{text}: {found:?}");
        assert!(found.unwrap_or_default().contains(why.unwrap_or_default()));
    }

    #[test]
    fn what_nests_deeper_than_scripts_read_is_beyond_them() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!("{open}\"\\\"[[[[\"{close}")
        };
        check(&nested(127), None);
        check(&nested(128), Some("deeper than 127"));
        check(&"[],".repeat(1000), None);
    }

    #[test]
    fn half_of_a_character_is_beyond_them() {
        for it in [
            r#""\ud83d\ude00""#,
            r#""\\ud800""#,
            r#""a\u00e9\n\uD83D\uDE00\uD83D\uDE00""#,
        ] {
            check(it, None);
        }
        for it in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\n\ude00""#,
            r#""\ud83d\ud83d\ude00""#,
            r#""\ud83d ","\ude00""#,
            r#""\\\ud800""#,
        ] {
            check(it, Some("half of a character"));
        }
    }
}
