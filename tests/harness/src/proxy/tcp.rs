//! Faults on TCP connections.

use crate::ports::Port;
use crate::{Context, Result, eventually};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// How long a port may take to be free again after a cut.
const REBIND: Duration = Duration::from_secs(10);
const CHUNK_BYTES: usize = 64 * 1024;
/// How many chunks may be on their way, per connection and direction, while latency holds them back.
const IN_FLIGHT: usize = 256;

/// A TCP proxy in front of a server, whose connections can be cut, frozen, slowed, or made to lose replies.
///
/// Faults hold for all connections, those of later too, until [`Tcp::heal`]. It stops when it is dropped.
#[derive(Debug)]
pub struct Tcp {
    port: Port,
    state: watch::Sender<State>,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// Connections of an earlier epoch end.
    epoch: u64,
    refuse: bool,
    hold: bool,
    swallow_to_client: bool,
    swallow_to_server: bool,
    latency: Duration,
}

impl State {
    fn swallows(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.swallow_to_server,
            Direction::ToClient => self.swallow_to_client,
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
    swallowed: AtomicU64,
}

#[derive(Clone, Copy)]
enum Direction {
    ToServer,
    ToClient,
}

impl Tcp {
    /// Starts one in front of `upstream`, on a port that stays the same through all faults.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        let port = Port::reserve()?;
        let (state, watched) = watch::channel(State::default());
        let counts = Arc::new(Counts::default());
        let listener = listen(port.addr()).await?;
        let accepting = tokio::spawn(accept(
            port.addr(),
            listener,
            upstream,
            watched,
            Arc::clone(&counts),
        ));
        Ok(Self {
            port,
            state,
            counts,
            accepting,
        })
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// Ends all connections and refuses new ones, as if the server were gone.
    pub fn cut(&self) {
        self.state.send_modify(|state| {
            state.epoch += 1;
            state.refuse = true;
        });
    }

    /// Ends all connections once; clients may connect again at once.
    pub fn drop_connections(&self) {
        self.state.send_modify(|state| state.epoch += 1);
    }

    /// Keeps connections, accepts new ones, and forwards nothing either way, as a lost route does. What was held back
    /// flows after [`heal`](Self::heal).
    pub fn blackhole(&self) {
        self.state.send_modify(|state| state.hold = true);
    }

    /// Forwards to the server and throws away what it answers: requests are carried out, their replies are lost. A
    /// stream that has lost bytes is of no use any more, so end it with [`drop_connections`](Self::drop_connections)
    /// or [`cut`](Self::cut) before or as it heals.
    pub fn lose_replies(&self) {
        self.state.send_modify(|state| state.swallow_to_client = true);
    }

    /// Throws away what clients send: requests never arrive. See [`lose_replies`](Self::lose_replies) on healing.
    pub fn lose_requests(&self) {
        self.state.send_modify(|state| state.swallow_to_server = true);
    }

    /// Delays each byte by so much, in each direction; order is kept, and throughput as well.
    pub fn latency(&self, latency: Duration) {
        self.state.send_modify(|state| state.latency = latency);
    }

    /// Ends all faults. Connections that lost bytes are ended too, since no client could make sense of the rest.
    pub fn heal(&self) {
        self.state.send_modify(|state| {
            let lossy = state.swallow_to_client || state.swallow_to_server;
            *state = State {
                epoch: state.epoch + u64::from(lossy),
                ..State::default()
            };
        });
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Bytes that reached the server so far.
    pub fn bytes_to_server(&self) -> u64 {
        self.counts.to_server.load(Ordering::Relaxed)
    }

    /// Bytes that reached clients so far.
    pub fn bytes_to_client(&self) -> u64 {
        self.counts.to_client.load(Ordering::Relaxed)
    }

    /// Bytes thrown away so far, both directions: above zero means that the loss a test asked for took place.
    pub fn bytes_swallowed(&self) -> u64 {
        self.counts.swallowed.load(Ordering::Relaxed)
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The port was free when it was reserved, and is free again once the last connection attempt is answered.
async fn listen(addr: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(addr)
        .await
        .context(|| format!("the proxy cannot listen on {addr}"))
}

async fn accept(
    addr: SocketAddr,
    first: TcpListener,
    upstream: SocketAddr,
    mut state: watch::Receiver<State>,
    counts: Arc<Counts>,
) {
    let mut listener = Some(first);
    let mut connections = JoinSet::new();
    loop {
        let now = *state.borrow_and_update();
        if now.refuse {
            listener = None;
        } else if listener.is_none() {
            let listening = eventually(format!("port {addr} to be free"), REBIND, || listen(addr));
            listener = Some(listening.await);
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            accepted = next(listener.as_ref()) => if let Ok((client, _)) = accepted {
                counts.connections.fetch_add(1, Ordering::Relaxed);
                // As of this moment: what is cut from now on includes this connection.
                let epoch = state.borrow().epoch;
                connections.spawn(connection(client, upstream, epoch, state.clone(), Arc::clone(&counts)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn next(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn connection(
    client: TcpStream,
    upstream: SocketAddr,
    epoch: u64,
    mut state: watch::Receiver<State>,
    counts: Arc<Counts>,
) {
    let mut ended = state.clone();
    let forward = async {
        // Made only when something may pass, as for a route that is lost.
        state.wait_for(|state| !state.hold).await.ok()?;
        let server = TcpStream::connect(upstream).await.ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::try_join!(
            pump(
                from_client,
                to_server,
                Direction::ToServer,
                state.clone(),
                &counts
            ),
            pump(
                from_server,
                to_client,
                Direction::ToClient,
                state.clone(),
                &counts
            ),
        )
        .ok()
    };
    tokio::select! {
        _ = ended.wait_for(|state| state.epoch != epoch) => {}
        _ = forward => {}
    }
}

/// Moves bytes one way until they end. Reading goes on while bytes wait for their time to be written.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut state: watch::Receiver<State>,
    counts: &Counts,
) -> std::io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(IN_FLIGHT);
    let read = async move {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let length = from.read(&mut buffer).await?;
            let chunk = (Instant::now(), buffer[..length].to_vec());
            // An empty chunk is the end; it waits its turn like all others.
            if sender.send(chunk).await.is_err() || length == 0 {
                return Ok::<(), std::io::Error>(());
            }
        }
    };
    let write = async {
        while let Some((read_at, chunk)) = receiver.recv().await {
            let latency = state.borrow().latency;
            if !latency.is_zero() {
                tokio::time::sleep_until(read_at + latency).await;
            }
            let gone = |_| std::io::Error::other("the proxy is gone");
            let swallows = state
                .wait_for(|state| !state.hold)
                .await
                .map_err(gone)?
                .swallows(direction);
            if chunk.is_empty() {
                return to.shutdown().await;
            }
            let counted = if swallows {
                &counts.swallowed
            } else {
                to.write_all(&chunk).await?;
                match direction {
                    Direction::ToServer => &counts.to_server,
                    Direction::ToClient => &counts.to_client,
                }
            };
            counted.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(|_| ())
}
