//! Which processes were killed, and when; and the dice that say it.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::pipeline::Process;

/// The seed of a chaos run: `HOLLOWTREES_CHAOS_SEED`, or by chance; printed, so that the run can be repeated.
#[allow(clippy::print_stdout, reason = "who reads the test's output needs it")]
pub fn seed() -> u64 {
    let given = std::env::var("HOLLOWTREES_CHAOS_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("a seed is a number"));
    println!("seed {seed}: repeat with HOLLOWTREES_CHAOS_SEED={seed}");
    seed
}

/// Processes by their id, with the moment of their end.
#[derive(Debug, Default)]
pub struct Kills(HashMap<String, Instant>);

impl Kills {
    /// Kills a process and notes it.
    pub fn kill(&mut self, process: &Process) {
        let ended = Instant::now();
        self.0
            .extend(process.worker.pid().map(|pid| (pid.to_string(), ended)));
        process.worker.kill();
    }

    /// Whether `process` had been killed by then.
    pub fn before(&self, process: &str, at: Instant) -> bool {
        self.0.get(process).is_some_and(|ended| *ended <= at)
    }
}
