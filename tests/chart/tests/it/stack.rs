//! A bus with the users of `docs/nats-permissions.md`, a simulated AWS, and processes of the image between them.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_bus::{Bus, Deliveries};
use hollowtrees_harness::{Aws, Nats, Worker, eventually, http_get, ports::Port};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    filter,
    names::{Stream, result},
    outgoing, proto,
};
use tempfile::TempDir;

use crate::bus::{Raw, as_user, connected, prepared, server, subjects};

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

    /// So many actions of this kind succeed, by one of the workers, and the other gives it what comes to it.
    pub(crate) async fn one_does_all(&mut self, kind: &str, count: usize, workers: &[Process]) {
        let mut by = BTreeSet::new();
        for _ in 0..count {
            let outcome = self.ended(kind).await;
            assert_eq!(outcome.result, "succeeded", "{outcome:?}");
            by.insert(outcome.worker.unwrap().process);
        }
        assert_eq!(by.len(), 1, "{by:?}");
        let taken =
            format!("hollowtrees_worker_actions_offered_total{{action=\"{kind}\",answer=\"taken\"}} ");
        let mut given = 0;
        for worker in workers {
            let shown = worker.metrics().await;
            given += shown.lines().filter(|line| line.starts_with(&taken)).count();
        }
        assert_eq!(given, 1, "one of them gives what comes to it to the other");
    }

    /// Whoever serves this kind puts aside what it cannot read, of a known cluster and of none.
    pub(crate) async fn puts_aside(&self, kind: &str) {
        let mut raw = Raw::connect(&self.nats, "operator").await;
        let broken = [("X bad".to_owned(), "1".to_owned())];
        let subject = format!("ht.action.v1.blue=2Eeu.{kind}.i-1");
        assert!(raw.publish(&subject, "", "no action").await);
        assert!(raw.publish_with(&subject, &broken, b"{}").await);
        eventually("two dead letters", BOUND, async || {
            let letters = subjects(&self.operator, Stream::Dead).await;
            match letters.len() {
                2 => Ok(()),
                _ => Err(format!("{letters:?}")),
            }
        })
        .await;
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
