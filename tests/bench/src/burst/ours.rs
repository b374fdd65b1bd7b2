//! The same by notices, router and drain worker.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use hollowtrees_bus::{
    read::{From, Until},
    topology::Consumer,
};
use hollowtrees_harness::{
    ControlPlane, Error,
    control_plane::{Entry, Part, fixtures},
    try_eventually,
};
use hollowtrees_schemas::{
    envelope::Envelope,
    names::{Stream, result},
    proto::{self, time},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::ground::{BOUND, Ground};
use crate::{
    cost::{busy, status},
    roles::Role,
    setup::{self, Process, Setup},
};

/// The user whose requests are counted.
const USER: &str = "bench-drain";

const RULES: &str = "
version: 1
rules:
  - name: burst
    match: { exact: { data.kind: spot-interruption } }
    steps: [{ actions: [drain] }]
";

/// Router and drain worker, ready, on a bus of their own.
pub(super) struct Ours<'a> {
    plane: &'a ControlPlane,
    setup: Setup,
    _router: Process,
    drain: Process,
}

/// One node, from its notice on.
pub(super) struct Drained {
    pub(super) instance: String,
    pub(super) cordoned: Duration,
    pub(super) drained: Duration,
    /// Its deadline was met.
    pub(super) in_time: bool,
    /// Pods in a list of the outcome.
    counts: BTreeMap<String, usize>,
}

/// What became of all of them.
pub(super) struct Told {
    pub(super) nodes: Vec<Drained>,
    /// Requests to the API server but watches and those of `repeated`.
    pub(super) requests: usize,
    /// Answers that ask for the same once more.
    pub(super) repeated: usize,
    /// Evictions asked for, by pod.
    pub(super) tries: BTreeMap<String, usize>,
    /// Processor time of the drain worker and of the API server meanwhile.
    pub(super) cpu: (Duration, Duration),
    /// Most memory the drain worker ever had, in MiB.
    pub(super) peak_mib: f64,
}

impl<'a> Ours<'a> {
    pub(super) async fn start(plane: &'a ControlPlane, options: &[(&str, &str)]) -> Result<Self> {
        let consumer = Consumer::actions(
            "drain",
            Some("c1"),
            &["cordon", "drain", "remove-node", "uncordon"],
        );
        let setup = Setup::with(consumer).await?;
        let router = setup.router_by(RULES).await?;
        let kubeconfig = plane.kubeconfig_for_user(USER, Some("system:masters"))?;
        let mut env = vec![
            ("HT_CLUSTER__NAME", "c1".to_owned()),
            ("HT_CLUSTER__KUBECONFIG", kubeconfig.display().to_string()),
        ];
        env.extend(options.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let drain = setup.process(Role::Drain, &env).await?;
        Ok(Self {
            plane,
            setup,
            _router: router,
            drain,
        })
    }

    /// Memory of the drain worker now and at most, in MiB.
    pub(super) fn memory(&self) -> Result<(f64, f64)> {
        let pid = self.drain.pid()?;
        Ok((status(pid, "VmRSS:")? / 1024.0, status(pid, "VmHWM:")? / 1024.0))
    }

    /// Gives notice of all nodes at once, each with its deadline, and waits for all outcomes.
    pub(super) async fn drain(
        &self,
        ground: &Ground,
        deadline: impl Fn(usize) -> SignedDuration,
    ) -> Result<Told> {
        let plane = self.plane;
        let server = plane.part(Part::ApiServer).pid().context("the API server runs")?;
        let audit = plane.audit().from_now()?;
        let count = ground.nodes();
        let cpu_before = (busy(self.drain.pid()?)?, busy(server)?);
        let began_at = Timestamp::now();
        let deadlines: BTreeMap<String, Timestamp> = (0..count)
            .map(|i| (fixtures::instance_id(&ground.name, i), began_at + deadline(i)))
            .collect();
        let notices: Vec<_> = deadlines
            .iter()
            .map(|(instance, deadline)| setup::notice_of(instance, *deadline))
            .collect::<Result<_>>()?;
        let ended = self.outcomes(ground, &deadlines);
        let sent = stream::iter(&notices)
            .map(|notice| self.setup.bus.publish(notice, None))
            .buffer_unordered(256)
            .try_for_each(async |_| Ok(()));
        let (sent, ended) = tokio::join!(sent, ended);
        sent?;
        let nodes = ended?;
        let cpu = (
            busy(self.drain.pid()?)?.saturating_sub(cpu_before.0),
            busy(server)?.saturating_sub(cpu_before.1),
        );
        let is_event = |entry: &&Entry| entry.resource == "events";
        // Events are told on the side: those of the last nodes may be under way.
        let entries = try_eventually("two events a node", Duration::from_secs(60), || async {
            let mut entries = audit.entries()?;
            entries.retain(|entry| entry.user == USER && entry.verb != "watch");
            let events = entries.iter().filter(is_event).count();
            if events >= 2 * count {
                Ok(entries)
            } else {
                Err(Error::new(format!("{events} of {}", 2 * count)))
            }
        })
        .await?;
        let is_repeated = |entry: &&Entry| matches!(entry.code, 409 | 422 | 429);
        let repeated = entries.iter().filter(is_repeated).count();
        let mut tries = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.resource == "pods/eviction") {
            *tries.entry(entry.name.clone()).or_default() += 1;
        }
        Ok(Told {
            nodes,
            requests: entries.len() - repeated,
            repeated,
            tries,
            cpu,
            peak_mib: self.memory()?.1,
        })
    }

