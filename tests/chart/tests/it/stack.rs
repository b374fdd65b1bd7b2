//! A bus with the users of `docs/nats-permissions.md`, a simulated AWS, and processes of the image between them.

use std::time::Duration;

use hollowtrees_bus::{Bus, Deliveries};
use hollowtrees_harness::{Aws, Nats, Worker, http_get, ports::Port};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    filter,
    names::{Stream, result},
    outgoing, proto,
};
use tempfile::TempDir;

use crate::bus::{as_user, connected, prepared, server};

pub(crate) const BOUND: Duration = Duration::from_secs(90);
pub(crate) const CLUSTER: &str = "blue.eu";
const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "us-east-1";

pub(crate) struct Stack {
    pub(crate) nats: Nats,
    pub(crate) operator: Bus,
    outcomes: Deliveries,
    pub(crate) aws: Aws,
    directory: TempDir,
}

/// A process of the image that is ready, and where it shows its metrics.
pub(crate) struct Process {
    worker: Worker,
    port: Port,
}

impl Process {
    /// All it shows.
    pub(crate) async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.port.addr());
        let (_, shown) = http_get::get(&url).await.unwrap();
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Ends it, as a node does that is drained.
    pub(crate) async fn terminate(self) {
        assert!(self.worker.terminate(BOUND).await.unwrap().success());
    }
}

impl Stack {
    pub(crate) async fn start() -> Self {
        let (nats, aws) = (server(&[CLUSTER]).await, Aws::start().await.unwrap());
        let operator = connected(&nats, "operator").await;
        let outcomes = prepared(&operator, Stream::Outcomes, filter::outcomes(None, None, None)).await;
        Self {
            nats,
            operator,
            outcomes,
            aws,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A process of the image as this user, ready.
    async fn process(&self, program: &str, user: &str, env: &[(&str, String)]) -> Process {
        let port = Port::reserve().unwrap();
        let builder =
            Worker::builder(program, env!("CARGO_BIN_EXE_chart-program")).env("HOLLOWTREES_PROGRAM", program);
        let mut builder =
            as_user(builder, &self.nats, user).env("HT_HEALTH__LISTEN", port.addr().to_string());
        for (name, value) in env {
            builder = builder.env(name, value);
        }
        let worker = builder.start().unwrap();
        let ready = format!("http://{}/readyz", port.addr());
        worker.ready(&ready, BOUND).await.unwrap();
        Process { worker, port }
    }

    /// With these rules.
    pub(crate) async fn router(&self, rules: &str) -> Process {
        let file = self.directory.path().join("rules.yaml");
        std::fs::write(&file, rules).unwrap();
        let env = [("HT_RULES__FILE", file.display().to_string())];
        self.process("hollowtrees-router", "router", &env).await
    }

    /// A worker of AWS, as the user of its name.
    pub(crate) async fn worker(&self, user: &str, env: &[(&str, &str)]) -> Process {
        let own = env.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let all: Vec<(&str, String)> = self.aws.env(REGION).into_iter().chain(own).collect();
        self.process(&format!("hollowtrees-{user}"), user, &all).await
    }

    /// The next end of an action of this kind.
    pub(crate) async fn ended(&mut self, kind: &str) -> proto::Outcome {
        let next = async {
            loop {
                let delivery = self.outcomes.next().await;
                let outcome = Envelope::<proto::Outcome>::decode(&delivery.wire).unwrap().data;
                delivery.ack().await;
                if outcome.kind == kind && result::is_final(&outcome.result) {
                    return outcome;
                }
            }
        };
        tokio::time::timeout(BOUND, next).await.expect("an outcome")
    }

    /// A notice of this kind.
    pub(crate) fn notice(&self, instance: &str, kind: &str) -> proto::Notice {
        proto::Notice {
            cluster: CLUSTER.to_owned(),
            provider: "aws".to_owned(),
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            instance: instance.to_owned(),
            kind: kind.to_owned(),
            ..proto::Notice::default()
        }
    }

    pub(crate) async fn publish(&self, notice: proto::Notice) {
        let envelope = envelope::notice(notice, "/aws/123456789012/us-east-1/imds");
        let out = outgoing::notice(&envelope, DataFormat::Json).unwrap();
        self.operator.publish(&out, None).await.unwrap();
    }

    pub(crate) async fn interrupt(&self, instance: &str) {
        self.publish(self.notice(instance, "spot-interruption")).await;
    }
}
