//! The TCP proxy's faults are what they are called.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::exit,
    reason = "tests"
)]

use hollowtrees_harness::{eventually, proxy::Tcp};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BOUND: Duration = Duration::from_secs(20);
const NOTHING: Duration = Duration::from_millis(150);

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await.ok();
            });
        }
    });
    addr
}

async fn echoed(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    let mut back = vec![0; text.len()];
    tokio::time::timeout(BOUND, stream.read_exact(&mut back)).await??;
    assert_eq!(back, text.as_bytes());
    Ok(())
}

async fn silent(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(NOTHING, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn cut_ends_and_refuses_connections_until_it_heals() {
    let proxy = Tcp::start(echo().await).await.unwrap();
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    echoed(&mut stream, "before").await.unwrap();
    proxy.cut();
    assert!(echoed(&mut stream, "cut").await.is_err());
    eventually("connections to be refused", BOUND, async || {
        TcpStream::connect(proxy.addr()).await.is_err()
    })
    .await;
    proxy.heal();
    let mut stream = eventually("connections to be accepted", BOUND, || {
        TcpStream::connect(proxy.addr())
    })
    .await;
    echoed(&mut stream, "after").await.unwrap();
    proxy.drop_connections();
    assert!(echoed(&mut stream, "dropped").await.is_err());
    echoed(&mut TcpStream::connect(proxy.addr()).await.unwrap(), "again")
        .await
        .unwrap();
    assert_eq!(proxy.connections(), 3);
}

#[tokio::test]
async fn blackhole_keeps_connections_and_bytes() {
    let proxy = Tcp::start(echo().await).await.unwrap();
    let mut old = TcpStream::connect(proxy.addr()).await.unwrap();
    echoed(&mut old, "before").await.unwrap();
    proxy.blackhole();
    old.write_all(b"x").await.unwrap();
    let mut new = TcpStream::connect(proxy.addr()).await.unwrap();
    new.write_all(b"y").await.unwrap();
    assert!(silent(&mut old).await && silent(&mut new).await);
    proxy.heal();
    assert_eq!(
        (old.read_u8().await.unwrap(), new.read_u8().await.unwrap()),
        (b'x', b'y')
    );
}

#[tokio::test]
async fn latency_delays_but_keeps_order_and_throughput() {
    let proxy = Tcp::start(echo().await).await.unwrap();
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    proxy.latency(Duration::from_millis(50));
    let start = Instant::now();
    echoed(&mut stream, "there and back").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(100));
    // Fifty messages one after another would take 5 s; sent together they take little more than one.
    let start = Instant::now();
    let text: String = (0..50).map(|i| format!("{i} ")).collect();
    echoed(&mut stream, &text).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn lost_bytes_end_the_connection_when_it_heals() {
    let proxy = Tcp::start(echo().await).await.unwrap();
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    echoed(&mut stream, "before").await.unwrap();
    let arrived = proxy.bytes_to_server();
    proxy.lose_replies();
    stream.write_all(b"lost").await.unwrap();
    assert!(silent(&mut stream).await);
    eventually("the request to arrive", BOUND, async || {
        proxy.bytes_to_server() == arrived + 4
    })
    .await;
    eventually("the reply to be lost", BOUND, async || {
        proxy.bytes_swallowed() == 4
    })
    .await;
    proxy.heal();
    assert!(echoed(&mut stream, "ended").await.is_err());

    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    echoed(&mut stream, "healed").await.unwrap();
    let arrived = proxy.bytes_to_server();
    proxy.lose_requests();
    stream.write_all(b"lost").await.unwrap();
    assert!(silent(&mut stream).await);
    assert_eq!(proxy.bytes_to_server(), arrived);
}

#[tokio::test]
async fn an_end_of_stream_passes_through() {
    let proxy = Tcp::start(echo().await).await.unwrap();
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    stream.write_all(b"all").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"all");
}
