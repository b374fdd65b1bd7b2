//! Every program of the local stack in one file, so that the test links one: which of them it is, its file's name says.
//! Each is the same function that its own program calls.
#![allow(clippy::print_stderr, reason = "says at the terminal why it does not start")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let file = std::env::current_exe().unwrap_or_default();
    match file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
    {
        "hollowtrees" => hollowtrees_cli::main(std::env::args_os()),
        "hollowtrees-agent" => hollowtrees_agent::main(),
        "hollowtrees-asg-swap" => hollowtrees_asg_swap::main(),
        "hollowtrees-drain" => hollowtrees_drain::main(),
        "hollowtrees-gateway" => hollowtrees_gateway::main(),
        "hollowtrees-lifecycle" => hollowtrees_lifecycle::main(),
        "hollowtrees-metrics" => hollowtrees_metrics::main(),
        "hollowtrees-router" => hollowtrees_router::main(),
        "local-cloud" => hollowtrees_local_cloud::main(),
        other => {
            eprintln!("no program is called `{other}`");
            ExitCode::from(64)
        }
    }
}
