//! The `hookyard` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookyard::cli::main()
}
