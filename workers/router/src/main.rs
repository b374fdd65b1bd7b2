//! `hollowtrees-router`

fn main() -> std::process::ExitCode {
    hollowtrees_router::main()
}
