//! What all actions of a region share: one picture of its balancers, and calls for many instances.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use hollowtrees_aws::{
    Machine, Refusal, Standing, Target, TargetKind, balancers::TARGETS_AT_ONCE, lookup::AT_ONCE,
};

use super::{
    place::{self, Balancer, Picture, Place, Targets, is_meant},
    shared::{Fresh, Together, lock},
};
use crate::{cloud::Cloud, config};

/// Target groups whose targets are read at the same time.
const READS_AT_ONCE: usize = 8;
/// Who asked how an instance stands with a classic balancer asks again within this, or no longer.
const ASKED_WITHIN: Duration = Duration::from_secs(60);

/// One target group or classic balancer.
#[derive(Default)]
struct Party {
    seen: Fresh<Vec<(Target, Standing)>>,
    /// Instances that were asked for, and when: a classic balancer has to be told which.
    asked: Mutex<BTreeMap<String, Instant>>,
    out: Together<Target, ()>,
    back: Together<Target, ()>,
}

/// One region.
pub(crate) struct Desk {
    cloud: Cloud,
    settings: config::Deregister,
    picture: Fresh<Picture>,
    machines: Together<String, Option<Machine>>,
    parties: Mutex<HashMap<Balancer, Arc<Party>>>,
}

impl Desk {
    pub(crate) fn new(cloud: Cloud, settings: &config::Deregister) -> Self {
        Self {
            cloud,
            settings: settings.clone(),
            picture: Fresh::default(),
            machines: Together::default(),
            parties: Mutex::default(),
        }
    }

    pub(crate) fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Where an instance is registered, as a picture has it that is a few seconds old at most; with `pods` theirs too.
    pub(crate) async fn find(
        &self,
        instance: &str,
        named: &[String],
        pods: bool,
    ) -> Result<Vec<Place>, Refusal> {
        let since = ago(self.settings.fresh);
        let picture = self.picture.get(since, self.draw(since)).await?;
        let by_address = picture
            .groups
            .iter()
            .any(|(group, targets)| group.kind == TargetKind::Ip && !targets.is_empty());
        let machine = if by_address {
            self.machine(instance).await?
        } else {
            None
        };
        Ok(place::places(&picture, instance, machine.as_ref(), named, pods))
    }

