//! Any of the image's programs, by `HOLLOWTREES_PROGRAM`: the same code as their own, at hand for the tests here.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::var("HOLLOWTREES_PROGRAM").as_deref() {
        Ok("hollowtrees") => hollowtrees_cli::main(std::env::args_os()),
        Ok("hollowtrees-agent") => hollowtrees_agent::main(),
        Ok("hollowtrees-asg-swap") => hollowtrees_asg_swap::main(),
        Ok("hollowtrees-drain") => hollowtrees_drain::main(),
        Ok("hollowtrees-gateway") => hollowtrees_gateway::main(),
        Ok("hollowtrees-lifecycle") => hollowtrees_lifecycle::main(),
        Ok("hollowtrees-metrics") => hollowtrees_metrics::main(),
        Ok("hollowtrees-router") => hollowtrees_router::main(),
        _ => ExitCode::from(64),
    }
}
