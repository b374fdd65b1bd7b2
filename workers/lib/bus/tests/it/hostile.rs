//! Messages that the server stores and the client cannot read.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use hollowtrees_bus::{
    Bus, Deliveries, StoreError, apply,
    consume::{UNREADABLE, UNREADABLE_HEADERS},
    dead::{Class, DeadError, Reason},
    read::{From, Until},
    topology::{Consumer, Profile},
    watch::Change,
};
use hollowtrees_harness::{Nats, proxy};
use hollowtrees_schemas::{codec, names::Stream, proto};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::Instant,
};

use crate::support::{connect, connected, entry, notice};

/// A second delivery after `ack_wait`, the search, and a margin for a slow machine.
const BOUND: Duration = Duration::from_secs(25);

/// Each of these ends the connection of the client when it is delivered.
const HEADERS: [&[u8]; 5] = [
    b"NATS/1.0\r\nX-\xff-bad: 1\r\n\r\n",
    b"NATS/1.0\r\nX-value: \xff\xfe\r\n\r\n",
    b"NATS/1.0\r\nX bad: 1\r\n\r\n",
    b"NATS/1.0\r\nno colon\r\n\r\n",
    b"NATS/1.0\r\nX-\xc3\xa9: 1\r\n\r\n",
];

/// Publishes as no client of ours would.
async fn publish_raw(server: SocketAddr, messages: &[(String, &[u8])]) {
    let mut stream = BufReader::new(TcpStream::connect(server).await.unwrap());
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let mut bytes = b"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n".to_vec();
    for (subject, headers) in messages {
        let body = b"{\"specversion\":\"1.0\"}";
        let (head, total) = (headers.len(), headers.len() + body.len());
        bytes.extend_from_slice(format!("HPUB {subject} {head} {total}\r\n").as_bytes());
        bytes.extend_from_slice(headers);
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"PING\r\n");
    stream.get_mut().write_all(&bytes).await.unwrap();
    while line.trim() != "PONG" {
        line.clear();
        assert!(
            stream.read_line(&mut line).await.unwrap() > 0,
            "the server refused"
        );
        assert!(!line.starts_with("-ERR"), "{line}");
    }
}

/// Takes until nothing more is due: acks the good, buries the bad. Returns the sequences of both.
async fn take(bus: &Bus, from: &mut Deliveries, good: usize, bad: usize) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let me = proto::Worker::default();
    let (mut fine, mut dead) = (BTreeSet::new(), BTreeSet::new());
    let began = Instant::now();
    while fine.len() < good || dead.len() < bad {
        let left = BOUND.saturating_sub(began.elapsed());
        let delivery = tokio::time::timeout(left, from.next())
            .await
            .unwrap_or_else(|_| panic!("of {good} good and {bad} bad came {fine:?} and {dead:?}"));
        let Err(error) = codec::decode(&delivery.wire) else {
            fine.insert(delivery.sequence);
            delivery.ack().await;
            continue;
        };
        assert!(delivery.wire.header(UNREADABLE).is_some(), "{:?}", delivery.wire);
        let reason = Reason {
            class: Class::Undecodable,
            text: error.to_string(),
            attempts: 1,
            action_id: None,
            cluster: "c1",
            worker: &me,
        };
        bus.dead_letter(&delivery, &reason).await.unwrap();
        dead.insert(delivery.sequence);
        delivery.term().await;
    }
    (fine, dead)
}

/// Nothing is left to settle, and the bad ones do not come again: the connection stays.
async fn settled(bus: &Bus, from: &mut Deliveries, proxy: &proxy::Tcp) {
    let connections = proxy.connections();
    if let Ok(delivery) = tokio::time::timeout(Duration::from_secs(12), from.next()).await {
        panic!("{delivery:?} came again");
    }
    assert_eq!(
        proxy.connections(),
        connections,
        "nothing ends the connection any more"
    );
    assert!(bus.is_connected());
}

struct World {
    nats: Nats,
    direct: Bus,
    proxy: proxy::Tcp,
    bus: Bus,
}

