//! AZRebalance of groups whose swaps ended without having resumed it.

use hollowtrees_aws::Refusal;
use hollowtrees_bus::Bus;
use hollowtrees_domain::swap::{balance::REBALANCE, book, note};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use jiff::Timestamp;

use crate::{
    cloud::Cloud,
    group::{Changed, Place},
    leftovers::SWEEP,
};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// It was, or the group is gone.
    Done,
    /// A swap is open, which will do it.
    Busy,
    /// AWS did not do it.
    Refused,
}

/// Resumes it under the lease of the group, if no swap is open.
pub(crate) async fn resume(
    bus: &Bus,
    cloud: &Cloud,
    me: &proto::Worker,
    of: &proto::Group,
) -> Result<Resumed, Failure> {
    let place = Place::new(&of.account, &of.region, &of.name);
    let ours = place
        .change(bus, |record| {
            let needed = record.rebalance_suspended && !book::has_open(record);
            if needed && book::lease(record, me, SWEEP, Timestamp::now()).is_ok() {
                Changed::Write(true)
            } else {
                Changed::Leave(false)
            }
        })
        .await?;
    if !ours {
        return Ok(Resumed::Busy);
    }
    let answer = cloud.told("resume", cloud.region.suspend(&of.name, REBALANCE, false).await);
    let resumed = match &answer {
        Ok(()) => Resumed::Done,
        Err(Refusal::Rejected { .. } | Refusal::Missing { .. }) => match cloud.region.group(&of.name).await {
            Ok(None) => Resumed::Done,
            _ => Resumed::Refused,
        },
        Err(_) => Resumed::Refused,
    };
    match &answer {
        Err(refusal) if resumed == Resumed::Refused => {
            tracing::warn!(group = of.name, %refusal, "AZRebalance of a group, which a swap had suspended, could not be resumed.");
        }
        _ => tracing::warn!(
            group = of.name,
            "AZRebalance of a group, which a swap had suspended and left so, is resumed."
        ),
    }
    place
        .change(bus, |record| {
            if !book::holds(record, me, SWEEP) {
                return Changed::Leave(());
            }
            if resumed == Resumed::Done {
                note::resumed(record, Timestamp::now());
            }
            record.lease = None;
            Changed::Write(())
        })
        .await?;
    Ok(resumed)
}
