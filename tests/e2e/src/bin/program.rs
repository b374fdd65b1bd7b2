//! Any of the workers, or the command line, by `HOLLOWTREES_PROGRAM`: built here so that tests have them at hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::var("HOLLOWTREES_PROGRAM").as_deref() {
        Ok("agent") => hollowtrees_agent::main(),
        Ok("cli") => hollowtrees_cli::main(std::env::args_os()),
        Ok("drain") => hollowtrees_drain::main(),
        Ok("gateway") => hollowtrees_gateway::main(),
        Ok("router") => hollowtrees_router::main(),
        _ => ExitCode::from(64),
    }
}
