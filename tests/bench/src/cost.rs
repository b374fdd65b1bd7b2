//! What a process costs: memory and processor time, as the kernel accounts them.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// A line of `/proc/PID/status`, in KiB: `VmRSS:` for what is resident now, `VmHWM:` for the most that ever was.
pub(crate) fn status(pid: u32, name: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.and_then(|value| value.trim().strip_suffix("kB"));
    Ok(value
        .with_context(|| format!("no {name} of process {pid}"))?
        .trim()
        .parse()?)
}

/// Processor time of all its threads so far: the scheduler's account, finer than the ticks of `stat`.
pub(crate) fn busy(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let spent: u64 = text.split_whitespace().next().context("no schedstat")?.parse()?;
        nanoseconds += spent;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
