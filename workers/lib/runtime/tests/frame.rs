//! A process in the frame, as its operator meets it: signals, probes, exit codes.
#![allow(clippy::exit, reason = "the child hands over its exit code")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use hollowtrees_runtime::{Context, Failure, Frame, config, exit::Code};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);

/// What the worker under test does; the defaults are a well-behaved one.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Own {
    drains: bool,
    ready: bool,
    ends: String,
}

impl config::Settings for Own {}

async fn worker(context: Context<Own>) -> Result<(), Failure> {
    let own = &context.config.own;
    let check = context.checks.register("bus");
    if own.ready {
        check.pass();
    } else {
        check.fail("cannot reach NATS");
    }
    if own.ends != "never begins" {
        context.checks.complete();
    }
    match own.ends.as_str() {
        "ok" => return Ok(()),
        "unavailable" => {
            return Err(Failure::new(
                Code::Unavailable,
                "the stream HT_NOTICES is missing; run `hollowtrees bus apply`",
            ));
        }
        "error" => return Err(std::io::Error::other("the engine broke").into()),
        "panic" => panic!("the engine fell over"),
        "critical" => drop(context.critical("lease", async { Ok(()) })),
        "critical panic" => drop(context.critical("lease", async { panic!("the lease fell over") })),
        _ => {}
    }
    context.shutdown.draining().await;
    if !own.drains {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

/// Not a test by itself: the others run it as a child process.
#[test]
fn child() {
    // Nobody's child: the test runner itself.
    let Ok(arguments) = std::env::var("CHILD_ARGUMENTS") else {
        return;
    };
    let defaults = "drains = true\nready = true\nends = 'never'\n";
    let frame = Frame::new("example", "1.2.3")
        .about("an example")
        .defaults(defaults)
        .listen("127.0.0.1:0");
    #[cfg(feature = "multi-thread")]
    let frame = if std::env::var_os("CHILD_MANY").is_some() {
        frame.many_threaded()
    } else {
        frame
    };
    let arguments = arguments.split_whitespace().map(Into::into);
    let code = frame.run_with(arguments, config::environment(), worker);
    std::process::exit(i32::from(code as u8));
}

struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

fn start(env: &[(&str, &str)]) -> Running {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env("CHILD_ARGUMENTS", "")
        .envs(env.iter().copied().collect::<HashMap<_, _>>())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, lines) = mpsc::channel();
    let errors = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || {
        errors
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    Running {
        child,
        lines,
        seen: Vec::new(),
    }
}

impl Running {
    /// The first line that contains `what`; fails with all lines seen.
    fn line(&mut self, what: &str) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            match self
                .lines
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(what) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with {what:?} came; seen: {:#?}", self.seen),
            }
        }
    }

    fn address(&mut self) -> SocketAddr {
        let line = self.line("Health and metrics are served.");
        line.split_once("address=").unwrap().1.trim().parse().unwrap()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Exit code and everything written to standard error.
    fn end(mut self) -> (i32, String) {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.seen.extend(self.lines.iter());
                return (status.code().unwrap_or(-1), self.seen.join("\n"));
            }
            assert!(
                Instant::now() < until,
                "the process did not end; seen: {:#?}",
                self.seen
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Status and body.
fn request(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // In one piece: what is no request is answered at its first bytes, and the connection closed.
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    request(address, "GET", path)
}

/// Waits for this answer: a process answers before its parts have begun.
fn readiness(address: SocketAddr, (status, body): (u16, &str)) {
    let until = Instant::now() + LIMIT;
    loop {
        let found = get(address, "/readyz");
        if found == (status, body.to_owned()) {
            return;
        }
        assert!(
            Instant::now() < until,
            "waited for {body:?}, last seen: {found:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn probes_and_metrics() {
    let mut running = start(&[("HT_READY", "false")]);
    let address = running.address();
    assert_eq!(get(address, "/livez"), (200, "alive\n".to_owned()));
    readiness(address, (503, "bus: cannot reach NATS\n"));
    let (status, metrics) = get(address, "/metrics");
    assert_eq!(status, 200);
    assert!(
        metrics.contains("hollowtrees_build_info{kind=\"example\",version=\"1.2.3\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("process_resident_memory_bytes "), "{metrics}");
    assert_eq!(get(address, "/").0, 404);
    assert_eq!(request(address, "POST", "/livez").0, 405);
    assert_eq!(request(address, "HEAD", "/livez"), (200, String::new()));
    assert_eq!(request(address, "GARBAGE{", "/livez").0, 400);
}

#[test]
fn connections_are_bounded_and_idle_ones_do_not_keep_probes_out_for_ever() {
    let mut running = start(&[]);
    let address = running.address();
    let idle: Vec<_> = (0..32).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(get(address, "/livez").0, 200);
    drop(idle);
}

#[test]
fn nobody_is_ready_whose_parts_have_not_all_begun() {
    let mut running = start(&[("HT_ENDS", "never begins")]);
    let address = running.address();
    assert_eq!(
        get(address, "/readyz"),
        (503, "start: not all parts have begun\n".to_owned())
    );
}

fn drains(env: &[(&str, &str)], signal: &str) {
    let mut running = start(env);
    let address = running.address();
    readiness(address, (200, "ready\n"));
    running.signal(signal);
    running.line("Draining.");
    assert_eq!(get(address, "/readyz"), (503, "draining\n".to_owned()));
    assert_eq!(get(address, "/livez").0, 200);
    let (code, lines) = running.end();
    assert_eq!(code, 0, "{lines}");
    assert!(lines.contains("Drained."), "{lines}");
}

#[test]
fn the_first_signal_drains() {
    drains(&[], "TERM");
    drains(&[], "INT");
}

#[test]
#[cfg(feature = "multi-thread")]
fn the_first_signal_drains_many_threads_too() {
    drains(&[("CHILD_MANY", "1")], "TERM");
}

#[test]
fn the_second_signal_exits_at_once() {
    let mut running = start(&[("HT_DRAINS", "false")]);
    running.address();
    running.signal("TERM");
    running.line("Draining.");
    running.signal("INT");
    let (code, lines) = running.end();
    assert_eq!(code, 130, "{lines}");
    assert!(
        lines.contains("a second signal (SIGINT) ends the process at once"),
        "{lines}"
    );
}

#[test]
fn a_drain_beyond_its_grace_ends() {
    let mut running = start(&[("HT_DRAINS", "false"), ("HT_SHUTDOWN__GRACE", "200ms")]);
    running.address();
    running.signal("TERM");
    let (code, lines) = running.end();
    assert_eq!(code, 75, "{lines}");
    assert!(lines.contains("HT_SHUTDOWN__GRACE"), "{lines}");
}

#[test]
fn ends_without_being_asked_have_codes() {
    for (ends, expected, text) in [
        ("ok", 1, "the worker ended without being asked"),
        ("error", 1, "the worker: the engine broke"),
        (
            "unavailable",
            69,
            "the stream HT_NOTICES is missing; run `hollowtrees bus apply`",
        ),
        ("panic", 1, "the engine fell over"),
        ("critical", 1, "the task `lease` ended without being asked"),
        ("critical panic", 1, "the lease fell over"),
    ] {
        let (code, lines) = start(&[("HT_ENDS", ends)]).end();
        assert_eq!(code, expected, "{ends}: {lines}");
        assert!(lines.contains(text), "{ends}: {lines}");
    }
}

#[test]
fn a_bad_configuration_ends_before_anything_is_bound() {
    let (code, lines) = start(&[("HT_NATS__URLL", "x")]).end();
    assert_eq!(code, 64, "{lines}");
    assert!(
        lines.contains("nats.urll: unknown key; did you mean `nats.url`?"),
        "{lines}"
    );
    assert!(!lines.contains("Starting."), "{lines}");
    let (code, lines) = start(&[("CHILD_ARGUMENTS", "--nonsense")]).end();
    assert_eq!(
        (code, lines.contains("`--nonsense` is not understood")),
        (64, true),
        "{lines}"
    );
}

#[test]
fn a_taken_port_is_named_with_the_key_to_change() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, lines) = start(&[("HT_HEALTH__LISTEN", &address)]).end();
    assert_eq!(code, 69, "{lines}");
    assert!(
        lines.contains(&address) && lines.contains("HT_HEALTH__LISTEN"),
        "{lines}"
    );
}

#[test]
fn what_is_printed() {
    for (arguments, expected) in [
        ("--version", "hollowtrees-example 1.2.3\n"),
        ("--help", "hollowtrees-example: an example"),
        ("--dump-config", "grace = \"25s\" # default"),
        ("--print-defaults", "# How long a drain may take"),
    ] {
        let mut running = start(&[("CHILD_ARGUMENTS", arguments)]);
        let mut printed = String::new();
        running
            .child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut printed)
            .unwrap();
        assert!(printed.contains(expected), "{arguments}: {printed}");
        assert_eq!(running.end().0, 0);
    }
}
