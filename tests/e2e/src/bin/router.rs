//! The router, as `hollowtrees-router` runs it: built here so that tests have it at hand.

fn main() -> std::process::ExitCode {
    hollowtrees_router::main()
}
