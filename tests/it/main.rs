//! The integration tests, one program: the real binary, from the outside.

#[path = "../support/mod.rs"]
mod support;

mod faults;
