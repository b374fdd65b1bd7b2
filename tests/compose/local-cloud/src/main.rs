//! `local-cloud`: see the library.

fn main() -> std::process::ExitCode {
    hollowtrees_local_cloud::main()
}
