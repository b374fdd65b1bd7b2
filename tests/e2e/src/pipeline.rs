//! A server, routers and counting workers, each a process of its own.

use std::{net::SocketAddr, path::Path, time::Duration};

use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Consumer, Profile},
};
use hollowtrees_harness::{Worker, ports::Port};
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    outgoing, proto,
    proto::time::to_proto,
};
use jiff::{SignedDuration, Timestamp};

use crate::effects::Effects;

/// Cluster of every instance here.
pub const CLUSTER: &str = "c1";
/// How long a process may take to be ready.
const START: Duration = Duration::from_secs(60);

/// Where the two programs are: `env!("CARGO_BIN_EXE_...")` of the test that runs them.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// `router`
    pub router: &'static str,
    /// `counting-worker`
    pub worker: &'static str,
}

/// One process and where it answers.
pub struct Process {
    /// The process.
    pub worker: Worker,
    _port: Port,
    address: SocketAddr,
}

impl Process {
    /// Waits until it says that it is ready.
    pub async fn ready(&self) {
        self.worker
            .ready(&format!("http://{}/readyz", self.address), START)
            .await
            .unwrap();
    }

    /// Its metrics as text.
    pub async fn metrics(&self) -> String {
        let (_, body) = hollowtrees_harness::http_get::get(&format!("http://{}/metrics", self.address))
            .await
            .unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

/// The servers' side of a pipeline: the bus with everything on it, and the world.
pub struct Pipeline {
    /// A connection of the test's own.
    pub bus: Bus,
    /// The world that workers act upon.
    pub world: Effects,
    programs: Programs,
    urls: String,
    world_address: SocketAddr,
}

impl Pipeline {
    /// Applies the topology to the server at `urls` and starts a world; no process yet.
    pub async fn prepare(programs: Programs, urls: &[String], profile: Profile) -> Self {
        let bus = Bus::connect(&Options {
            urls: urls.to_vec(),
            ..Options::default()
        })
        .await
        .unwrap();
        let mut consumers = topology::consumers();
        consumers.push(Consumer::actions("count", None, &["drain", "asg-swap"]));
        apply::apply(&bus, profile, &consumers).await.unwrap();
        let (world, world_address) = Effects::serve().await;
        Self {
            bus,
            world,
            programs,
            urls: urls.join(","),
            world_address,
        }
    }

    /// Starts a router, with rules of its own if `rules` is given.
    pub fn router(&self, name: &str, rules: Option<&Path>) -> Process {
        let rules = rules.map(|file| ("HT_RULES__FILE", file.display().to_string()));
        self.start(name, self.programs.router, rules.into_iter().collect())
    }

    /// Starts a counting worker that pauses before and after each effect.
    pub fn worker(&self, name: &str, pause: Duration) -> Process {
        let own = vec![
            ("HT_WORLD", format!("http://{}", self.world_address)),
            ("HT_PAUSE", format!("{}ms", pause.as_millis())),
        ];
        self.start(name, self.programs.worker, own)
    }

    fn start(&self, name: &str, program: &str, own: Vec<(&str, String)>) -> Process {
        let port = Port::reserve().unwrap();
        let address = port.addr();
        let builder = Worker::builder(name, program)
            .env("HT_NATS__URL", &self.urls)
            .env("HT_NATS__REQUEST_TIMEOUT", "2s")
            .env("HT_HEALTH__LISTEN", address.to_string())
            .env("HT_LOG__FILTER", "info");
        let builder = own
            .into_iter()
            .fold(builder, |builder, (name, value)| builder.env(name, value));
        Process {
            worker: builder.start().unwrap(),
            _port: port,
            address,
        }
    }

    /// Publishes a notice and waits for it to be stored.
    pub async fn notify(&self, notice: proto::Notice, source: &str) {
        let envelope = envelope::notice(notice, source);
        self.bus
            .publish(&outgoing::notice(&envelope, DataFormat::Json).unwrap(), None)
            .await
            .unwrap();
    }
}

/// A spot interruption of `instance`, as an agent tells it.
pub fn interruption(instance: &str, seconds_left: i64) -> proto::Notice {
    let now = Timestamp::now();
    proto::Notice {
        cluster: CLUSTER.to_owned(),
        provider: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        instance: instance.to_owned(),
        kind: "spot-interruption".to_owned(),
        state: "active".to_owned(),
        certainty: "certain".to_owned(),
        mode: "live".to_owned(),
        provider_action: "terminate".to_owned(),
        noticed_at: Some(to_proto(now)),
        deadline: Some(to_proto(now + SignedDuration::from_secs(seconds_left))),
        ..proto::Notice::default()
    }
}
