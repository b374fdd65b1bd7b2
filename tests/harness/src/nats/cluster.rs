//! Servers that hold their streams together.

use super::config::{Config, Routes};
use super::server::Server;
use crate::ports::Port;
use crate::supervise::Signal;
use crate::{Context, Error, Result, http_get, scratch, try_eventually};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;

const FORMED: Duration = Duration::from_secs(90);

/// A cluster of NATS servers with JetStream, for streams with replicas.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<Server>,
    _routes: Vec<Port>,
    // After the servers, so that it is dropped after them.
    _directory: TempDir,
}

impl NatsCluster {
    /// Starts so many servers; ready when they have elected a leader and all know each other.
    ///
    /// # Errors
    /// If they do not come up, with the ends of their logs.
    pub async fn start(size: usize) -> Result<Self> {
        let directory = scratch::directory("nats-cluster")?;
        let routes = (0..size).map(|_| Port::reserve()).collect::<Result<Vec<_>>>()?;
        let peers: Vec<SocketAddr> = routes.iter().map(Port::addr).collect();
        let mut servers = Vec::with_capacity(size);
        for (i, listen) in peers.iter().enumerate() {
            let name = format!("nats-server-{i}");
            let (client, monitor) = (Port::reserve()?, Port::reserve()?);
            let text = Config {
                name: &name,
                client: client.addr(),
                monitor: monitor.addr(),
                store: &directory.path().join(format!("store-{i}")),
                max_payload: None,
                users: &[],
                tls: None,
                cluster: Some(Routes {
                    listen: *listen,
                    peers: &peers,
                }),
                extra: "",
            }
            .text();
            servers.push(Server::new(&name, directory.path(), &text, client, monitor)?);
        }
        let cluster = Self {
            servers,
            _routes: routes,
            _directory: directory,
        };
        for server in &cluster.servers {
            server.launch().await?;
        }
        for i in 0..size {
            cluster.joined(i).await?;
        }
        cluster.formed().await?;
        Ok(cluster)
    }

    /// The servers' URLs.
    pub fn urls(&self) -> Vec<String> {
        self.servers
            .iter()
            .map(|server| format!("nats://{}", server.client_addr()))
            .collect()
    }

    /// Where clients reach server `i`.
    pub fn addr(&self, i: usize) -> SocketAddr {
        self.servers[i].client_addr()
    }

    /// Where `/varz`, `/jsz` and `/healthz` of server `i` are.
    pub fn monitor_url(&self, i: usize) -> String {
        self.servers[i].monitor_url()
    }

    /// Kills server `i` with SIGKILL; its store stays.
    pub fn kill(&self, i: usize) {
        self.servers[i].kill();
    }

    /// Starts server `i` again on the same port and store, after killing it if it runs; ready when it has caught up.
    ///
    /// # Errors
    /// If it does not come up, with the end of its log.
    pub async fn restart(&self, i: usize) -> Result<()> {
        self.servers[i].kill();
        self.servers[i].launch().await?;
        self.joined(i).await
    }

    /// Stops server `i` in its tracks (SIGSTOP).
    ///
    /// # Errors
    /// If the system refuses.
    pub fn pause(&self, i: usize) -> Result<()> {
        self.servers[i].signal(Signal::STOP)
    }

    /// Lets server `i` go on.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn resume(&self, i: usize) -> Result<()> {
        self.servers[i].signal(Signal::CONT)
    }

    /// The index of the server that leads the cluster's metadata, as server `i` sees it.
    ///
    /// # Errors
    /// If there is none.
    pub async fn leader(&self, i: usize) -> Result<usize> {
        let view = self.meta(i).await?;
        let leader = view["leader"].as_str().unwrap_or_default();
        leader
            .strip_prefix("nats-server-")
            .and_then(|index| index.parse().ok())
            .ok_or_else(|| Error::new(format!("no leader yet: {view}")))
    }

    /// Waits until server `i` is healthy and sees a leader and all peers.
    async fn joined(&self, i: usize) -> Result<()> {
        let server = &self.servers[i];
        server.ready("/healthz").await?;
        let size = self.servers.len();
        try_eventually(
            format!("server {i} of {size} to join the others"),
            FORMED,
            || async {
                self.leader(i).await?;
                let view = self.meta(i).await?;
                if view["cluster_size"].as_u64() == Some(size as u64) {
                    Ok(())
                } else {
                    Err(Error::new(view.to_string()))
                }
            },
        )
        .await
        .map_err(|error| Error::new(format!("{error}\n{}", server.log_tail())))
    }

    /// Waits until the leader has heard of all others: it places nothing on who it thinks is offline.
    async fn formed(&self) -> Result<()> {
        let others = self.servers.len() - 1;
        try_eventually("the leader to have heard of all others", FORMED, || async {
            let view = self.meta(self.leader(0).await?).await?;
            let replicas = view["replicas"].as_array().cloned().unwrap_or_default();
            let heard = replicas
                .iter()
                .filter(|of| of["current"] == true && of["offline"] != true)
                .count();
            if heard == others {
                Ok(())
            } else {
                Err(Error::new(view.to_string()))
            }
        })
        .await
        .map_err(|error| Error::new(error.to_string()))
    }

    async fn meta(&self, i: usize) -> Result<serde_json::Value> {
        let (_, body) = http_get::get(&format!("{}/jsz", self.monitor_url(i))).await?;
        let view: serde_json::Value = serde_json::from_slice(&body).context(|| "/jsz is no JSON")?;
        Ok(view["meta_cluster"].clone())
    }
}
