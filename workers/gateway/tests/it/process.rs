//! The binary itself.

use bytes::Bytes;
use hollowtrees_harness::{Worker, http_client::Client, ports::Port};
use http::{Method, Response, StatusCode};
use serde_json::Value;

use crate::world::{BOUND, World};

pub(crate) struct Process {
    pub(crate) worker: Worker,
    pub(crate) health: Port,
    pub(crate) port: Port,
    pub(crate) client: Client,
    scheme: &'static str,
}

/// Status and body of an answer.
pub(crate) type Answered = (StatusCode, Value);

impl Process {
    pub(crate) async fn start(world: &World, env: &[(&str, &str)]) -> Self {
        Self::at(&world.nats.url(), env).await
    }

    /// With this address of the bus; what names no cluster is of `home`.
    pub(crate) async fn at(nats: &str, env: &[(&str, &str)]) -> Self {
        let process = Self::launch(nats, &[&[("HT_CLUSTER", "home")], env].concat());
        process.ready().await;
        process
    }

    /// Started, whether it becomes ready or not; with no cluster of its own.
    pub(crate) fn begin(world: &World, env: &[(&str, &str)]) -> Self {
        Self::launch(&world.nats.url(), env)
    }

    fn launch(nats: &str, env: &[(&str, &str)]) -> Self {
        let (health, port) = (Port::reserve().unwrap(), Port::reserve().unwrap());
        let binary = env!("CARGO_BIN_EXE_hollowtrees-gateway");
        let mut builder = Worker::builder("gateway", binary)
            .env("HT_NATS__URL", nats)
            .env("HT_HTTP__LISTEN", port.addr().to_string())
            .env("HT_HEALTH__LISTEN", health.addr().to_string());
        for (key, value) in env {
            builder = builder.env(key, value);
        }
        Self {
            worker: builder.start().unwrap(),
            health,
            port,
            client: Client::plain().unwrap(),
            scheme: "http",
        }
    }

    /// As one who trusts this authority, over TLS.
    pub(crate) fn over_tls(mut self, ca_pem: &str) -> Self {
        self.client = Client::trusting(ca_pem).unwrap();
        self.scheme = "https";
        self
    }

    pub(crate) async fn ready(&self) {
        let ready = format!("http://{}/readyz", self.health.addr());
        self.worker.ready(&ready, BOUND).await.unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.port.addr())
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        self.client
            .send(method, &self.url(path), &headers, body.into())
            .await
            .unwrap()
    }

    /// Posts a body with these headers.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answered {
        let answer = self.send(Method::POST, path, headers, body).await;
        let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        (answer.status(), body)
    }

    /// Posts JSON.
    pub(crate) async fn json(&self, path: &str, body: &Value) -> Answered {
        self.post(path, &[("content-type", "application/json")], body.to_string())
            .await
    }

    /// What `/readyz` says; empty while nobody answers.
    pub(crate) async fn readyz(&self) -> String {
        let url = format!("http://{}/readyz", self.health.addr());
        let answer = hollowtrees_harness::http_get::get(&url).await;
        answer
            .map(|(_, body)| String::from_utf8_lossy(&body).into_owned())
            .unwrap_or_default()
    }

    /// What it shows of itself.
    pub(crate) async fn scrape(&self) -> String {
        let url = format!("http://{}/metrics", self.health.addr());
        let (_, body) = hollowtrees_harness::http_get::get(&url).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_becomes_ready_and_ends_when_told() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    for path in ["/-/ready", "/-/healthy"] {
        let answer = process.send(Method::GET, path, &[], "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let (status, _) = process.post("/-/ready", &[], "").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    let (status, _) = process.post("/nowhere", &[], "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let answer = process.send(Method::GET, "/api/v2/status", &[], "").await;
    let status: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(status["cluster"]["status"], "disabled");
    let status = process.worker.terminate(BOUND).await.unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_door_to_the_world_is_refused_at_the_start() {
    let world = World::new().await;
    let process = Process::launch(&world.nats.url(), &[("HT_HTTP__LISTEN", "0.0.0.0:0")]);
    let status = process.worker.exited(BOUND).await.unwrap();
    assert_eq!(status.code(), Some(64));
    let log = process.worker.log().unwrap();
    assert!(log.contains("http.listen") && log.contains("auth.token"), "{log}");
}
