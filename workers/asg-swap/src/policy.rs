//! What a swap may do, by its rule and its group's tags; and the wait that follows from it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hollowtrees_domain::{
    recommend::{Price, on_demand},
    swap::{
        Policy, TAG_ALLOWED_TYPES, TAG_COOLDOWN, TAG_DENIED_TYPES, TAG_FALLBACK, TAG_MAX_OPEN, TAG_ON_DEMAND,
        TAG_PRICE_CEILING,
        book::{self, Busy},
        policy::{self, BadPolicy, Share},
        share::{self, Roster},
        skip::tag,
        source,
        world::{Group, Instance},
    },
    words::Certainty,
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use jiff::{SignedDuration, Timestamp};

use crate::{
    group::{Changed, Place},
    saga::Saga,
};

/// How long at least until who lost a race asks again.
pub(crate) const ASKS_AGAIN: Duration = Duration::from_secs(1);
/// In place of a region: all of an account.
const ALL: &str = "*";
/// How long at most until it is looked again whether a group has rested.
const RESTS: Duration = Duration::from_secs(30);
/// Larger files are not read.
const LARGEST: u64 = 32 << 20;

/// Whether as many members are on demand as are to be.
pub(crate) struct OnDemand {
    share: Share,
    roster: Roster,
}

impl OnDemand {
    /// Whether they are, whatever this action launches, with what other swaps are about to.
    pub(crate) fn is_met(&self, record: &proto::Group, action: &str) -> bool {
        self.roster.outlook(record, action).meets(self.share)
    }

    /// Whether they are by those alone that no swap takes out.
    pub(crate) fn is_kept(&self, record: &proto::Group, action: &str) -> bool {
        self.roster.outlook(record, action).keeps(self.share)
    }

    /// How many are to be.
    pub(crate) fn needed(&self, record: &proto::Group, action: &str) -> usize {
        self.roster.outlook(record, action).needed(self.share)
    }
}

