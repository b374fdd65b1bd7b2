//! The drain worker, as `hollowtrees-drain` runs it: a process of its own beside the bench.

fn main() -> std::process::ExitCode {
    hollowtrees_drain::main()
}
