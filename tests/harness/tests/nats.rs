//! The NATS servers of the harness do what tests will rely on.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::exit,
    reason = "tests"
)]

mod support;

use hollowtrees_harness::nats::{Nats, NatsCluster, User};
use hollowtrees_harness::{eventually, proxy};
use std::time::Duration;
use support::{Client, make_stream, stored};

const BOUND: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_killed_server_comes_back_on_the_same_port_with_its_store() {
    let nats = Nats::start().await.unwrap();
    let (url, addr) = (nats.url(), nats.addr());
    let mut client = Client::connect(addr, "").await.unwrap();
    make_stream(&mut client, 1).await;
    for i in 0..10 {
        let ack = client.request(&format!("s.{i}"), "kept").await.unwrap();
        assert_eq!(ack["seq"], i + 1, "{ack}");
    }

    nats.kill();
    assert!(nats.pid().is_none());
    assert!(client.request("s.lost", "lost").await.is_err());
    assert!(Client::connect(addr, "").await.is_err());

    nats.restart().await.unwrap();
    assert_eq!(nats.url(), url);
    let mut client = Client::connect(addr, "").await.unwrap();
    assert_eq!(stored(&mut client).await.unwrap(), 10);

    nats.stop().await.unwrap();
    nats.restart().await.unwrap();
    let mut client = Client::connect(addr, "").await.unwrap();
    assert_eq!(stored(&mut client).await.unwrap(), 10);
}

#[tokio::test]
async fn a_paused_server_answers_when_it_is_resumed() {
    let nats = Nats::start().await.unwrap();
    let mut client = Client::connect(nats.addr(), "").await.unwrap();
    make_stream(&mut client, 1).await;
    nats.pause().unwrap();
    client.ask("s.x", "x").await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(300), client.reply())
            .await
            .is_err()
    );
    nats.resume().unwrap();
    let ack = tokio::time::timeout(BOUND, client.reply())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ack["seq"], 1);
}

#[tokio::test]
async fn users_may_do_what_they_were_given() {
    let nats = Nats::builder()
        .user(
            User::new("agent", "secret")
                .publish(["ht.notice.v1.prod.>"])
                .subscribe(["_INBOX.>"]),
        )
        .max_payload(4096)
        .start()
        .await
        .unwrap();
    assert!(Client::connect(nats.addr(), "").await.is_err());
    let mut agent = Client::connect(nats.addr(), ",\"user\":\"agent\",\"pass\":\"secret\"")
        .await
        .unwrap();
    agent
        .send("PUB ht.notice.v1.prod.x.i-1 1\r\nx\r\nPUB ht.notice.v1.other.x.i-1 1\r\nx\r\n")
        .await
        .unwrap();
    let refused = agent.reply().await.unwrap_err().to_string();
    assert!(
        refused.contains("Permissions Violation for Publish to \"ht.notice.v1.other"),
        "{refused}"
    );
    agent
        .send(&format!(
            "PUB ht.notice.v1.prod.x.i-1 5000\r\n{}\r\n",
            "x".repeat(5000)
        ))
        .await
        .unwrap();
    let refused = agent.reply().await.unwrap_err().to_string();
    assert!(refused.contains("Maximum Payload"), "{refused}");
    assert!(
        nats.url_for("agent", "secret")
            .contains("//agent:secret@127.0.0.1:")
    );
}

#[tokio::test]
async fn tls_comes_with_an_authority_and_client_certificates() {
    let nats = Nats::builder().mutual_tls().start().await.unwrap();
    assert!(nats.url().starts_with("tls://"));
    assert!(
        std::fs::read_to_string(nats.ca_file().unwrap())
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    let files = nats.client_certificate("agent").unwrap().unwrap();
    assert!(
        std::fs::read_to_string(files.key)
            .unwrap()
            .contains("PRIVATE KEY")
    );
}

#[tokio::test]
async fn a_bad_configuration_is_told_with_the_log() {
    let error = Nats::builder()
        .config("no_such_option: 1")
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("ended at its start"), "{error}");
    assert!(error.contains("no_such_option"), "{error}");
}

#[tokio::test]
async fn a_cluster_survives_the_loss_of_one_server() {
    let cluster = NatsCluster::start(3).await.unwrap();
    assert_eq!(cluster.urls().len(), 3);
    let mut client = Client::connect(cluster.addr(0), "").await.unwrap();
    make_stream(&mut client, 3).await;
    client.request("s.1", "kept").await.unwrap();

    let victim = cluster.leader(0).await.unwrap();
    cluster.kill(victim);
    let other = (victim + 1) % 3;
    let mut client = eventually("a client of another server", BOUND, || {
        Client::connect(cluster.addr(other), "")
    })
    .await;
    // Not until the rest has elected leaders does it accept messages.
    eventually("the rest to store a message", BOUND, async || {
        let mut client = Client::connect(cluster.addr(other), "").await?;
        let ack = tokio::time::timeout(Duration::from_secs(2), client.request("s.2", "kept too")).await??;
        if ack["seq"].as_u64() >= Some(2) {
            Ok(())
        } else {
            Err(std::io::Error::other(ack.to_string()))
        }
    })
    .await;
    cluster.restart(victim).await.unwrap();
    let mut restarted = Client::connect(cluster.addr(victim), "").await.unwrap();
    assert!(stored(&mut restarted).await.unwrap() >= 2);
    assert!(stored(&mut client).await.unwrap() >= 2);
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_is_stored() {
    let nats = Nats::start().await.unwrap();
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let mut client = Client::connect(proxy.addr(), "").await.unwrap();
    make_stream(&mut client, 1).await;
    proxy.lose_replies();
    client.ask("s.x", "x").await.unwrap();
    eventually("the reply to be swallowed", BOUND, async || {
        proxy.bytes_swallowed() > 0
    })
    .await;
    assert!(
        tokio::time::timeout(Duration::from_millis(100), client.reply())
            .await
            .is_err()
    );
    proxy.heal();
    assert!(
        client.reply().await.is_err(),
        "a connection that lost bytes is ended"
    );
    let mut client = Client::connect(proxy.addr(), "").await.unwrap();
    assert_eq!(stored(&mut client).await.unwrap(), 1);
}
