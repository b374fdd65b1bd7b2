//! What a swap may do, by its rule and its group's tags; and the wait that follows from it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use hollowtrees_domain::{
    recommend::{Price, on_demand},
    swap::{
        Policy, TAG_ALLOWED_TYPES, TAG_DENIED_TYPES, TAG_MAX_OPEN, TAG_PRICE_CEILING, book,
        policy::{self, BadPolicy},
        skip::tag,
        world::Group,
    },
};
use hollowtrees_runtime::worker::Failure;

use crate::{group::Place, saga::Saga};

/// How long at least until who lost a race asks again.
pub(crate) const ASKS_AGAIN: Duration = Duration::from_secs(1);
/// Larger files are not read.
const LARGEST: u64 = 32 << 20;

impl Saga<'_> {
    /// The action's words, and where it has none those of the group's tags.
    pub(crate) fn policy(&self, group: &Group) -> Result<Policy, Failure> {
        let tagged = Policy {
            allowed: tagged(group, TAG_ALLOWED_TYPES, policy::patterns)?,
            denied: tagged(group, TAG_DENIED_TYPES, policy::patterns)?,
            price_ceiling: tagged(group, TAG_PRICE_CEILING, policy::price_ceiling)?,
            max_open: tagged(group, TAG_MAX_OPEN, policy::max_open)?,
        };
        Ok(self.policy.clone().or(tagged))
    }

    /// Other swaps of the group that are open now.
    pub(crate) async fn others_open(&self, place: &Place) -> Result<usize, Failure> {
        let ended = self.ended_swaps(place).await?;
        let record = place.read(self.job.bus()).await?;
        Ok(book::others_open(&record, &self.job.action().id, &ended))
    }

    /// Whether the group may have one more open swap, and this is the next.
    ///
    /// # Errors
    /// It may not: the action is tried again while there is time until its deadline.
    pub(crate) async fn wait_for_others(&self, place: &Place, policy: &Policy) -> Result<(), Failure> {
        let Some(most) = policy.max_open else {
            return Ok(());
        };
        let action = &self.job.action().id;
        let record = place.read(self.job.bus()).await?;
        // An earlier start of it was let in.
        if book::has_entered(&record, action) {
            return Ok(());
        }
        let (deadline, now) = (self.job.deadline(), self.job.now());
        let line = self.swapper.waiting.queue(&place.key(), action, deadline, now);
        let open = self.others_open(place).await?;
        if line.before == 0 && usize::try_from(most).is_ok_and(|most| open < most) {
            return Ok(());
        }
        Err(crowded(open, most, line.again))
    }

    /// On-demand prices of the region, as far as the operator's file has them.
    pub(crate) async fn on_demand(&self) -> BTreeMap<String, Price> {
        let file = self.swapper.settings.on_demand.clone();
        on_demand_of(self.cloud.region.name(), file)
            .await
            .unwrap_or_else(|error| {
                tracing::error!(
                    error,
                    "Prices on demand cannot be read; price ceilings are not judged."
                );
                BTreeMap::new()
            })
    }
}

/// On-demand prices of a region, as far as the operator's file has them; without a file none.
///
/// # Errors
/// As [`read`].
pub(crate) async fn on_demand_of(
    region: &str,
    file: Option<PathBuf>,
) -> Result<BTreeMap<String, Price>, String> {
    let Some(path) = file else {
        return Ok(BTreeMap::new());
    };
    let read = tokio::task::spawn_blocking(move || read(&path)).await;
    let mut regions = read.unwrap_or_else(|broken| Err(broken.to_string()))?;
    Ok(regions.remove(region).unwrap_or_default())
}

/// The group has as many open swaps as it may.
pub(crate) fn crowded(open: usize, most: u32, again: Duration) -> Failure {
    Failure::Transient {
        cause: format!(
            "{open} other swaps of the group are open, {most} may be at once (max_open); those with an earlier deadline go first"
        ),
        after: Some(again),
    }
}

fn tagged<T>(
    group: &Group,
    key: &str,
    read: impl Fn(&str) -> Result<T, BadPolicy>,
) -> Result<Option<T>, Failure> {
    tag(group, key).map(read).transpose().map_err(|error| {
        Failure::rejected(
            "bad-policy",
            format!(
                "the tag {key} of {}: {error}; correct the tag and redrive this",
                group.name
            ),
        )
    })
}

/// Reads prices on demand.
///
/// # Errors
/// The file cannot be read, or is not as it should be.
pub(crate) fn read(path: &Path) -> Result<on_demand::OnDemand, String> {
    let told = |problem: String| format!("{}: {problem}", path.display());
    let size = std::fs::metadata(path)
        .map_err(|error| told(error.to_string()))?
        .len();
    if size > LARGEST {
        return Err(told(format!("has {size} bytes, expected at most {LARGEST}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
    on_demand::read(&text).map_err(told)
}
