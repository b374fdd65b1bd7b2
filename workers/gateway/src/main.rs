//! `hollowtrees-gateway`

fn main() -> std::process::ExitCode {
    hollowtrees_gateway::main()
}
