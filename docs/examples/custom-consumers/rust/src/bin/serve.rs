//! Serves actions of the kind `page-oncall` with the project's own worker loop: it claims the action, keeps it claimed,
//! and sees to modes, time, withdrawal, retries and the one outcome. What is left is the work.
//!
//! ```text
//! hollowtrees bus apply --worker page-oncall=page-oncall
//! HT_NATS__URL=nats://127.0.0.1:4222 HT_PAGER=http://127.0.0.1:8080/page cargo run -p hollowtrees-custom-consumers --bin serve
//! ```

use std::{process::ExitCode, time::Duration};

use bytes::Bytes;
use hollowtrees_runtime::{
    Context, Failure as Fatal, Frame, config,
    worker::{self, Failure, Handler, Job, Kind, Report},
};
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

const KIND: &str = "page-oncall";
/// How long the pager may take.
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Clone, Deserialize, Serialize)]
struct Settings {
    pager: String,
}

impl config::Settings for Settings {
    fn validate(&self, problems: &mut Vec<config::Problem>) {
        if self.pager.parse::<Uri>().is_err() {
            problems.push(config::Problem::new(
                "pager",
                "is no address; write http://HOST:PORT/PATH",
            ));
        }
    }
}

const DEFAULTS: &str = "# Where pages are sent (HT_PAGER).\npager = 'http://127.0.0.1:8080/page'\n";

struct Pager {
    address: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What the rule says under `params`.
#[derive(Default, Deserialize)]
struct Params {
    #[serde(default)]
    people: Vec<String>,
}

/// Where another start goes on.
#[derive(Default, Deserialize, Serialize)]
struct Checkpoint {
    paged: usize,
}

impl Handler for Pager {
    async fn handle(&self, job: Job) -> Result<Report, Failure> {
        let Params { people } = read(&job.action().params)?;
        if people.is_empty() {
            return Ok(Report::failed(
                "no-people",
                "The rule names nobody to page: set `params.people`.",
            ));
        }
        let Checkpoint { paged } = read(&job.checkpoint().await)?;
        for (index, person) in people.iter().enumerate().skip(paged) {
            if job.is_cancelled() {
                return Ok(Report::cancelled(format!("Withdrawn before {person} was paged.")));
            }
            if job.deadline().is_some_and(|deadline| deadline <= job.now()) {
                return Ok(Report::failed(
                    "deadline",
                    format!("No time was left to page {person}."),
                ));
            }
            self.page(&job, person).await.map_err(Failure::transient)?;
            job.save(written(&Checkpoint { paged: index + 1 })?).await?;
        }
        Ok(Report::succeeded(format!("Paged {}.", people.join(", "))))
    }
}

impl Pager {
    /// Asks the pager; under one key it pages once, however often it is asked.
    async fn page(&self, job: &Job, person: &str) -> Result<(), String> {
        let action = job.action();
        let deadline = job
            .deadline()
            .map_or_else(|| "any time".to_owned(), |deadline| deadline.to_string());
        let text = format!("{} in {} goes at {deadline}", action.instance, action.cluster);
        let body = Bytes::from(json!({ "person": person, "text": text }).to_string());
        let request = Request::post(&self.address)
            .header("content-type", "application/json")
            .header("idempotency-key", format!("{}/{person}", action.id))
            .header("user-agent", &job.worker().process)
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        match tokio::time::timeout(ANSWER, self.client.request(request)).await {
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(format!("the pager answers {}", answer.status())),
            Ok(Err(error)) => Err(format!("the pager cannot be reached: {error}")),
            Err(_) => Err("the pager does not answer".to_owned()),
        }
    }
}

/// A `google.protobuf.Struct` as a type of ours.
fn read<S: Serialize, T: Default + for<'de> Deserialize<'de>>(from: &Option<S>) -> Result<T, Failure> {
    let Some(from) = from else { return Ok(T::default()) };
    serde_json::to_value(from)
        .and_then(serde_json::from_value)
        .map_err(|error| Failure::rejected("params", error))
}

/// The other way round.
fn written<S: Serialize, T: for<'de> Deserialize<'de>>(value: &S) -> Result<T, Failure> {
    serde_json::to_value(value)
        .and_then(serde_json::from_value)
        .map_err(|error| Failure::rejected("checkpoint", error))
}

async fn run(context: Context<Settings>) -> Result<(), Fatal> {
    let pager = Pager {
        address: context.config.own.pager.clone(),
        client: Client::builder(TokioExecutor::new()).build_http(),
    };
    // One at a time, as the examples in other languages; the usual limits are 64 and 1,024.
    let limits = worker::Settings {
        running: 1,
        accepted: 1,
        ..worker::Settings::new(KIND, vec![Kind::new(KIND)])
    };
    worker::run(&context, limits, pager).await
}

fn main() -> ExitCode {
    Frame::new(KIND, env!("CARGO_PKG_VERSION"))
        .about("pages people")
        .defaults(DEFAULTS)
        .run(run)
}