impl Saga<'_> {
    /// The action's words, and where it has none those of the group's tags.
    pub(crate) fn policy(&self, group: &Group) -> Result<Policy, Failure> {
        Ok(self.policy.clone().or(of_group(group)?))
    }

    /// Other swaps of the group that are open now.
    pub(crate) async fn others_open(&self, place: &Place) -> Result<usize, Failure> {
        let ended = self.ended_swaps(place).await?;
        let record = place.read(self.job.bus()).await?;
        Ok(book::others_open(&record, &self.job.action().id, &ended))
    }

    /// Whether the group, and then the account, may have one more open swap, and this is the next.
    ///
    /// # Errors
    /// It may not: the action is tried again while there is time until its deadline.
    pub(crate) async fn wait_for_others(
        &self,
        place: &Place,
        policy: &Policy,
        room: Option<Room>,
    ) -> Result<(), Failure> {
        let (most, account) = self.account_limit();
        if let Err(refused) = self.wait_for_group(place, policy, room).await {
            // Who waits for its group holds up no other one of its account.
            self.swapper.waiting.leave(&account.key(), &self.job.action().id);
            return Err(refused);
        }
        match most {
            Some(most) => self.wait_for_room(&account, most, OF_ACCOUNT).await,
            None => Ok(()),
        }
    }

    async fn wait_for_group(
        &self,
        place: &Place,
        policy: &Policy,
        room: Option<Room>,
    ) -> Result<(), Failure> {
        if room.is_none() && policy.cooldown.is_none() {
            return Ok(());
        }
        let action = &self.job.action().id;
        let record = place.read(self.job.bus()).await?;
        // An earlier start of it was let in.
        if book::has_entered(&record, action) {
            return Ok(());
        }
        let rests = policy
            .cooldown
            .and_then(|cooldown| book::rests_until(&record, cooldown));
        if let Some(until) = rests.filter(|until| *until > self.job.now()) {
            let left = Duration::try_from(until.duration_since(self.job.now())).unwrap_or_default();
            return Err(Failure::Transient {
                cause: format!("the group rests until {until} after its last swap (cooldown)"),
                after: Some(left.clamp(ASKS_AGAIN, RESTS)),
            });
        }
        match room {
            Some(Room { most, of }) => self.wait_for_room(place, most, of).await,
            None => Ok(()),
        }
    }

    /// How many swaps of a group may be open at once: what its tags or the rule say, or its instance maintenance policy, whichever
    /// is less. That policy is no reason to be late: it does not count where an interruption is certain, nor where the time that is
    /// left until the deadline is about what a swap takes.
    pub(crate) async fn room(
        &self,
        group: &Group,
        old: &Instance,
        policy: &Policy,
    ) -> Result<Option<Room>, Failure> {
        let said = policy.max_open.map(Room::of_group);
        let Some(maintenance) = group.maintenance.filter(|_| self.has_time_for_others()) else {
            return Ok(said);
        };
        // What open swaps have added is none of what the group wants.
        let record = self.place(&group.name).read(self.job.bus()).await?;
        let desired = group.sizes.desired.saturating_sub(book::added(&record));
        let kept = Room {
            most: maintenance.beside(desired, source::weight(group, old)),
            of: OF_MAINTENANCE,
        };
        Ok(Some(said.filter(|said| said.most <= kept.most).unwrap_or(kept)))
    }

    fn has_time_for_others(&self) -> bool {
        let settings = &self.swapper.settings;
        let takes = settings.running_within.saturating_add(settings.in_service_within);
        let takes = SignedDuration::try_from(takes).unwrap_or(SignedDuration::MAX);
        let left = |deadline: Timestamp| deadline.duration_since(self.job.now());
        self.certainty() != Certainty::Certain
            && self.job.deadline().is_none_or(|deadline| left(deadline) > takes)
    }

    async fn wait_for_room(&self, place: &Place, most: u32, of: Limit) -> Result<(), Failure> {
        let action = &self.job.action().id;
        if book::has_entered(&place.read(self.job.bus()).await?, action) {
            return Ok(());
        }
        let (deadline, now) = (self.job.deadline(), self.job.now());
        let line = self.swapper.waiting.queue(&place.key(), action, deadline, now);
        let open = self.others_open(place).await?;
        if line.before == 0 && usize::try_from(most).is_ok_and(|most| open < most) {
            return Ok(());
        }
        Err(of.reached(open, most, line.again))
    }

    /// How many swaps of its account may be open, and the record in which they are: of no group, and so of no sweep.
    pub(crate) fn account_limit(&self) -> (Option<u32>, Place) {
        let most = self.swapper.settings.max_open_account;
        let account = self
            .job
            .action()
            .target
            .as_ref()
            .map_or("", |target| &target.account);
        ((most > 0).then_some(most), Place::new(account, ALL, ""))
    }

    /// Enters a swap into the record of its account, where that has a limit.
    ///
    /// # Errors
    /// It is reached.
    pub(crate) async fn enter_account(&self, swap: &proto::GroupSwap) -> Result<(), Failure> {
        let (Some(most), place) = self.account_limit() else {
            return Ok(());
        };
        let (ended, now) = (self.ended_swaps(&place).await?, self.job.now());
        let entered = place
            .change(self.job.bus(), |record| {
                match book::enter(record, swap.clone(), &ended, Some(most), now) {
                    Ok(()) => Changed::Write(Ok(())),
                    Err(busy) => Changed::Leave(Err(busy)),
                }
            })
            .await?;
        entered.map_err(|busy| match busy {
            Busy::Enough(open) => OF_ACCOUNT.reached(open, most, ASKS_AGAIN),
            // That of an action that has ended, soon to be taken out; or as many as a record holds.
            Busy::Other { .. } | Busy::Full => Failure::Transient {
                cause: "the record of the account has no place for the swap yet".to_owned(),
                after: Some(ASKS_AGAIN),
            },
        })?;
        self.swapper.waiting.leave(&place.key(), &swap.action_id);
        Ok(())
    }

    /// Takes it out again.
    pub(crate) async fn leave_account(&self, result: &str) -> Result<(), Failure> {
        let (Some(_), place) = self.account_limit() else {
            return Ok(());
        };
        let (action, now) = (&self.job.action().id, self.job.now());
        place
            .change(self.job.bus(), |record| {
                if !book::has_entered(record, action) {
                    return Changed::Leave(());
                }
                book::close(record, action, result, now);
                Changed::Write(())
            })
            .await
    }

    /// The share of members that are to be on demand, and the other members. Nothing where the policy asks for none.
    pub(crate) async fn share(
        &self,
        group: &Group,
        old: &Instance,
        policy: &Policy,
    ) -> Result<Option<OnDemand>, Failure> {
        let Some(share) = policy.on_demand else {
            return Ok(None);
        };
        let members = share::others(&group.members, Some(&old.id));
        let reads = Arc::clone(&self.reads);
        let asked = members.iter().map(|id| reads.instance(id));
        let seen = futures::future::try_join_all(asked).await;
        let seen = seen.map_err(|refusal| {
            Failure::transient(format!("which members are on demand cannot be told: {refusal}"))
        })?;
        let on_demand = seen.into_iter().flatten().filter(|member| !member.spot);
        let on_demand = on_demand.map(|member| member.id).collect();
        let roster = Roster {
            members,
            on_demand,
            replaced: 1,
        };
        Ok(Some(OnDemand { share, roster }))
    }

    /// On-demand prices of the region, as far as the operator's file has them.
    pub(crate) async fn on_demand(&self) -> BTreeMap<String, Price> {
        let file = self.swapper.settings.on_demand.clone();
        on_demand_of(self.cloud().region.name(), file)
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

/// How many swaps may be open, by whose word.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) most: u32,
    pub(crate) of: Limit,
}