    /// All groups and balancers that may be touched; what was read `since` then is not read again.
    async fn draw(&self, since: Instant) -> Result<Picture, Refusal> {
        let named = &self.settings.balancers;
        let region = &self.cloud.region;
        let mut groups = self
            .cloud
            .told("describe-target-groups", region.target_groups().await)?;
        groups.retain(|group| group.kind != TargetKind::Other && is_meant(named, &group.name));
        let groups = stream::iter(groups)
            .map(|group| async move {
                let balancer = Balancer::Group {
                    arn: group.arn.clone(),
                    name: group.name.clone(),
                };
                let targets = self.targets(&balancer, since).await?;
                Ok::<_, Refusal>((group, targets))
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let mut classics = self
            .cloud
            .told("describe-load-balancers", region.classic_balancers().await)?;
        classics.retain(|classic| is_meant(named, &classic.name));
        Ok(Picture { groups, classics })
    }

    /// What EC2 says of an instance now; none: nothing.
    pub(crate) async fn machine(&self, instance: &str) -> Result<Option<Machine>, Refusal> {
        let look_up = |ids: Vec<String>| async move {
            let found = self.cloud.region.machines(&ids).await;
            let found = self.cloud.told("describe-instances", found)?;
            let mut found: HashMap<_, _> = found
                .into_iter()
                .map(|machine| (machine.id.clone(), machine))
                .collect();
            Ok(ids.iter().map(|id| found.remove(id)).collect())
        };
        self.machines.ask(instance.to_owned(), AT_ONCE, look_up).await
    }

    /// How a registration stands, read `since` then; none: it is no more.
    pub(crate) async fn standing(
        &self,
        place: &Place,
        mut since: Instant,
    ) -> Result<Option<Standing>, Refusal> {
        let target = place.target();
        if self.ask_for(place) {
            // An earlier reading does not have it.
            since = Instant::now();
        }
        let targets = self.targets(&place.balancer, since).await?;
        let found = targets.iter().find(|(found, _)| *found == target);
        Ok(found.map(|(_, standing)| *standing))
    }

    /// Has the next readings of a classic balancer tell of this instance; whether that is new.
    fn ask_for(&self, place: &Place) -> bool {
        let Balancer::Classic { .. } = place.balancer else {
            return false;
        };
        let party = self.party(&place.balancer);
        lock(&party.asked)
            .insert(place.id.clone(), Instant::now())
            .is_none()
    }

    /// All targets of a group, or those of a classic balancer that were asked for. A balancer that is gone has none.
    async fn targets(&self, balancer: &Balancer, since: Instant) -> Result<Targets, Refusal> {
        let party = self.party(balancer);
        let read = async {
            let region = &self.cloud.region;
            let told = match balancer {
                Balancer::Group { arn, .. } => {
                    let told = region.targets(arn).await;
                    self.cloud.told("describe-target-health", told)
                }
                Balancer::Classic { name } => {
                    let asked: Vec<_> = {
                        let mut asked = lock(&party.asked);
                        asked.retain(|_, at| at.elapsed() < ASKED_WITHIN);
                        asked.keys().cloned().collect()
                    };
                    let told = region.classic_standing(name, &asked).await;
                    let told = self.cloud.told("describe-instance-health", told);
                    let targets = |found: Vec<(String, Standing)>| {
                        let found = found.into_iter();
                        found
                            .map(|(id, standing)| (place::of_classic(&id), standing))
                            .collect()
                    };
                    told.map(targets)
                }
            };
            match told {
                Err(Refusal::Missing { .. }) => Ok(Vec::new()),
                told => told,
            }
        };
        party.seen.get(since, read).await
    }

    /// Takes it out.
    pub(crate) async fn take_out(&self, place: &Place) -> Result<(), Refusal> {
        self.ask_for(place);
        let (region, balancer) = (&self.cloud.region, &place.balancer);
        let call = |targets: Vec<Target>| async move {
            let done = match balancer {
                Balancer::Group { arn, .. } => region.deregister_targets(arn, &targets).await,
                Balancer::Classic { name } => region.deregister_instances(name, &ids(&targets)).await,
            };
            self.cloud.told("deregister", done)?;
            Ok(vec![(); targets.len()])
        };
        let party = self.party(balancer);
        party.out.ask(place.target(), TARGETS_AT_ONCE, call).await
    }

    /// Puts it back.
    pub(crate) async fn put_back(&self, place: &Place) -> Result<(), Refusal> {
        let (region, balancer) = (&self.cloud.region, &place.balancer);
        let call = |targets: Vec<Target>| async move {
            let done = match balancer {
                Balancer::Group { arn, .. } => region.register_targets(arn, &targets).await,
                Balancer::Classic { name } => region.register_instances(name, &ids(&targets)).await,
            };
            self.cloud.told("register", done)?;
            Ok(vec![(); targets.len()])
        };
        let party = self.party(balancer);
        party.back.ask(place.target(), TARGETS_AT_ONCE, call).await
    }

    fn party(&self, balancer: &Balancer) -> Arc<Party> {
        let mut parties = lock(&self.parties);
        if let Some(party) = parties.get(balancer) {
            return Arc::clone(party);
        }
        Arc::clone(parties.entry(balancer.clone()).or_default())
    }
}

fn ids(targets: &[Target]) -> Vec<String> {
    targets.iter().map(|target| target.id.clone()).collect()
}

/// So long ago, or as long as this machine knows.
pub(crate) fn ago(by: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(by).unwrap_or(now)
}
