//! The integration tests, one program: the real binary, from the outside.

// A test that unwraps fails where it stands; that is what it is for.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod calls;
mod clients;
mod commands;
mod contention;
mod crash;
mod dev;
mod disk;
mod effects;
mod faults;
mod folder;
mod hostile;
mod ill;
mod once;
mod power;
mod reload;
mod samples;
mod shares;
mod stuck;
mod tidy;
mod way;
