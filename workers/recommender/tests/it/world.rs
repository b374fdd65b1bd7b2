//! A simulated AWS with prices, and a recommender that reads it.

use std::time::Duration;

use hollowtrees_harness::{Aws, Worker, eventually, http_client::Client, ports::Port};
use http::{Method, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub(crate) const R: &str = "us-east-1";
pub(crate) const BOUND: Duration = Duration::from_secs(120);
/// Types whose prices are set.
pub(crate) const TYPES: [(&str, f64); 6] = [
    ("m5.large", 0.035),
    ("m5.xlarge", 0.07),
    ("m5a.xlarge", 0.069),
    ("r5.xlarge", 0.08),
    ("c5.xlarge", 0.06),
    ("m5.2xlarge", 0.15),
];
pub(crate) const ON_DEMAND: &str = r#"{"us-east-1": {"m5.large": 0.096, "m5.xlarge": 0.192, "m5a.xlarge": 0.172,
    "r5.xlarge": 0.252, "c5.xlarge": 0.17, "m5.2xlarge": 0.384}}"#;
pub(crate) const ADVISOR: &str = r#"{"spot_advisor": {"us-east-1": {"Linux": {"m5.xlarge": {"r": 0, "s": 60},
    "m5a.xlarge": {"r": 4, "s": 62}}}}}"#;

pub(crate) struct Ground {
    pub(crate) aws: Aws,
    files: tempfile::TempDir,
}

pub(crate) struct Process {
    pub(crate) worker: Worker,
    health: Port,
    port: Port,
    client: Client,
}

impl Ground {
    /// With prices of a week in two zones: dearer in the second.
    pub(crate) async fn new() -> Self {
        Self::with(&[(300, 1.0), (60, 1.2), (12, 1.0)]).await
    }

    /// With prices that have not changed for a week.
    pub(crate) async fn steady() -> Self {
        Self::with(&[(300, 1.0)]).await
    }

    /// With prices that were so many times as high from so many hours ago on.
    async fn with(changes: &[(i64, f64)]) -> Self {
        let aws = Aws::start().await.unwrap();
        let ago = |hours| Timestamp::now() - SignedDuration::from_hours(hours);
        for (name, dollars) in TYPES {
            for (zone, factor) in [("us-east-1a", 1.0), ("us-east-1b", 1.1)] {
                for (hours, times) in changes {
                    aws.set_spot_price_since(name, zone, dollars * factor * times, ago(*hours));
                }
            }
        }
        let files = tempfile::tempdir().unwrap();
        let ground = Self { aws, files };
        ground.write("on-demand.json", ON_DEMAND);
        ground.write("advisor.json", ADVISOR);
        ground
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).to_string_lossy().into_owned()
    }

    /// A recommender that has read all there is.
    pub(crate) async fn recommender(&self, env: &[(&str, &str)]) -> Process {
        let process = self.begun(env);
        process.ready().await;
        process
    }

    /// One that may still read.
    pub(crate) fn begun(&self, env: &[(&str, &str)]) -> Process {
        let (health, port) = (Port::reserve().unwrap(), Port::reserve().unwrap());
        let (listen, told) = (port.addr().to_string(), health.addr().to_string());
        let (endpoint, on_demand, advisor) = (
            self.aws.url(),
            self.path("on-demand.json"),
            self.path("advisor.json"),
        );
        let mut all = vec![
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_REGION", R),
            ("AWS_ACCESS_KEY_ID", "testbed"),
            ("AWS_SECRET_ACCESS_KEY", "testbed"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("HT_HTTP__LISTEN", listen.as_str()),
            ("HT_HEALTH__LISTEN", told.as_str()),
            ("HT_SOURCES__TYPES", "m5.*,m5a.*,c5.*,r5.*"),
            ("HT_SOURCES__PRICES_EVERY", "2s"),
            ("HT_SOURCES__ON_DEMAND", on_demand.as_str()),
            ("HT_SOURCES__ADVISOR", advisor.as_str()),
            ("HT_SOURCES__INTERRUPTIONS", "false"),
            ("HT_LOG__FILTER", "info,hollowtrees_recommender=debug"),
        ];
        all.retain(|(key, _)| env.iter().all(|(other, _)| other != key));
        all.extend(env);
        let mut builder = Worker::builder("recommender", env!("CARGO_BIN_EXE_hollowtrees-recommender"));
        for (key, value) in all {
            builder = builder.env(key, value);
        }
        Process {
            worker: builder.start().unwrap(),
            health,
            port,
            client: Client::plain().unwrap(),
        }
    }
}

impl Process {
    pub(crate) async fn ready(&self) {
        let ready = format!("http://{}/readyz", self.health.addr());
        self.worker.ready(&ready, BOUND).await.unwrap();
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Response<bytes::Bytes> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let url = format!("http://{}{path}", self.port.addr());
        self.client
            .send(method, &url, &headers, body.into())
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.send(Method::GET, path, &[], "").await;
        (answer.status(), parsed(&answer))
    }

    pub(crate) async fn json(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let answer = self.send(method, path, &[], body.to_string()).await;
        (answer.status(), parsed(&answer))
    }

    /// Pools for a wish.
    pub(crate) async fn pools(&self, query: &str) -> Value {
        let (status, body) = self.get(&format!("/api/v1/pools/{R}?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Value of one series.
    pub(crate) async fn value(&self, series: &str) -> Option<f64> {
        let text = self.told("/metrics").await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    /// A page of the health server; empty while nobody answers.
    pub(crate) async fn told(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.health.addr());
        let answer = hollowtrees_harness::http_get::get(&url).await;
        answer
            .map(|(_, body)| String::from_utf8_lossy(&body).into_owned())
            .unwrap_or_default()
    }

    /// Waits until an answer is as wanted.
    pub(crate) async fn until(&self, what: &str, query: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, BOUND, async || {
            let body = self.pools(query).await;
            if wanted(&body) {
                Ok(body)
            } else {
                Err(body.to_string())
            }
        })
        .await
    }
}

fn parsed(answer: &Response<bytes::Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
}

/// Type and zone of each pool, in order.
pub(crate) fn order(body: &Value) -> Vec<String> {
    let pools = body["pools"].as_array().unwrap().iter();
    pools
        .map(|one| {
            format!(
                "{} {}",
                one["instance_type"].as_str().unwrap(),
                one["zone"].as_str().unwrap()
            )
        })
        .collect()
}

pub(crate) fn pool<'a>(body: &'a Value, name: &str, zone: &str) -> &'a Value {
    let pools = body["pools"].as_array().unwrap();
    pools
        .iter()
        .find(|one| one["instance_type"] == name && one["zone"] == zone)
        .unwrap()
}

pub(crate) fn reasons(pool: &Value) -> String {
    let reasons = pool["reasons"].as_array().unwrap().iter();
    reasons
        .map(|one| one.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("; ")
}
