//! Which processes were killed, and when.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::pipeline::Process;

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
