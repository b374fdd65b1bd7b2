//! The same tests where each worker is two or three replicas on one bus.
//!
//! Every test of this program that starts its workers in it runs so with `HOLLOWTREES_LIFECYCLE_REPLICAS=2` in its environment. Here
//! are those in which a second one could answer once more what the first has answered: hooks of launches, all faults, and
//! hooks that are held.

use std::process::Command;

use crate::world::REPLICAS;

/// How many, and which tests.
const RUNS: [(&str, &[&str]); 2] = [
    ("2", &["launch::", "faults::", "held::heartbeats_at_half"]),
    (
        "3",
        &[
            "launch::it_is_held",
            "launch::who_sees_no_nodes",
            "faults::an_answer",
            "faults::heartbeats_that_fail",
            "together::dead",
        ],
    ),
];
/// At once: they wait, mostly.
const THREADS: &str = "--test-threads=6";

#[test]
fn two_and_three_replicas_do_what_one_does() {
    // Not of itself.
    if std::env::var_os(REPLICAS).is_some() {
        return;
    }
    for (replicas, tests) in RUNS {
        let mut run = Command::new(std::env::current_exe().unwrap());
        run.args(tests).arg(THREADS).env(REPLICAS, replicas);
        let run = run.output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{replicas} replicas:\n{said}\n{told}");
        for test in tests {
            let ran = said
                .lines()
                .any(|line| line.contains(test) && line.ends_with(" ok"));
            assert!(ran, "{test} is no test:\n{said}");
        }
    }
}
