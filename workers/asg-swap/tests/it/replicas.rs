//! The same tests where each worker is two or three replicas on one bus.
//!
//! Every test of this program runs so with `HOLLOWTREES_SWAP_REPLICAS=2` in its environment, and `.ci/run` runs them all with 2 and
//! with 3. With `HOLLOWTREES_SWAP_APART=1` besides, each replica works what comes to it, as where `affinity` is off. Here are those
//! in which that matters: what they share through records, which is limits, shares and leases, and all faults, those that pass
//! with three and those that do not with two, for what is asked again may be asked by another one.

use std::process::Command;

use crate::world::{APART, REPLICAS};

/// How many, and which tests.
const RUNS: [(&str, &[&str]); 2] = [
    (
        "2",
        &["kinds::", "policies::", "together::", "matrix::what_is_refused"],
    ),
    (
        "3",
        &[
            "happy::",
            "policies::an_account",
            "policies::as_many",
            "matrix::whatever_passes",
        ],
    ),
];

#[test]
fn two_and_three_replicas_that_each_work_what_comes_do_what_one_does() {
    // Not of itself.
    if std::env::var_os(REPLICAS).is_some() {
        return;
    }
    for (replicas, tests) in RUNS {
        let mut run = Command::new(std::env::current_exe().unwrap());
        run.args(tests).env(REPLICAS, replicas).env(APART, "1");
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
