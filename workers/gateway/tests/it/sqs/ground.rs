//! A bus, an AWS with a queue, and gateways that read it.

use std::{collections::BTreeMap, time::Duration};

use hollowtrees_bus::read::{From, Until};
use hollowtrees_harness::{Aws, aws::QueueDepth, eventually};
use hollowtrees_schemas::{envelope::Envelope, names::Stream, proto};
use serde_json::{Value, json};

use crate::{
    process::Process,
    world::{World, held, value},
};

pub(crate) const R: &str = "us-east-1";
/// Nothing here takes so long; a busy machine is given time.
pub(crate) const LONG: Duration = Duration::from_secs(240);

pub(crate) struct Ground {
    pub(crate) world: World,
    pub(crate) aws: Aws,
    pub(crate) queue: String,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        let aws = Aws::start().await.unwrap();
        let queue = aws.create_queue(R, "events").await.unwrap();
        Self {
            world: World::new().await,
            aws,
            queue,
        }
    }

    /// A gateway that reads the queue, ready.
    pub(crate) async fn gateway(&self, env: &[(&str, &str)]) -> Process {
        let process = self.begun(env);
        process.ready().await;
        process
    }

    /// A gateway that reads the queue, or tries to.
    pub(crate) fn begun(&self, env: &[(&str, &str)]) -> Process {
        let aws = self.aws.env(R);
        let mut all: Vec<_> = aws.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend([
            ("HT_HTTP__ENABLED", "false"),
            ("HT_SQS__QUEUES", self.queue.as_str()),
            ("HT_SQS__HIDDEN", "4s"),
            ("HT_SQS__WAIT", "2s"),
            ("HT_LOG__FILTER", "info,hollowtrees_gateway=debug"),
        ]);
        all.retain(|(key, _)| env.iter().all(|(other, _)| other != key));
        all.extend(env);
        Process::begin(&self.world, &all)
    }

    pub(crate) async fn send(&self, bodies: &[String]) {
        self.aws.send(R, &self.queue, bodies).await.unwrap();
    }

    /// Waits until the queue is so.
    pub(crate) async fn queue_is(&self, what: &str, within: Duration, is: impl Fn(&QueueDepth) -> bool) {
        eventually(what, within, async || {
            let depth = self.aws.queue_depth(R, &self.queue).await.unwrap();
            if is(&depth) {
                Ok(())
            } else {
                Err(format!("{depth:?}"))
            }
        })
        .await;
    }

    /// Waits until the queue holds nothing, taken or not. Asked twice: a message that is being taken while the server
    /// counts the two is in neither.
    pub(crate) async fn empty(&self) {
        self.empty_of(&self.queue).await;
    }

    /// The same of another queue.
    pub(crate) async fn empty_of(&self, queue: &str) {
        eventually("the queue to be empty", LONG, async || {
            for _ in 0..2 {
                let depth = self.aws.queue_depth(R, queue).await.unwrap();
                if (depth.waiting, depth.taken) != (0, 0) {
                    return Err(format!("{depth:?}, {} on the bus", self.stored().await));
                }
            }
            Ok(())
        })
        .await;
    }

    /// Starts the bus again, and waits until it answers us too.
    pub(crate) async fn bus_back(&self) {
        self.world.nats.restart().await.unwrap();
        eventually("the bus to answer", LONG, async || {
            let bus = &self.world.bus;
            let read = bus.read(Stream::Notices, &[], From::First, Until::Present);
            read.await.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }

    /// How many notices are on the bus.
    pub(crate) async fn stored(&self) -> usize {
        held(&self.world.bus, Stream::Notices).await.len()
    }

    /// Waits until at least so many notices are on the bus.
    pub(crate) async fn stored_at_least(&self, wanted: usize) {
        eventually("notices on the bus", LONG, async || {
            let found = self.stored().await;
            if found >= wanted { Ok(()) } else { Err(found) }
        })
        .await;
    }

    /// Notices by instance; panics where there are two of one.
    pub(crate) async fn notices(&self) -> BTreeMap<String, Envelope<proto::Notice>> {
        let mut by_instance = BTreeMap::new();
        for notice in self.world.notices().await {
            let instance = notice.data.instance.clone();
            let before = by_instance.insert(instance, notice);
            assert!(before.is_none(), "told twice: {before:?}");
        }
        by_instance
    }

    /// Waits until a series of the gateway's has at least this value.
    pub(crate) async fn counted(&self, process: &Process, series: &str, wanted: f64) {
        eventually(series, LONG, async || {
            let text = process.scrape().await;
            match value(&text, series) {
                Some(found) if found >= wanted => Ok(()),
                found => Err(format!("{found:?}")),
            }
        })
        .await;
    }
}

/// A body with these changed, `/detail/instance-id` say.
pub(crate) fn changed(body: &str, changes: &[(&str, &str)]) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    for (pointer, value) in changes {
        *body.pointer_mut(pointer).unwrap() = json!(value);
    }
    body.to_string()
}

/// A body of AWS's, as it is in the tables of the reader.
pub(crate) fn body(name: &str) -> String {
    let path = format!("{}/src/sqs/read/bodies/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A spot warning about this instance.
pub(crate) fn spot(instance: &str) -> String {
    changed(
        &body("spot"),
        &[("/detail/instance-id", instance), ("/region", R)],
    )
}
