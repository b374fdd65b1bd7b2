//! The `hollowtrees` command: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hollowtrees_cli::main(std::env::args_os())
}
