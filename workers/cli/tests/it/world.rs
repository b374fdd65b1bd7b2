//! Plays router and workers: the same decisions, the same messages, without their processes.

use hollowtrees_bus::{
    Bus,
    dead::{Class, Reason},
    topology::Consumer,
};
use hollowtrees_domain::{
    incident::{Change, Incident, merge},
    notice::Notice,
    rule::{Attributes, Candidate, Rule, Rules},
    run::{Command, Ended, Event, Run},
    words,
};
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    id::ActionId,
    key,
    outgoing::{self, Outgoing},
    proto::{self, time::to_proto},
    subject::{IncidentEvent, RunEvent},
};
use jiff::{SignedDuration, Timestamp};

/// Who plays the worker.
pub(crate) fn worker() -> proto::Worker {
    proto::Worker {
        kind: "drain".to_owned(),
        process: "drain-7f".to_owned(),
        version: "1".to_owned(),
    }
}

/// An interruption as the agent tells it, `seconds` before the end.
pub(crate) fn interruption(cluster: &str, instance: &str, seconds: i64) -> proto::Notice {
    let now = Timestamp::now();
    proto::Notice {
        cluster: cluster.to_owned(),
        provider: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        zone: "eu-west-1a".to_owned(),
        instance: instance.to_owned(),
        kind: "spot-interruption".to_owned(),
        provider_action: "terminate".to_owned(),
        noticed_at: Some(to_proto(now)),
        deadline: Some(to_proto(now + SignedDuration::from_secs(seconds))),
        node: "ip-10-0-0-1".to_owned(),
        group: "workers".to_owned(),
        instance_type: "m5.large".to_owned(),
        ..proto::Notice::default()
    }
}

pub(crate) async fn publish(bus: &Bus, out: Result<Outgoing, hollowtrees_schemas::codec::EncodeError>) {
    bus.publish(&out.unwrap(), None).await.unwrap();
}

/// Tells a notice.
pub(crate) async fn tell(bus: &Bus, notice: &proto::Notice, source: &str) {
    let envelope = envelope::notice(notice.clone(), source);
    publish(bus, outgoing::notice(&envelope, DataFormat::Json)).await;
}

/// One instance in the hands of router and workers.
pub(crate) struct Case {
    pub(crate) bus: Bus,
    pub(crate) incident: Incident,
    pub(crate) run: Run,
    source: String,
}

impl Case {
    /// The router takes the notice up: incident, run, actions of the first step.
    pub(crate) async fn opened(bus: &Bus, message: &proto::Notice) -> Self {
        tell(bus, message, "/aws/123456789012/eu-west-1/imds").await;
        let now = Timestamp::now();
        let notice = Notice::parse(message.clone(), "/aws/123456789012/eu-west-1/imds", now).unwrap();
        let key = key::incident(&notice.key);
        let known = bus.incidents().get(&key).await.unwrap();
        let before = known
            .as_ref()
            .map(|known| Incident::try_from(known.value.clone()).unwrap());
        let merged = merge(before.as_ref(), &notice, now);
        assert!(
            matches!(merged.change, Change::Opened | Change::Reopened),
            "{:?}",
            merged.change
        );
        let mut incident = merged.incident;
        let rules = Rules::default_rules();
        let rule = matching(&rules, &notice);
        incident.runs.push(incident.wanted_run(&rule.name).unwrap());
        let record = proto::Incident::from(&incident);
        match known {
            Some(known) => {
                bus.incidents()
                    .update(&key, &record, known.revision)
                    .await
                    .unwrap();
            }
            None => {
                bus.incidents().create(&key, &record).await.unwrap();
            }
        }
        let run = Run::plan(rule, &incident, now);
        let mut case = Self {
            bus: bus.clone(),
            source: envelope::source(&["hollowtrees", incident.key.cluster(), "router"]),
            incident,
            run,
        };
        case.incident_event(IncidentEvent::Opened).await;
        let started = envelope::run(RunEvent::Started, proto::Run::from(&case.run), &case.source);
        publish(bus, outgoing::run(RunEvent::Started, &started, DataFormat::Json)).await;
        case.happens(Event::Created).await;
        case
    }

    async fn incident_event(&self, event: IncidentEvent) {
        let envelope = envelope::incident(event, proto::Incident::from(&self.incident), &self.source);
        publish(&self.bus, outgoing::incident(event, &envelope, DataFormat::Json)).await;
    }

