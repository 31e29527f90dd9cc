//! Inputs made at random, for everything that reads what others wrote: Stripe's header and payload, handlers.toml, scripts
//! and events, the paths of calls. Each target says what must hold whatever it is given.
//!
//! `cargo test --test fuzz` tries each target for two seconds, and begins with every file of its corpus.
//!
//! | variable | what it does |
//! |---|---|
//! | `FUZZ_SECONDS=60` | how long each target is tried |
//! | `FUZZ_SEED=7` | where the random numbers begin; the same seed makes the same inputs |
//! | `FUZZ_INPUT=path` | tries this one file, and prints what became of it |
//!
//! An input that fails is made smaller and written below `target/fuzz/`; its path is printed. Once its cause is mended it
//! belongs into `tests/fuzz/corpus/`. An input that ends the whole process stands in `target/fuzz/NAME/running`.

// A test that unwraps fails where it stands; that is what it is for.
#![allow(clippy::unwrap_used)]

mod corpus;
mod driver;
mod mutate;
mod random;
mod smaller;
mod targets;

use driver::fuzz;

#[test]
fn a_signature_is_accepted_only_if_it_is_one() {
    fuzz(&targets::signature::TARGET);
}

#[test]
fn an_envelope_says_what_stands_in_the_payload() {
    fuzz(&targets::envelope::TARGET);
}

#[test]
fn a_configuration_is_sound_or_refused_with_a_place() {
    fuzz(&targets::config::TARGET);
}

#[test]
fn a_script_ends_within_its_limits_and_leaves_nothing_behind() {
    fuzz(&targets::script::TARGET);
}

#[test]
fn a_call_never_leaves_its_service() {
    fuzz(&targets::path::TARGET);
}
