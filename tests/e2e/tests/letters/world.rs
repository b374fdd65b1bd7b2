//! A bus, gateways and the command line.

use std::{process::Command, time::Duration};

use hollowtrees_bus::{
    Bus, Options, apply, dead,
    topology::{self, Profile},
};
use hollowtrees_e2e::stream;
use hollowtrees_harness::{Nats, Worker, http_client::Client, ports::Port, scratch};
use hollowtrees_schemas::{names::Stream, proto};
use http::{Method, StatusCode};
use serde_json::Value;

pub(crate) const BOUND: Duration = Duration::from_secs(180);
const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) directory: tempfile::TempDir,
    nats: Nats,
}

impl World {
    pub(crate) async fn new() -> Self {
        let nats = Nats::start().await.unwrap();
        let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
        apply::apply(&bus, Profile::LOCAL, &topology::consumers())
            .await
            .unwrap();
        Self {
            bus,
            directory: scratch::directory("letters").unwrap(),
            nats,
        }
    }

    pub(crate) async fn gateway(&self, env: &[(&str, &str)]) -> Gateway {
        let (health, port) = (Port::reserve().unwrap(), Port::reserve().unwrap());
        let mut builder = Worker::builder("gateway", PROGRAM)
            .env("HOLLOWTREES_PROGRAM", "gateway")
            .env("HT_NATS__URL", self.nats.url())
            .env("HT_HTTP__LISTEN", port.addr().to_string())
            .env("HT_HEALTH__LISTEN", health.addr().to_string());
        for (key, value) in env {
            builder = builder.env(key, value);
        }
        let worker = builder.start().unwrap();
        let ready = format!("http://{}/readyz", health.addr());
        worker.ready(&ready, BOUND).await.unwrap();
        Gateway {
            worker,
            port,
            _health: health,
        }
    }

    /// A file of this content.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs `hollowtrees dead <line>`.
    pub(crate) fn dead(&self, line: &str, env: &[(&str, &str)]) -> Said {
        let output = Command::new(PROGRAM)
            .arg("dead")
            .args(line.split_whitespace())
            .env("HOLLOWTREES_PROGRAM", "cli")
            .env("HT_NATS__URL", self.nats.url())
            .envs(env.iter().copied())
            .output()
            .unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) async fn notices(&self) -> Vec<proto::Notice> {
        stream::notices(&self.bus).await
    }

    pub(crate) async fn letters(&self) -> Vec<proto::DeadLetter> {
        let held = stream::held(&self.bus, Stream::Dead).await;
        held.iter().map(dead::letter).collect()
    }
}

pub(crate) struct Gateway {
    worker: Worker,
    port: Port,
    _health: Port,
}

impl Gateway {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.addr())
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (StatusCode, Value) {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let url = format!("{}{path}", self.url());
        let client = Client::plain().unwrap();
        let answer = client
            .send(Method::POST, &url, &headers, body.to_string().into())
            .await
            .unwrap();
        let said = serde_json::from_slice(answer.body()).unwrap_or_default();
        (answer.status(), said)
    }

    pub(crate) fn log(&self) -> String {
        self.worker.log().unwrap()
    }

    pub(crate) async fn ends(self) {
        assert!(self.worker.terminate(BOUND).await.unwrap().success());
    }
}

/// What a run of the command line said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "{text:?} in {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} in {self:?}");
        self
    }
}