    async fn outcomes(
        &self,
        ground: &Ground,
        deadlines: &BTreeMap<String, Timestamp>,
    ) -> Result<Vec<Drained>> {
        let bus = self.setup.another().await?;
        let mut reading = bus
            .read(Stream::Outcomes, &[], From::First, Until::Stopped)
            .await?;
        let (began, began_at) = (Instant::now(), Timestamp::now());
        let mut nodes = Vec::new();
        while nodes.len() < deadlines.len() {
            let message = tokio::time::timeout(BOUND, reading.next())
                .await
                .with_context(|| format!("{} of {} nodes are drained", nodes.len(), deadlines.len()))??
                .context("the reading goes on")?;
            let outcome = Envelope::<proto::Outcome>::decode(&message.wire)?.data;
            let deadline = deadlines.get(&outcome.instance);
            let Some(deadline) = deadline.filter(|_| result::is_final(&outcome.result)) else {
                continue;
            };
            let at = outcome.times.as_ref().and_then(|times| times.cordoned_at);
            let at = time::from_proto(&at.context("a drained node was cordoned")?)?;
            let detail = serde_json::to_value(outcome.detail.clone().context("a drain has a detail")?)?;
            let lists = detail.as_object().into_iter().flatten();
            nodes.push(Drained {
                cordoned: Duration::try_from(at.duration_since(began_at)).unwrap_or_default(),
                drained: began.elapsed(),
                in_time: outcome.result == result::SUCCEEDED && Timestamp::now() <= *deadline,
                counts: lists
                    .filter_map(|(name, list)| Some((name.clone(), Value::as_array(list)?.len())))
                    .collect(),
                instance: outcome.instance,
            });
        }
        let gone: usize = ["evicted", "deleted", "forced"]
            .into_iter()
            .map(|list| nodes.iter().map(|node| node.count(list)).sum::<usize>())
            .sum();
        ensure!(
            gone == ground.pods(),
            "{gone} of {} pods are told of",
            ground.pods()
        );
        let left = ground.admin.list(&super::ground::pods_path(&ground.name)).await?;
        ensure!(left.is_empty(), "{} pods are left", left.len());
        Ok(nodes)
    }
}

impl Drained {
    /// Pods in a list of its outcome.
    pub(super) fn count(&self, list: &str) -> usize {
        self.counts.get(list).copied().unwrap_or_default()
    }
}
