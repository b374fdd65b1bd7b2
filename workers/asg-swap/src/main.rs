//! `hollowtrees-asg-swap`

fn main() -> std::process::ExitCode {
    hollowtrees_asg_swap::main()
}
