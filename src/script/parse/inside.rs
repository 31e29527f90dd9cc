//! What stands in the `${…}` of a text, as a script of its own: what is around a mistake in it is not what is around the
//! text.

use super::scan::{Kind, Scan};

/// The script with blanks for all but the value in a text that a place is in, so that places stay what they are.
pub(super) fn value_in_text(text: &str, (line, column): (usize, usize)) -> Option<String> {
    let scan = Scan::of(text);
    let it = scan.tokens.get(scan.at(line, column))?;
    let is_inside = (it.line, it.column) < (line, column) && it.text.starts_with('`');
    if it.kind != Kind::Text || !is_inside {
        return None;
    }
    let start = it.text.as_ptr() as usize - text.as_ptr() as usize;
    let place = byte_of(text, line, column)?;
    let from = start + text.get(start..place)?.rfind("${")? + "${".len();
    let to = from + length(&text[from..start + it.text.len()]);
    let blank = |it: char| if it == '\n' { '\n' } else { ' ' };
    let mut masked: String = text[..from].chars().map(blank).collect();
    masked.push_str(&text[from..to]);
    Some(masked)
}

/// Up to the `}` that closes the value, or all.
fn length(value: &str) -> usize {
    let mut depth = 0_usize;
    for (at, it) in value.char_indices() {
        match it {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    value.len()
}

fn byte_of(text: &str, line: usize, column: usize) -> Option<usize> {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.checked_sub(1)?)
        .map(str::len)
        .sum();
    let it = text[before..].lines().next()?;
    let in_line = it
        .char_indices()
        .nth(column.checked_sub(1)?)
        .map_or(it.len(), |(at, _)| at);
    Some(before + in_line)
}