impl Room {
    /// By a rule's word, or a tag's.
    pub(crate) const fn of_group(most: u32) -> Self {
        Self { most, of: OF_GROUP }
    }

    /// As many are open.
    pub(crate) fn reached(self, open: usize, again: Duration) -> Failure {
        self.of.reached(open, self.most, again)
    }
}

/// Whose limit it is, and its name.
#[derive(Clone, Copy)]
pub(crate) struct Limit(&'static str, &'static str);

const OF_GROUP: Limit = Limit("group", "max_open");
const OF_MAINTENANCE: Limit = Limit("group", "its instance maintenance policy");
const OF_ACCOUNT: Limit = Limit("account", "swap.max_open_account");

impl Limit {
    /// As many swaps are open as may be.
    pub(crate) fn reached(self, open: usize, most: u32, again: Duration) -> Failure {
        let Self(of, name) = self;
        Failure::Transient {
            cause: format!(
                "{open} other swaps of the {of} are open, {most} may be at once ({name}); those with an earlier deadline go first"
            ),
            after: Some(again),
        }
    }
}

/// What the tags of a group allow.
///
/// # Errors
/// One of them means nothing.
pub(crate) fn of_group(group: &Group) -> Result<Policy, Failure> {
    Ok(Policy {
        allowed: tagged(group, TAG_ALLOWED_TYPES, policy::patterns)?,
        denied: tagged(group, TAG_DENIED_TYPES, policy::patterns)?,
        price_ceiling: tagged(group, TAG_PRICE_CEILING, policy::price_ceiling)?,
        max_open: tagged(group, TAG_MAX_OPEN, policy::max_open)?,
        cooldown: tagged(group, TAG_COOLDOWN, policy::cooldown)?,
        on_demand: tagged(group, TAG_ON_DEMAND, policy::share)?,
        fallback: tagged(group, TAG_FALLBACK, policy::fallback)?,
    })
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
