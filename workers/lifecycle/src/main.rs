//! `hollowtrees-lifecycle`

fn main() -> std::process::ExitCode {
    hollowtrees_lifecycle::main()
}
