//! The `hookyard` binary.

use std::process::ExitCode;

/// Scripts and requests allocate a great deal.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hookyard::cli::main()
}
