//! JSON to values of a script and back, with integers that stay what they are.
//!
//! serde's own way turns an integer above `i64` into a float, silently. Here a number that no `i64` and no `f64` holds
//! exactly becomes text, digit by digit as it came.

mod exact;
mod names;
mod read;
mod size;
mod write;

pub(super) use exact::{is_json, quote_inexact_numbers};
pub(super) use names::field_names;
pub(super) use write::{is_kept_as_it_is, map_text, text};

use rhai::Dynamic;
use serde::de::Error;

/// JSON text as values that the script may change, if it may have that much.
pub(super) fn parse(text: &str) -> Result<Dynamic, serde_json::Error> {
    if size::is_affordable(text) {
        read::parse(text)
    } else {
        Err(serde_json::Error::custom("it takes too much memory"))
    }
}
