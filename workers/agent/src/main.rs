//! `hollowtrees-agent`

fn main() -> std::process::ExitCode {
    hollowtrees_agent::main()
}