async fn world() -> World {
    let nats = Nats::start().await.unwrap();
    let direct = connected(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let bus = connect(&format!("nats://{}", proxy.addr())).await;
    World {
        nats,
        direct,
        proxy,
        bus,
    }
}

#[tokio::test]
async fn an_unreadable_notice_is_buried_and_the_good_ones_get_through() {
    let World {
        nats,
        direct,
        proxy,
        bus,
    } = world().await;
    let mut from = bus.consume(&Consumer::router_notices(), 64).await.unwrap();
    for number in 0..3 {
        direct
            .publish(&notice(&format!("i-{number}")), None)
            .await
            .unwrap();
    }
    let mut bad: Vec<_> = HEADERS
        .iter()
        .enumerate()
        .map(|(number, &headers)| {
            (
                format!("ht.notice.v1.c1.spot-interruption.i-bad-{number}"),
                headers,
            )
        })
        .collect();
    // White space of Unicode is none to the server; the client counts one argument too many.
    bad.push((
        "ht.notice.v1.c1.spot-interruption.i\u{a0}1".to_owned(),
        b"NATS/1.0\r\na: b\r\n\r\n",
    ));
    publish_raw(nats.addr(), &bad).await;
    for number in 3..6 {
        direct
            .publish(&notice(&format!("i-{number}")), None)
            .await
            .unwrap();
    }
    let (fine, dead) = take(&bus, &mut from, 6, bad.len()).await;
    assert_eq!(dead, BTreeSet::from([4, 5, 6, 7, 8, 9]));
    assert_eq!(fine, BTreeSet::from([1, 2, 3, 10, 11, 12]));
    assert!(proxy.connections() <= 8, "{} connections", proxy.connections());
    settled(&bus, &mut from, &proxy).await;

    let (first, _) = bus.dead_range().await.unwrap().unwrap();
    let letter = bus.dead_show(first).await.unwrap();
    assert_eq!(letter.body, b"{\"specversion\":\"1.0\"}");
    let kept = |name: &str| {
        let header = letter.headers.iter().find(|header| header.name == name);
        header.map(|header| header.value.clone()).unwrap_or_default()
    };
    assert!(kept(UNREADABLE).contains("UTF-8"), "{letter:?}");
    assert!(kept(UNREADABLE_HEADERS).contains(r"X-\xff-bad: 1"), "{letter:?}");
}

#[tokio::test]
async fn unreadable_actions_and_outcomes_are_found_side_by_side() {
    let World {
        nats,
        direct,
        proxy,
        bus,
    } = world().await;
    let actions = Consumer::actions("drain", None, &["drain", "cordon"]);
    apply::apply_consumer(&direct, &actions, Profile::LOCAL)
        .await
        .unwrap();
    let mut actions = bus.consume(&actions, 8).await.unwrap();
    let mut outcomes = bus.consume(&Consumer::router_outcomes(), 8).await.unwrap();
    // Both consumers share the connection: each is cut by what the other is sent, too.
    publish_raw(
        nats.addr(),
        &[
            ("ht.action.v1.c1.drain.i-1".to_owned(), HEADERS[0]),
            ("ht.action.v1.c1.other.i-1".to_owned(), HEADERS[0]),
            ("ht.action.v1.c1.cordon.i-1".to_owned(), HEADERS[2]),
            ("ht.outcome.v1.c1.drain.succeeded.i-1".to_owned(), HEADERS[0]),
        ],
    )
    .await;
    let (taken, also) = tokio::join!(take(&bus, &mut actions, 0, 2), take(&bus, &mut outcomes, 0, 1));
    assert_eq!(
        taken.1,
        BTreeSet::from([1, 3]),
        "what is no work of this consumer is left alone"
    );
    assert_eq!(also.1, BTreeSet::from([1]));
    settled(&bus, &mut actions, &proxy).await;
    assert!(proxy.connections() <= 10, "{} connections", proxy.connections());
}

#[tokio::test]
async fn an_unreadable_message_that_is_handed_back_comes_again() {
    let World { nats, bus, proxy, .. } = world().await;
    let mut from = bus.consume(&Consumer::router_notices(), 8).await.unwrap();
    let subject = "ht.notice.v1.c1.spot-interruption.i-1".to_owned();
    publish_raw(nats.addr(), &[(subject, HEADERS[0])]).await;
    for _ in 0..2 {
        let delivery = tokio::time::timeout(BOUND, from.next()).await.unwrap();
        assert!(codec::decode(&delivery.wire).is_err());
        drop(delivery);
    }
    take(&bus, &mut from, 0, 1).await;
    settled(&bus, &mut from, &proxy).await;
}

#[tokio::test]
async fn a_status_line_of_a_publisher_is_no_word_of_the_server() {
    // nats-server 2.15 takes it off; another may not: what has an ack subject is a message.
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let mut from = bus.consume(&Consumer::router_notices(), 8).await.unwrap();
    let statuses: [&[u8]; 3] = [
        b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
        b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
        b"NATS/1.0 408\r\n\r\n",
    ];
    let messages = statuses.map(|headers| ("ht.notice.v1.c1.alert.i-1".to_owned(), headers));
    publish_raw(nats.addr(), &messages).await;
    for sequence in 1..=3 {
        let delivery = tokio::time::timeout(Duration::from_secs(5), from.next())
            .await
            .unwrap();
        assert_eq!(delivery.sequence, sequence);
        delivery.ack().await;
    }
    assert_eq!(from.rebuilds(), 0);
}

#[tokio::test]
async fn a_reading_passes_over_what_cannot_be_read() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    bus.publish(&notice("i-1"), None).await.unwrap();
    let bad: Vec<_> = HEADERS
        .iter()
        .map(|&headers| ("ht.notice.v1.c1.alert.i-2".to_owned(), headers))
        .collect();
    publish_raw(nats.addr(), &bad).await;
    bus.publish(&notice("i-3"), None).await.unwrap();
    for filters in [vec![], vec!["ht.notice.v1.*.*.*".to_owned()]] {
        let mut reading = bus
            .read(Stream::Notices, &filters, From::First, Until::Present)
            .await
            .unwrap();
        let mut seen = Vec::new();
        while let Some(message) = tokio::time::timeout(BOUND, reading.next())
            .await
            .unwrap()
            .unwrap()
        {
            seen.push(message.sequence);
        }
        assert_eq!(seen, [1, 7]);
    }
}