    /// The run meets an event; what follows is done and the record written.
    async fn happens(&mut self, event: Event<'_>) {
        let mut decision = self.run.decide(event, Timestamp::now());
        loop {
            self.run = decision.run;
            let mut published = Vec::new();
            for command in decision.commands {
                match command {
                    Command::Publish(actions) => {
                        for action in actions {
                            published.push(action.id.parse::<ActionId>().unwrap());
                            let envelope = envelope::action(action, &self.source);
                            publish(&self.bus, outgoing::action(&envelope, DataFormat::Json)).await;
                        }
                    }
                    Command::Finish(_) => {
                        let run = proto::Run::from(&self.run);
                        let envelope = envelope::run(RunEvent::Finished, run, &self.source);
                        publish(
                            &self.bus,
                            outgoing::run(RunEvent::Finished, &envelope, DataFormat::Json),
                        )
                        .await;
                    }
                    Command::Settle { .. } => panic!("nothing is late here"),
                }
            }
            if published.is_empty() {
                break;
            }
            decision = self.run.decide(Event::Published(&published), Timestamp::now());
        }
        let key = self.run.store_key();
        self.bus
            .runs()
            .put(&key, &proto::Run::from(&self.run))
            .await
            .unwrap();
    }

    pub(crate) fn action(&self, kind: &str) -> ActionId {
        let found = self.run.actions.iter().find(|action| action.kind == kind);
        found.unwrap().id.clone()
    }

    fn outcome(&self, kind: &str, result: &str, reason: &str) -> proto::Outcome {
        let now = Timestamp::now();
        proto::Outcome {
            action_id: self.action(kind).to_string(),
            cluster: self.run.key.cluster().to_owned(),
            kind: kind.to_owned(),
            instance: self.run.key.instance().to_owned(),
            generation: self.run.generation,
            result: result.to_owned(),
            reason: reason.to_owned(),
            mode: self.run.key.mode().to_owned(),
            worker: Some(worker()),
            attempt: 1,
            times: Some(proto::Times {
                started_at: Some(to_proto(now - SignedDuration::from_millis(1_500))),
                ended_at: Some(to_proto(now)),
                ..proto::Times::default()
            }),
            deadline: self.run.deadline.map(to_proto),
            ..proto::Outcome::default()
        }
    }

    /// A worker tells a fact on the way.
    pub(crate) async fn progress(&self, kind: &str, reason: &str) {
        let outcome = self.outcome(kind, "progress", reason);
        let envelope = envelope::outcome(outcome, &self.source);
        publish(&self.bus, outgoing::outcome(&envelope, DataFormat::Json)).await;
    }

    /// A worker ends an action, and the router hears of it.
    pub(crate) async fn ends(&mut self, kind: &str, result: words::Outcome, reason: &str) {
        self.ends_with(kind, result, reason, None).await;
    }

    /// The same, with a detail.
    pub(crate) async fn ends_with(
        &mut self,
        kind: &str,
        result: words::Outcome,
        reason: &str,
        detail: Option<serde_json::Value>,
    ) {
        let outcome = proto::Outcome {
            detail: detail.map(|detail| serde_json::from_value(detail).unwrap()),
            ..self.outcome(kind, result.as_str(), reason)
        };
        let envelope = envelope::outcome(outcome, &self.source);
        publish(&self.bus, outgoing::outcome(&envelope, DataFormat::Json)).await;
        let id = self.action(kind);
        let ended = Ended::new(result, reason, "", Timestamp::now());
        self.happens(Event::OutcomeIn {
            action: &id,
            ended: &ended,
        })
        .await;
    }

    /// A worker claims an action.
    pub(crate) async fn claims(&self, kind: &str) {
        let entry = proto::LedgerEntry {
            schema: 1,
            state: "running".to_owned(),
            owner: Some(worker()),
            attempt: 2,
            started_at: Some(to_proto(Timestamp::now())),
            ..proto::LedgerEntry::default()
        };
        let key = key::ledger(self.run.key.cluster(), &self.action(kind));
        self.bus.ledger().create(&key, &entry).await.unwrap();
    }

    /// The incident is over.
    pub(crate) async fn closes(&mut self) {
        self.incident.state = words::IncidentState::Closed;
        self.incident.closed_at = Some(Timestamp::now());
        self.incident.changes += 1;
        let key = key::incident(&self.incident.key);
        self.bus
            .incidents()
            .put(&key, &proto::Incident::from(&self.incident))
            .await
            .unwrap();
        self.incident_event(IncidentEvent::Closed).await;
    }
}

fn matching<'a>(rules: &'a Rules, notice: &Notice) -> &'a Rule {
    let attributes = Attributes::new();
    let candidate = Candidate {
        attributes: &attributes,
        notice,
    };
    let name = rules.matching(&candidate).next().unwrap().name.clone();
    rules.get(&name).unwrap()
}

/// The worker of a consumer gives up on its next message.
pub(crate) async fn bury(
    bus: &Bus,
    consumer: &Consumer,
    class: Class,
    text: &str,
    action: Option<&ActionId>,
) -> u64 {
    let mut from = bus.consume(consumer, 1).await.unwrap();
    let delivery = from.next().await;
    let reason = Reason {
        class,
        text: text.to_owned(),
        attempts: 3,
        action_id: action.map(ActionId::as_str),
        cluster: "prod",
        worker: &worker(),
    };
    let kept = bus.dead_letter(&delivery, &reason).await.unwrap();
    delivery.term().await;
    kept.sequence
}
