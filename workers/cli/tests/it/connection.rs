use std::io::Write;

use hollowtrees_harness::{Nats, nats::User};

use crate::support::{Stage, program, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_is_away_is_said_so() {
    let (stage, _bus) = Stage::set().await;
    stage.nats.kill();
    for line in [
        "bus apply",
        "bus check",
        "notice send --cluster c --instance i",
        "notice list",
        "runs list",
        "runs show i",
        "dead list",
        "dead show 1",
        "dead redrive 1",
        "dead discard 1",
        "watch",
    ] {
        stage
            .run(line)
            .ended(69)
            .complains(&format!("error: cannot reach NATS at {}", stage.nats.url()))
            .complains("set HT_NATS__URL");
    }
    let said = stage.json("runs list").ended(69);
    let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["error"]["code"], 69);

    // A server that is there and says nothing.
    stage.nats.restart().await.unwrap();
    stage.nats.pause().unwrap();
    let mut command = stage.command("runs list");
    command.env("HT_NATS__CONNECT_TIMEOUT", "1s");
    let said = run(command);
    stage.nats.resume().unwrap();
    said.ended(69).complains("error: cannot reach NATS at ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_without_streams_is_said_so() {
    let stage = Stage::bare().await;
    for line in ["notice list", "runs list", "runs show i", "dead list", "watch"] {
        stage
            .run(line)
            .ended(69)
            .complains("were the ")
            .complains("made by `hollowtrees bus apply`?");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_the_workers_are_understood() {
    let nats = Nats::builder()
        .user(User::new("ops", "s3cret"))
        .start()
        .await
        .unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // A worker's file, with keys of its own.
    write!(
        file,
        "cluster = 'prod'\n[rules]\nfile = 'x'\n[nats]\nurl = ['{}']\nuser = 'ops'\npassword = 's3cret'\n",
        nats.url()
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    run(program(&["bus", "apply", "--config", path])).ended(0);

    let mut command = program(&["--url", &nats.url(), "runs", "list"]);
    command
        .env("HT_NATS__USER", "ops")
        .env("HT_NATS__PASSWORD", "s3cret")
        .env("HT_RULES__FILE", "a worker's key is not ours");
    run(command).ended(0).says("no runs");

    let mut command = program(&["runs", "list"]);
    command.env("HT_CONFIG", path).env("HT_NATS__PASSWORD", "wr0ng");
    let said = run(command).ended(69).complains("refused our credentials");
    assert!(!said.err.contains("wr0ng"), "{}", said.err);

    let refused = |command| run(command).ended(2);
    let mut command = program(&["runs", "list"]);
    command.env("HT_NATS__URLL", "x");
    refused(command).complains("nats.urll").complains("HT_NATS__URLL");
    let said = refused(program(&[
        "runs",
        "list",
        "--url",
        "nats://ops:s3cret@127.0.0.1:1",
    ]))
    .complains("use nats.user and nats.password");
    assert!(!said.err.contains("s3cret"), "{}", said.err);
    refused(program(&["runs", "list", "--url", "http://x"])).complains("is not a server's address");
    refused(program(&["runs", "list", "--config", "/nowhere.toml"]))
        .complains("cannot read the file /nowhere.toml");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken() {
    let nats = Nats::builder().tls().start().await.unwrap();
    let mut command = program(&["bus", "apply"]);
    command
        .env("HT_NATS__URL", nats.url())
        .env("HT_NATS__TLS__CA", nats.ca_file().unwrap());
    run(command).ended(0);
    let mut command = program(&["runs", "list"]);
    command.env("HT_NATS__URL", nats.url());
    run(command).ended(69);
}
