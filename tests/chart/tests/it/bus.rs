//! A NATS server with the users of `docs/nats-permissions.md`, and a client of it that keeps to no rule.

use hollowtrees_bus::{
    Auth, Bus, Deliveries, Options, apply,
    read::{From, Until},
    topology::{self, Consumer, Profile},
};
use hollowtrees_harness::{Nats, process};
use hollowtrees_schemas::{names::Stream, token};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::documents::root;

const PASSWORD: &str = "secret";

/// The page's blocks of this language.
fn blocks(language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/nats-permissions.md")).unwrap();
    page.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// The page's users: those of the installation, and those of each of these clusters.
fn users(clusters: &[&str]) -> String {
    let blocks = blocks("nats");
    let [installation, cluster] = blocks.as_slice() else {
        panic!("two blocks are expected, not {}", blocks.len());
    };
    let mut users = installation.clone();
    for name in clusters {
        users.push_str(&cluster.replace("CLUSTER", &token::escape(name)));
    }
    users.replace("\"...\"", &format!("{PASSWORD:?}"))
}

/// A server with them.
pub(crate) async fn server(clusters: &[&str]) -> Nats {
    let users = users(clusters);
    Nats::builder()
        .config(&format!("authorization {{ users: [\n{users}\n] }}"))
        .start()
        .await
        .unwrap()
}

/// A server where the agents of this cluster have an account of their own.
pub(crate) async fn server_with_accounts(cluster: &str) -> Nats {
    let accounts = &blocks("nats-accounts")[0];
    let accounts = accounts
        .replace("CLUSTER", &token::escape(cluster))
        .replace("\"...\"", &format!("{PASSWORD:?}"))
        .replace("USERS", &users(&[]));
    Nats::builder().config(&accounts).start().await.unwrap()
}

/// The prefix of this user's inboxes, as the page has it; the operator may use any.
fn inbox(user: &str) -> String {
    if user == "operator" {
        "_INBOX".to_owned()
    } else {
        format!("_INBOX_{user}")
    }
}

pub(crate) async fn connected(nats: &Nats, user: &str) -> Bus {
    let options = Options {
        auth: Auth::Password {
            user: user.to_owned(),
            password: PASSWORD.to_owned(),
        },
        inbox_prefix: Some(inbox(user)),
        ..Options::new(nats.url())
    };
    Bus::connect(&options).await.unwrap()
}

/// The variables by which a program connects as this user.
pub(crate) fn as_user(builder: process::Builder, nats: &Nats, user: &str) -> process::Builder {
    builder
        .env("HT_NATS__URL", nats.url())
        .env("HT_NATS__USER", user)
        .env("HT_NATS__PASSWORD", PASSWORD)
        .env("HT_NATS__INBOX_PREFIX", inbox(user))
}

/// Puts everything on the server, and takes by a reader what these filters say.
pub(crate) async fn prepared(operator: &Bus, stream: Stream, filter: String) -> Deliveries {
    let reader = Consumer {
        name: "test-reader".to_owned(),
        stream,
        filters: vec![filter],
        description: "test".to_owned(),
    };
    let mut consumers = topology::consumers();
    consumers.push(reader.clone());
    apply::apply(operator, Profile::LOCAL, &consumers).await.unwrap();
    operator.consume(&reader, 64).await.unwrap()
}

/// What the server refused, by its own log; empty if nothing.
pub(crate) fn violations(nats: &Nats) -> Vec<String> {
    let log = nats.log_tail();
    log.lines()
        .filter(|line| line.contains("Violation"))
        .map(str::to_owned)
        .collect()
}

/// The subjects of all messages of a stream; of those that can be read now.
pub(crate) async fn subjects(bus: &Bus, stream: Stream) -> Vec<String> {
    let mut subjects = Vec::new();
    let Ok(mut reading) = bus.read(stream, &[], From::First, Until::Present).await else {
        return subjects;
    };
    while let Ok(Some(message)) = reading.next().await {
        subjects.push(message.subject);
    }
    subjects
}

/// A connection on which anything can be said.
pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    pub(crate) async fn connect(nats: &Nats, user: &str) -> Self {
        let mut raw = Self {
            stream: BufReader::new(TcpStream::connect(nats.addr()).await.unwrap()),
        };
        let connect = serde_json::json!({
            "verbose": false, "headers": true, "no_responders": true, "user": user, "pass": PASSWORD,
        });
        let refused = raw.say(format!("CONNECT {connect}\r\n").as_bytes()).await;
        assert!(refused.is_empty(), "{refused:?}");
        raw
    }

    /// Publishes; whether the server let it.
    pub(crate) async fn publish(&mut self, subject: &str, reply: &str, body: &str) -> bool {
        let head = format!("PUB {subject} {reply} {}\r\n{body}\r\n", body.len());
        self.say(head.as_bytes()).await.is_empty()
    }

    /// The same with headers.
    pub(crate) async fn publish_with(
        &mut self,
        subject: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> bool {
        let mut head = "NATS/1.0\r\n".to_owned();
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = format!(
            "HPUB {subject} {} {}\r\n{head}",
            head.len(),
            head.len() + body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(b"\r\n");
        self.say(&bytes).await.is_empty()
    }

    /// Subscribes; whether the server let it.
    pub(crate) async fn subscribe(&mut self, subject: &str) -> bool {
        self.say(format!("SUB {subject} 1\r\n").as_bytes())
            .await
            .is_empty()
    }

    /// Says something and returns what the server refused of it.
    async fn say(&mut self, bytes: &[u8]) -> Vec<String> {
        self.stream.get_mut().write_all(bytes).await.unwrap();
        self.stream.get_mut().write_all(b"PING\r\n").await.unwrap();
        let mut refused = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).await.unwrap();
            assert!(read > 0, "the server ended the connection: {refused:?}");
            let line = line.trim_end();
            let last = line.rsplit(' ').next().unwrap();
            match line.split(' ').next().unwrap() {
                "PONG" => return refused,
                "-ERR" => refused.push(line.to_owned()),
                "MSG" | "HMSG" => {
                    let mut message = vec![0; last.parse::<usize>().unwrap() + 2];
                    self.stream.read_exact(&mut message).await.unwrap();
                }
                _ => {}
            }
        }
    }
}
