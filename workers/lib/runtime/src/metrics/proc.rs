//! The `process_*` metrics every Prometheus client exports, from `/proc/self`.
//!
//! The `prometheus` crate's own collector brings a dozen crates; this is what it reads.

use super::{Definition, Error, Metrics};

const RESIDENT: Definition =
    Definition::new("process_resident_memory_bytes", "Resident memory size in bytes.");
const VIRTUAL: Definition = Definition::new("process_virtual_memory_bytes", "Virtual memory size in bytes.");
const OPEN_FILES: Definition = Definition::new("process_open_fds", "Number of open file descriptors.");
const MOST_FILES: Definition = Definition::new("process_max_fds", "Maximum number of open file descriptors.");
const THREADS: Definition = Definition::new("process_threads", "Number of threads.");
const STARTED: Definition = Definition::new(
    "process_start_time_seconds",
    "Start of the process since the Unix epoch in seconds.",
);
const CPU: Definition = Definition::new(
    "process_cpu_seconds_total",
    "User and system time spent in seconds.",
);

/// Linux counts processor time for user space in hundredths of a second on every architecture it runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn register(metrics: &Metrics) -> Result<(), Error> {
    let resident = metrics.gauge(RESIDENT)?;
    let virtual_size = metrics.gauge(VIRTUAL)?;
    let open = metrics.gauge(OPEN_FILES)?;
    let most = metrics.gauge(MOST_FILES)?;
    let threads = metrics.gauge(THREADS)?;
    let cpu = prometheus::Counter::new(CPU.name, CPU.help)?;
    metrics.registry.register(Box::new(cpu.clone()))?;
    if let Some(start) = start_time() {
        metrics.gauge(STARTED)?.set(start);
    }
    if let Some(limit) = read("limits").as_deref().and_then(max_open_files) {
        most.set(limit);
    }
    metrics.before_scrape(move || {
        if let Some(status) = read("status") {
            let number = |key| status_number(&status, key);
            resident.set(number("VmRSS:").map_or(0.0, |kib| kib * 1024.0));
            virtual_size.set(number("VmSize:").map_or(0.0, |kib| kib * 1024.0));
            threads.set(number("Threads:").unwrap_or(0.0));
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            // Less the one that reads them.
            open.set(files.count().saturating_sub(1) as f64);
        }
        if let Some([user, system]) = read("stat").as_deref().and_then(|stat| fields(stat, [14, 15])) {
            cpu.inc_by(((user + system) / TICKS_PER_SECOND - cpu.get()).max(0.0));
        }
    });
    Ok(())
}

fn read(name: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/self/{name}")).ok()
}

fn status_number(status: &str, key: &str) -> Option<f64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Fields of `/proc/self/stat`, numbered from 1 as proc(5) does; the second may hold blanks and brackets.
fn fields<const N: usize>(stat: &str, numbers: [usize; N]) -> Option<[f64; N]> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut found = [0.0; N];
    for (slot, number) in found.iter_mut().zip(numbers) {
        *slot = after_name
            .split_whitespace()
            .nth(number.checked_sub(3)?)?
            .parse()
            .ok()?;
    }
    Some(found)
}

fn max_open_files(limits: &str) -> Option<f64> {
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

fn start_time() -> Option<f64> {
    let [started] = fields(&read("stat")?, [22])?;
    let kernel = std::fs::read_to_string("/proc/stat").ok()?;
    Some(status_number(&kernel, "btime")? + started / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "42 (a) b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 12345 1000 200";
        assert_eq!(fields(stat, [14, 15, 22]), Some([250.0, 50.0, 12345.0]));
        assert_eq!(fields("nonsense", [14]), None);
    }
}
