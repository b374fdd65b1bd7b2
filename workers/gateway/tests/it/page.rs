//! The examples of `docs/sources.md` work as they stand.

use std::process::Command;

use crate::{process::Process, world::World};

const PAGE: &str = include_str!("../../../../docs/sources.md");
const ADDRESS: &str = "http://127.0.0.1:9191";

/// The `curl` commands of the page's part about the gateway.
fn commands() -> Vec<String> {
    let part = PAGE
        .split("\n## ")
        .find(|part| part.starts_with("Gateway\n"))
        .unwrap();
    let blocks = part.split("\n\n").filter(|block| block.starts_with("    curl "));
    blocks.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_curl_command_of_the_page_is_taken() {
    let commands = commands();
    assert_eq!(commands.len(), 3, "{commands:?}");
    if Command::new("curl").arg("--version").output().is_err() {
        hollowtrees_harness::Missing::Curl.skip("curl is missing; install the package `curl`");
        return;
    }
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    for command in commands {
        assert!(command.contains(ADDRESS), "{command}");
        let here = command.replace(ADDRESS, &process.url(""));
        let said = Command::new("sh")
            .args([
                "-c",
                &format!("{} --silent --show-error --fail-with-body", here.trim()),
            ])
            .output()
            .unwrap();
        assert!(said.status.success(), "{command}: {said:?}");
    }
    let kinds: Vec<_> = world
        .notices()
        .await
        .into_iter()
        .map(|notice| notice.data.kind)
        .collect();
    assert_eq!(
        kinds,
        ["alert", "spot-interruption"],
        "the last is the second in another mode"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_of_the_page_are_read() {
    let world = World::new().await;
    let yaml = PAGE
        .split("```yaml\n")
        .find(|block| block.starts_with("version: 1\nclients:"))
        .unwrap();
    let yaml = yaml.split("```").next().unwrap().replace("\"...\"", "a-password");
    let directory = hollowtrees_harness::scratch::directory("clients").unwrap();
    let clients = directory.path().join("clients.yaml");
    std::fs::write(&clients, yaml).unwrap();
    let process = Process::start(&world, &[("HT_AUTH__CLIENTS", clients.to_str().unwrap())]).await;
    let headers = [("authorization", "Bearer 8f14e45fceea167a5a36dedd4bea2543")];
    assert_eq!(process.post("/api/v2/alerts", &headers, "[]").await.0, 200);
    assert_eq!(process.post("/events", &headers, "[]").await.0, 403);
}
