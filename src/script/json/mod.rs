//! JSON to values of a script and back, with integers that stay what they are.
//!
//! serde's own way turns an integer above `i64` into a float, silently. Here a number that no `i64` and no `f64` holds
//! exactly becomes text, digit by digit as it came.

mod exact;
mod names;
mod read;
mod write;

pub(super) use exact::quote_inexact_numbers;
pub(super) use names::field_names;
pub(super) use read::parse;
pub(super) use write::{map_text, text};
