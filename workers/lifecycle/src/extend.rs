//! More time for the work that a hook is held open for: its notice again, with the deadline that heartbeats have won.
//!
//! The wait is one event of the provider, by its token: of its notices the newest counts, also where its deadline is later
//! (`domain::incident::Fact::outweighs`). No other notice's deadline is moved by it, and the tightest of all is the incident's.

use std::time::Duration;

use hollowtrees_runtime::worker::Job;
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    names::{certainty, kind, state},
    outgoing,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{checkpoint::Checkpoint, params::Params};

/// How long it may take: heartbeats and answers have to wait for it.
const LIMIT: Duration = Duration::from_secs(3);
/// As the gateway says of a termination.
const TERMINATES: &str = "terminate";

/// The deadline that is to be told now. None: no more time was won, or asked for, or nobody has told how much there was:
/// where there is no deadline none is made.
pub(crate) fn deadline(of: &Checkpoint, params: &Params) -> Option<Timestamp> {
    let first = of
        .first_deadline
        .filter(|_| !of.launching && of.token.is_some())?;
    let deadline = of.times().extended(first, params.extend)?;
    of.extended_to
        .is_none_or(|told| told < deadline)
        .then_some(deadline)
}

/// Tells it. Told again it is the same notice.
pub(crate) async fn tell(
    job: &Job,
    of: &Checkpoint,
    deadline: Timestamp,
    format: DataFormat,
) -> Result<(), String> {
    let target = job.action().target.clone().unwrap_or_default();
    let source = envelope::source(&["aws", &target.account, &target.region, "lifecycle-hook"]);
    let notice = envelope::notice(notice(job, of, target, deadline), &source);
    let out = outgoing::notice(&notice, format).map_err(|error| error.to_string())?;
    let until = Timestamp::now() + SignedDuration::try_from(LIMIT).unwrap_or_default();
    let stored = job.bus().publish(&out, Some(until)).await;
    stored.map(drop).map_err(|error| error.to_string())
}

fn notice(job: &Job, of: &Checkpoint, target: proto::Target, deadline: Timestamp) -> proto::Notice {
    let action = job.action();
    let detail = json!({
        "AutoScalingGroupName": of.group,
        "LifecycleHookName": of.hook,
        "heartbeats": of.count(),
    });
    proto::Notice {
        cluster: action.cluster.clone(),
        provider: target.provider,
        account: target.account,
        region: target.region,
        zone: target.zone,
        instance: action.instance.clone(),
        kind: kind::ASG_TERMINATING.to_owned(),
        state: state::ACTIVE.to_owned(),
        certainty: certainty::CERTAIN.to_owned(),
        mode: action.mode.clone(),
        event_id: of.token.clone().unwrap_or_default(),
        provider_action: TERMINATES.to_owned(),
        noticed_at: Some(to_proto(job.now())),
        deadline: Some(to_proto(deadline)),
        node: target.node,
        group: target.group,
        instance_type: target.instance_type,
        labels: Default::default(),
        detail: serde_json::from_value(detail).ok(),
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_aws::{Hook, Transition};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn only_a_known_deadline_of_a_known_wait_is_moved() {
        let hook = Hook {
            name: "drain".to_owned(),
            transition: Some(Transition::Terminating),
            heartbeat: Duration::from_secs(100),
            global: Duration::from_secs(1_000),
        };
        let mut known = Checkpoint::new("g", &hook, Some("t".to_owned()), at(0));
        known.first_deadline = Some(at(100));
        known.prolong(at(50));
        let asked = Params {
            extend: SignedDuration::from_secs(300),
            ..Params::default()
        };
        let check = |of: Checkpoint, params: &Params, expected: Option<i64>| {
            assert_eq!(deadline(&of, params), expected.map(at), "{of:?}");
        };
        let changed = |change: &dyn Fn(&mut Checkpoint)| {
            let mut of = known.clone();
            change(&mut of);
            of
        };
        check(known.clone(), &asked, Some(140));
        check(known.clone(), &Params::default(), None);
        check(changed(&|of| of.token = None), &asked, None);
        check(changed(&|of| of.first_deadline = None), &asked, None);
        check(changed(&|of| of.launching = true), &asked, None);
        check(changed(&|of| of.extended_to = Some(at(140))), &asked, None);
        check(changed(&|of| of.extended_to = Some(at(139))), &asked, Some(140));
    }
}
