//! One interruption that the agent, a queue and an alert tell of, in any order: one incident, drained and replaced once.

use std::time::Duration;

use bytes::Bytes;
use hollowtrees_bus::read::{From, Until};
use hollowtrees_e2e::checker::Books;
use hollowtrees_harness::{Metadata, eventually, http_get, metadata::Instance, ports::Port};
use hollowtrees_schemas::{
    envelope::Envelope,
    names::{Stream, certainty, kind, result},
    proto,
};
use hollowtrees_stage::{
    Machine, Process,
    machines::ACCOUNT,
    rig::{CLUSTER, REGION},
};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{BOUND, World};

const RULES: &str = "
version: 1
rules:
  - name: interruption
    match: { exact: { data.kind: spot-interruption } }
    steps: [{ actions: [drain, asg-swap] }]
  - name: alert
    match: { exact: { data.kind: alert } }
    steps: [{ actions: [cordon] }]
";
/// The instance is gone after this, by its metadata service.
const BY_METADATA: Duration = Duration::from_secs(110);
/// The event on the queue is so old that what it says is a little earlier: 120 s after its time.
const QUEUED_AGO: SignedDuration = SignedDuration::from_secs(15);
/// The alert fires since then.
const FIRING_SINCE: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Copy, Debug)]
enum Source {
    Agent,
    Queue,
    Alert,
}

use Source::{Agent, Alert, Queue};

const ORDERS: [[Source; 3]; 6] = [
    [Agent, Queue, Alert],
    [Agent, Alert, Queue],
    [Queue, Agent, Alert],
    [Queue, Alert, Agent],
    [Alert, Agent, Queue],
    [Alert, Queue, Agent],
];

/// The ways in, and what they need.
struct Ways {
    world: World,
    queue: String,
    gateway: Port,
    _process: Process,
}

impl Ways {
    async fn open(world: World) -> Self {
        let queue = world.rig.aws.create_queue(REGION, "events").await.unwrap();
        let gateway = Port::reserve().unwrap();
        let process = world
            .rig
            .start_gateway("gateway", &queue, gateway.addr())
            .unwrap();
        process.ready().await.unwrap();
        Self {
            world,
            queue,
            gateway,
            _process: process,
        }
    }

    async fn tell(&self, machine: &Machine, metadata: &Metadata, source: Source) {
        match source {
            Agent => metadata.interrupt("terminate", BY_METADATA),
            Queue => self.queued(machine).await,
            Alert => self.alerted(machine).await,
        }
    }

    async fn queued(&self, machine: &Machine) {
        let event = json!({
            "version": "0",
            "id": format!("event-of-{}", machine.instance),
            "detail-type": "EC2 Spot Instance Interruption Warning",
            "source": "aws.ec2",
            "account": ACCOUNT,
            "time": (Timestamp::now() - QUEUED_AGO).to_string(),
            "region": REGION,
            "resources": [format!("arn:aws:ec2:{}:instance/{}", machine.zone, machine.instance)],
            "detail": {"instance-id": machine.instance, "instance-action": "terminate"},
        });
        let bodies = [event.to_string()];
        self.world
            .rig
            .aws
            .send(REGION, &self.queue, &bodies)
            .await
            .unwrap();
    }

    async fn alerted(&self, machine: &Machine) {
        let alert = json!([{
            "labels": {
                "alertname": "SpotTerminationNotice", "instance_id": machine.instance, "cluster_name": CLUSTER,
            },
            "annotations": {},
            "startsAt": (Timestamp::now() - FIRING_SINCE).to_string(),
            "endsAt": (Timestamp::now() + SignedDuration::from_mins(5)).to_string(),
        }]);
        let url = format!("http://{}/api/v2/alerts", self.gateway.addr());
        let headers = [("content-type", "application/json")];
        let (status, body) = http_get::send(Method::POST, &url, &headers, Bytes::from(alert.to_string()))
            .await
            .unwrap();
        assert_eq!(status, StatusCode::OK, "{body:?}");
    }

    /// The notices about an instance, in the order in which the bus stored them.
    async fn notices(&self, instance: &str) -> Vec<proto::Notice> {
        let mut reading = self
            .world
            .rig
            .bus
            .read(Stream::Notices, &[], From::First, Until::Present)
            .await
            .unwrap();
        let mut found = Vec::new();
        while let Some(message) = reading.next().await.unwrap() {
            let notice = Envelope::<proto::Notice>::decode(&message.wire).unwrap().data;
            if notice.instance == instance {
                found.push(notice);
            }
        }
        found
    }
}

fn of(time: Option<pbjson_types::Timestamp>) -> Timestamp {
    proto::time::from_proto(&time.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_interruption_by_three_ways_in_any_order_is_one_incident_drained_and_replaced_once() {
    let ways = Ways::open(World::make_by(RULES, 6).await).await;
    let rig = &ways.world.rig;
    let mut services = Vec::new();
    for machine in &ways.world.machines {
        let metadata =
            Metadata::start(Instance::new(&machine.instance, &machine.zone).hostname(&machine.node))
                .await
                .unwrap();
        let agent = rig.start_agent(machine, &metadata).unwrap();
        agent.ready().await.unwrap();
        services.push((metadata, agent));
    }
    let one = async |index: usize| {
        let machine = &ways.world.machines[index];
        let (metadata, _) = &services[index];
        for (told, source) in (1..).zip(ORDERS[index]) {
            ways.tell(machine, metadata, source).await;
            eventually(format!("{source:?} about {}", machine.node), BOUND, async || {
                let found = ways.notices(&machine.instance).await;
                if found.len() == told {
                    Ok(())
                } else {
                    Err(format!("{found:?}"))
                }
            })
            .await;
        }
    };
    futures::join!(one(0), one(1), one(2), one(3), one(4), one(5));

    let books = Books::when_finished(&rig.bus, ORDERS.len(), BOUND).await;
    books.assert_sound();
    assert_eq!(books.incidents.len(), ORDERS.len(), "one for each instance");
    assert_eq!(books.runs.len(), 2 * ORDERS.len(), "one for each rule");
    let wanted = [kind::ASG_SWAP, kind::CORDON, kind::DRAIN]
        .map(|kind| ((kind.to_owned(), result::SUCCEEDED.to_owned()), ORDERS.len()));
    assert_eq!(books.results(), wanted.into());
    for incident in books.incidents.values() {
        let mut sources: Vec<_> = incident.facts.iter().map(|fact| fact.source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        assert_eq!(incident.generation, 1);
        assert_eq!(incident.certainty, certainty::CERTAIN);
        let notices = ways.notices(&incident.instance).await;
        assert_eq!(notices.len(), 3, "{notices:?}");
        let tightest = notices
            .iter()
            .filter_map(|notice| notice.deadline)
            .map(|time| of(Some(time)))
            .min();
        assert_eq!(Some(of(incident.deadline)), tightest, "{incident:?}");
        assert!(sources.len() >= 2, "{incident:?}");
        assert!(
            of(incident.noticed_at) <= Timestamp::now() - FIRING_SINCE,
            "the alert was first by its own account: {incident:?}"
        );
    }
}
