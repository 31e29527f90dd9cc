//! How much memory the values of a JSON text will take, before they are made: a small text can become a hundred times
//! as much, in one call and so between two looks at what the script holds.

use crate::script::limits;

/// Shorter texts cannot take much.
const LOOK_FROM_BYTES: usize = 16 * 1024;
/// A map takes a node for eleven fields with its first one.
const MAP_BYTES: usize = 512;
/// A list takes room for four items with its first one; every further value has its share of list, map and text.
const VALUE_BYTES: usize = 96;

/// Whether the script may have the values of this text; false when it has to end.
pub(super) fn is_affordable(text: &str) -> bool {
    text.len() < LOOK_FROM_BYTES || limits::reserve(bytes_of_values(text.as_bytes()))
}

/// A bound from above, near enough: signs inside of text count too.
fn bytes_of_values(text: &[u8]) -> usize {
    text.iter().fold(text.len(), |bytes, it| {
        bytes
            + match it {
                b'{' => MAP_BYTES,
                b'[' | b',' => VALUE_BYTES,
                _ => 0,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::live_bytes;

    #[test]
    fn no_text_takes_more_memory_than_was_said() {
        for part in [
            "1",
            "\"a\"",
            "[]",
            "[1]",
            "{}",
            "{\"a\":1}",
            "{\"a\":{\"b\":[]}}",
            "[[[[1]]]]",
            "\"\u{e9}\\n\"",
            "{\"a\":1,\"b\":2}",
        ] {
            let text = format!("[{}]", vec![part; 20_000].join(","));
            let before = live_bytes();
            let value = super::super::parse(&text).unwrap();
            let taken = (live_bytes() - before).cast_unsigned();
            drop(value);
            assert!(taken <= bytes_of_values(text.as_bytes()), "{part}: {taken}");
        }
    }
}
