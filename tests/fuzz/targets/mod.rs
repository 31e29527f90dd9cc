//! What is tried, one a file.

pub(crate) mod config;
pub(crate) mod envelope;
mod given;
pub(crate) mod path;
pub(crate) mod script;
pub(crate) mod signature;