#[tokio::test]
async fn a_watch_passes_over_what_cannot_be_read() {
    let World {
        nats,
        direct,
        bus,
        proxy,
    } = world().await;
    let mut watch = bus.ledger().watch(&["c1.>"]);
    direct.ledger().create("c1.a", &entry("one")).await.unwrap();
    publish_raw(nats.addr(), &[("$KV.ht_ledger.c1.bad".to_owned(), HEADERS[0])]).await;
    direct.ledger().create("c1.b", &entry("two")).await.unwrap();
    let began = Instant::now();
    let (mut known, mut unreadable, mut synced) = (BTreeSet::new(), false, false);
    while !(known.len() == 2 && unreadable && synced) {
        let left = BOUND.saturating_sub(began.elapsed());
        match tokio::time::timeout(left, watch.next())
            .await
            .expect("a change comes")
        {
            Change::Resync => {
                known.clear();
                (unreadable, synced) = (false, false);
            }
            Change::Put(key, _) => {
                known.insert(key);
            }
            Change::Unreadable(error) => unreadable = error.to_string().contains("c1.bad"),
            Change::Synced => synced = true,
            Change::Removed(key) => panic!("nobody removed {key}"),
        }
    }
    let connections = proxy.connections();
    direct.ledger().create("c1.c", &entry("three")).await.unwrap();
    let change = tokio::time::timeout(BOUND, watch.next()).await.unwrap();
    assert!(
        matches!(&change, Change::Put(key, _) if key == "c1.c"),
        "{change:?}"
    );
    assert_eq!(proxy.connections(), connections);
    assert!(connections <= 5, "{connections} connections");
}

#[tokio::test]
async fn a_record_that_ends_the_connection_is_named_and_read_again_once_it_is_mended() {
    let World {
        nats,
        direct,
        bus,
        proxy,
    } = world().await;
    publish_raw(nats.addr(), &[("$KV.ht_ledger.c1.bad".to_owned(), HEADERS[0])]).await;
    for _ in 0..2 {
        match bus.ledger().get("c1.bad").await {
            Err(StoreError::Unreadable { key, .. }) => assert_eq!(key, "c1.bad"),
            other => panic!("{other:?}"),
        }
    }
    let connections = proxy.connections();
    assert!(bus.ledger().presence("c1.bad").await.is_err());
    assert!(bus.ledger().get("c1.other").await.unwrap().is_none());
    assert_eq!(proxy.connections(), connections, "it ends the connection once");

    direct.ledger().put("c1.bad", &entry("mended")).await.unwrap();
    let found = bus.ledger().get("c1.bad").await.unwrap().unwrap();
    assert_eq!(found.value.nonce, "mended");
}

#[tokio::test]
async fn a_dead_letter_that_ends_the_connection_is_shown_and_discarded() {
    let World { nats, bus, proxy, .. } = world().await;
    publish_raw(
        nats.addr(),
        &[("ht.dead.v1.c1.HT_NOTICES.x".to_owned(), HEADERS[1])],
    )
    .await;
    let letter = bus.dead_show(1).await.unwrap();
    assert!(letter.reason.contains("no UTF-8"), "{letter:?}");
    assert_eq!(letter.body, b"{\"specversion\":\"1.0\"}");
    let block = letter
        .headers
        .iter()
        .find(|header| header.name == UNREADABLE_HEADERS);
    assert!(block.unwrap().value.contains(r"\xff\xfe"), "{letter:?}");
    bus.dead_discard(1).await.unwrap();
    assert!(matches!(bus.dead_show(1).await, Err(DeadError::NotFound(1))));
    assert_eq!(proxy.connections(), 1);
}
