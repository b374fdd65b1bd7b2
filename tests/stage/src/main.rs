//! Any of the workers, as [`hollowtrees_stage::roles`] is told.

use std::process::ExitCode;

fn main() -> ExitCode {
    hollowtrees_stage::roles::play().unwrap_or(ExitCode::FAILURE)
}
