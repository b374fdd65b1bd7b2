//! `hollowtrees-metrics`

fn main() -> std::process::ExitCode {
    hollowtrees_metrics::main()
}
