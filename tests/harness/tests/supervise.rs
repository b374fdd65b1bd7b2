//! Children end with the process that started them, however it ends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::exit,
    reason = "tests"
)]

use hollowtrees_harness::{Nats, Worker, eventually, try_eventually};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(60);

/// Where the process under test writes the ids of its children and its scratch directory.
const REPORT: &str = "HARNESS_TEST_REPORT";
const THEN: &str = "HARNESS_TEST_THEN";

/// Not a test by itself: what [`ending`] starts, kills, and lets panic.
#[tokio::test]
async fn victim() {
    let Some(report) = std::env::var_os(REPORT) else {
        return;
    };
    let nats = Nats::start().await.unwrap();
    let worker = Worker::builder("sleeper", "/bin/sh")
        .args(["-c", "sleep 1000 & sleep 1000"])
        .start()
        .unwrap();
    // A stopped process must go, too.
    worker.pause().unwrap();
    let root = hollowtrees_harness::scratch::root().unwrap();
    let text = format!(
        "{}\n{}\n{}",
        nats.pid().unwrap(),
        worker.pid().unwrap(),
        root.display()
    );
    std::fs::write(Path::new(&report).with_extension("part"), text).unwrap();
    std::fs::rename(Path::new(&report).with_extension("part"), &report).unwrap();
    match std::env::var(THEN).unwrap().as_str() {
        "panic" => panic!("as asked"),
        "exit" => std::process::exit(3),
        _ => tokio::time::sleep(BOUND * 10).await,
    }
}

async fn ending(then: &str) -> std::process::Output {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(REPORT, &report)
        .env(THEN, then)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let text = eventually("the victim to have started its children", BOUND * 5, async || {
        std::fs::read_to_string(&report)
    })
    .await;
    let [nats, worker, root] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    if then == "kill" {
        for pid in [nats, worker] {
            assert!(Path::new("/proc").join(pid).exists());
        }
        victim.kill().unwrap();
    }
    let output = victim.wait_with_output().unwrap();
    eventually(format!("no child to be left after {then}"), BOUND, async || {
        let left = [nats.parse::<i32>(), worker.parse()]
            .into_iter()
            .filter(|pid| group_runs(*pid.as_ref().unwrap()));
        match left.count() {
            0 => Ok(()),
            count => Err(format!("{count} left")),
        }
    })
    .await;
    eventually("the scratch directory to be gone", BOUND, async || {
        !Path::new(root).exists()
    })
    .await;
    output
}

/// Whether any process of the group is there and no zombie.
fn group_runs(group: i32) -> bool {
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    stats
        .filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok())
        .any(|stat| {
            // pid (name) state parent group ...
            let rest: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
            rest.get(2) == Some(&group.to_string().as_str()) && rest.first() != Some(&"Z")
        })
}

#[tokio::test]
async fn nothing_is_left_of_a_killed_process() {
    ending("kill").await;
}

#[tokio::test]
async fn nothing_is_left_of_a_process_that_exits() {
    assert_eq!(ending("exit").await.status.code(), Some(3));
}

#[tokio::test]
async fn a_panic_shows_the_logs() {
    let output = ending("panic").await;
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("nats-server (running), end of its log"), "{shown}");
    assert!(shown.contains("Server is ready"), "{shown}");
}

#[tokio::test]
async fn a_worker_is_terminated_killed_and_started_again() {
    let script = "trap 'echo bye; exit 7' TERM; echo hello $NAME; while :; do sleep 0.05; done";
    let worker = Worker::builder("greeter", "/bin/sh")
        .args(["-c", script])
        .env("NAME", "moon")
        .start()
        .unwrap();
    worker.logged("hello moon", BOUND).await.unwrap();
    assert_eq!(worker.terminate(BOUND).await.unwrap().code(), Some(7));
    assert!(worker.log().unwrap().contains("bye"));
    assert!(worker.pid().is_none());
    assert!(worker.pause().is_err());

    worker.restart().unwrap();
    let second = worker.pid().unwrap();
    worker.kill();
    assert_eq!(worker.exit_status().unwrap().code(), None);
    assert!(!Path::new("/proc").join(second.to_string()).exists());
}

#[tokio::test]
async fn a_worker_that_ends_instead_of_being_ready_says_so_with_its_log() {
    let worker = Worker::builder("broken", "/bin/sh")
        .args(["-c", "echo no such key; exit 64"])
        .start()
        .unwrap();
    let error = worker
        .ready("http://127.0.0.1:9/readyz", BOUND)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("exit status: 64") && error.contains("no such key"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let error = Worker::builder("router", "/no/such/file")
        .start()
        .unwrap_err()
        .to_string();
    assert_eq!(error, "cannot start router: no file /no/such/file");
}

#[tokio::test]
async fn what_was_awaited_and_seen_is_told() {
    let mut looks = 0;
    let found = eventually("three looks", BOUND, || {
        looks += 1;
        let answer = if looks == 3 {
            Ok(looks)
        } else {
            Err(format!("{looks}"))
        };
        async { answer }
    });
    assert_eq!(found.await, 3);
    let error = try_eventually("rain", Duration::from_millis(20), async || {
        Err::<(), _>("sunshine")
    })
    .await
    .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("in vain for rain; last seen: sunshine"),
        "{error}"
    );
    let error = try_eventually(
        "an answer",
        Duration::from_millis(20),
        std::future::pending::<bool>,
    )
    .await
    .unwrap_err();
    assert!(
        error.to_string().contains("the first look did not end"),
        "{error}"
    );
}
