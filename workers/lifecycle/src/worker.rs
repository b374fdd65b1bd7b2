//! From an action to a hook that is held open.

use hollowtrees_aws::Aws;
use hollowtrees_cluster::Sight;
use hollowtrees_runtime::worker::{Failure, Handler, Job, Report};
use hollowtrees_schemas::proto;

pub use crate::cloud::Health;
use crate::{
    checkpoint::Checkpoint,
    cloud::Cloud,
    config,
    find::{self, Found},
    hold::Hold,
    params::Params,
    report,
    telemetry::Telemetry,
};

/// The provider whose hooks these are.
const PROVIDER: &str = "aws";

/// Serves `hook`.
pub struct Hooks {
    aws: Aws,
    settings: config::Hook,
    telemetry: Telemetry,
    health: Health,
    sight: Option<Sight>,
}

impl Hooks {
    /// A handler for the groups this AWS shows.
    pub fn new(aws: Aws, settings: &config::Hook, telemetry: Telemetry, health: Health) -> Self {
        Self {
            aws,
            settings: settings.clone(),
            telemetry,
            health,
            sight: None,
        }
    }

    /// With the nodes of a cluster, for hooks of launches there.
    #[must_use]
    pub fn seeing(self, sight: Option<Sight>) -> Self {
        Self { sight, ..self }
    }

    fn region_of(&self, target: &proto::Target) -> Result<String, Failure> {
        if !target.region.is_empty() {
            return Ok(target.region.clone());
        }
        self.aws.default_region().map(str::to_owned).ok_or_else(|| {
            Failure::rejected(
                "no-region",
                "the action names no region; have its origin name one, or set aws.region (HT_AWS__REGION), and redrive it",
            )
        })
    }
}

impl Handler for Hooks {
    async fn handle(&self, mut job: Job) -> Result<Report, Failure> {
        let params = Params::of(job.action())?;
        let target = job.action().target.clone().unwrap_or_default();
        if !target.provider.is_empty() && target.provider != PROVIDER {
            return Ok(Report::skipped(
                "not-in-group",
                format!(
                    "{} is of {}, which has no lifecycle hooks.",
                    job.action().instance,
                    target.provider
                ),
            ));
        }
        let cloud = Cloud {
            region: self.aws.region(&self.region_of(&target)?),
            telemetry: self.telemetry.clone(),
            health: self.health.clone(),
        };
        let checkpoint = match Checkpoint::of(&job).await {
            Some(checkpoint) => checkpoint,
            None => match find::hook(&mut job, &cloud, &params, &self.settings).await? {
                Found::Hook(found) => *found,
                Found::None(report) => return Ok(report),
            },
        };
        let sight = self.sight.as_ref();
        let nodes = sight
            .and_then(|sight| sight.nodes_of(&job.action().cluster))
            .cloned();
        if checkpoint.launching && nodes.is_none() {
            return Ok(report::sees_no_nodes(&job.action().cluster, &checkpoint));
        }
        let _held = self.telemetry.holding();
        let hold = Hold {
            job,
            cloud,
            nodes,
            params,
            checkpoint,
            poll: self.settings.poll,
            heartbeat_from: None,
            tries: 0,
            waited: Vec::new(),
        };
        Box::pin(hold.run()).await
    }
}

/// The process ends: whoever comes next finds in the checkpoint and in AWS how far it is.
pub(crate) fn stopping() -> Failure {
    Failure::transient("the process ends; another one goes on")
}
