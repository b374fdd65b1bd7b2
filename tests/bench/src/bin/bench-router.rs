//! The router, as `hollowtrees-router` runs it: a process of its own beside the bench.

fn main() -> std::process::ExitCode {
    hollowtrees_router::main()
}
