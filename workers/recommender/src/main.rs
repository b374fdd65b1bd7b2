//! `hollowtrees-recommender`

fn main() -> std::process::ExitCode {
    hollowtrees_recommender::main()
}
