//! `hollowtrees-drain`

fn main() -> std::process::ExitCode {
    hollowtrees_drain::main()
}
