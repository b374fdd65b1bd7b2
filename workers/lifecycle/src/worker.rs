//! From an action to a hook that is held open, or to an instance that is out of its load balancers.

use hollowtrees_aws::Aws;
use hollowtrees_cluster::Sight;
use hollowtrees_runtime::worker::{Failure, Handler, Job, Report};
use hollowtrees_schemas::{names::kind, proto};
use jiff::{SignedDuration, Timestamp};

pub use crate::cloud::Health;
use crate::{
    balancers::Balancers,
    checkpoint::Checkpoint,
    cloud::Cloud,
    config::{self, LAST_WORDS},
    find::{self, Found},
    hold::Hold,
    params::Params,
    telemetry::Telemetry,
};

/// The provider whose hooks and balancers these are.
const PROVIDER: &str = "aws";

/// Serves `hook` and `deregister`.
pub struct Lifecycle {
    aws: Aws,
    hook: config::Hook,
    balancers: Balancers,
    telemetry: Telemetry,
    health: Health,
    sight: Option<Sight>,
}

impl Lifecycle {
    /// A handler for the groups and balancers this AWS shows.
    pub fn new(aws: Aws, settings: &config::Settings, telemetry: Telemetry, health: Health) -> Self {
        Self {
            aws,
            hook: settings.hook.clone(),
            balancers: Balancers::new(&settings.deregister),
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

impl Handler for Lifecycle {
    async fn handle(&self, job: Job) -> Result<Report, Failure> {
        let target = job.action().target.clone().unwrap_or_default();
        let deregister = job.action().kind == kind::DEREGISTER;
        if !target.provider.is_empty() && target.provider != PROVIDER {
            let (reason, what) = if deregister {
                ("not-registered", "load balancers of AWS")
            } else {
                ("not-in-group", "lifecycle hooks")
            };
            let message = format!(
                "{} is of {}, which has no {what}.",
                job.action().instance,
                target.provider
            );
            return Ok(Report::skipped(reason, message));
        }
        let region = self.region_of(&target)?;
        if deregister {
            // Who goes at the same time shares what is read.
            if let Some(elsewhere) = job.elsewhere(&[&target.account, &region]) {
                return Err(elsewhere);
            }
        }
        let cloud = Cloud {
            region: self.aws.account(&target.account).region(&region),
            telemetry: self.telemetry.clone(),
            health: self.health.clone(),
        };
        if deregister {
            Box::pin(self.balancers.serve(job, cloud)).await
        } else {
            Box::pin(self.hold(job, cloud)).await
        }
    }
}

impl Lifecycle {
    async fn hold(&self, mut job: Job, cloud: Cloud) -> Result<Report, Failure> {
        let params = Params::of(job.action())?;
        let checkpoint = match Checkpoint::of(&job).await {
            Some(checkpoint) => checkpoint,
            None => match find::hook(&mut job, &cloud, &params, &self.hook).await? {
                Found::Hook(found) => *found,
                Found::None(report) => return Ok(report),
            },
        };
        let sight = self.sight.as_ref();
        let nodes = sight
            .and_then(|sight| sight.nodes_of(&job.action().cluster))
            .cloned();
        let _held = self.telemetry.holding();
        let hold = Hold {
            job,
            cloud,
            nodes,
            params,
            checkpoint,
            poll: self.hook.poll,
            format: self.hook.format.into(),
            heartbeat_from: None,
            tell_from: None,
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

/// All is said by then, so that we speak before the loop ends us.
pub(crate) fn ends_by(job: &Job) -> Timestamp {
    let (now, last) = (job.now(), job.ends_by());
    let quarter = last.duration_since(now).max(SignedDuration::ZERO) / 4;
    let words = SignedDuration::try_from(LAST_WORDS).unwrap_or_default();
    last - words.min(quarter)
}
