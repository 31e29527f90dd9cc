//! Reads handlers.toml.
