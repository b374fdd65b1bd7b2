//! A NATS client of a few lines: enough to ask a server's JetStream whether it kept something.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "part of the tests")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

pub(crate) struct Client {
    inbox: String,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    pub(crate) async fn connect(addr: std::net::SocketAddr, options: &str) -> std::io::Result<Self> {
        let (reader, writer) = TcpStream::connect(addr).await?.into_split();
        static CLIENTS: AtomicUsize = AtomicUsize::new(0);
        // The process id too: tests of several processes may share a server.
        let inbox = format!(
            "_INBOX.{}.{}",
            std::process::id(),
            CLIENTS.fetch_add(1, Ordering::Relaxed)
        );
        let mut client = Self {
            inbox,
            reader: BufReader::new(reader),
            writer,
        };
        client.line().await?;
        client
            .send(&format!(
                "CONNECT {{\"verbose\":false,\"lang\":\"test\",\"version\":\"0\"{options}}}\r\nPING\r\n"
            ))
            .await?;
        loop {
            let line = client.line().await?;
            if line.starts_with("PONG") {
                break;
            }
            if line.starts_with("-ERR") {
                return Err(std::io::Error::other(line));
            }
        }
        client.send(&format!("SUB {} 1\r\n", client.inbox)).await?;
        Ok(client)
    }

    pub(crate) async fn request(&mut self, subject: &str, body: &str) -> std::io::Result<serde_json::Value> {
        self.ask(subject, body).await?;
        tokio::time::timeout(Duration::from_secs(20), self.reply())
            .await
            .map_err(std::io::Error::other)?
    }

    pub(crate) async fn ask(&mut self, subject: &str, body: &str) -> std::io::Result<()> {
        self.send(&format!(
            "PUB {subject} {} {}\r\n{body}\r\n",
            self.inbox,
            body.len()
        ))
        .await
    }

    pub(crate) async fn reply(&mut self) -> std::io::Result<serde_json::Value> {
        loop {
            let line = self.line().await?;
            if line.starts_with("PING") {
                self.send("PONG\r\n").await?;
            }
            if line.starts_with("-ERR") {
                return Err(std::io::Error::other(line));
            }
            if let Some(message) = line.strip_prefix("MSG ") {
                let length: usize = message.trim().rsplit(' ').next().unwrap().parse().unwrap();
                let mut body = vec![0; length + 2];
                self.reader.read_exact(&mut body).await?;
                return Ok(serde_json::from_slice(&body[..length])?);
            }
        }
    }

    pub(crate) async fn send(&mut self, text: &str) -> std::io::Result<()> {
        self.writer.write_all(text.as_bytes()).await
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }
}

/// Makes a file stream `S` on subjects `s.>`.
pub(crate) async fn make_stream(client: &mut Client, replicas: usize) {
    let config =
        format!("{{\"name\":\"S\",\"subjects\":[\"s.>\"],\"storage\":\"file\",\"num_replicas\":{replicas}}}");
    let made = client.request("$JS.API.STREAM.CREATE.S", &config).await.unwrap();
    assert!(made.get("error").is_none(), "{made}");
}

/// How many messages stream `S` holds.
pub(crate) async fn stored(client: &mut Client) -> std::io::Result<u64> {
    let info = client.request("$JS.API.STREAM.INFO.S", "").await?;
    info["state"]["messages"]
        .as_u64()
        .ok_or_else(|| std::io::Error::other(info.to_string()))
}
