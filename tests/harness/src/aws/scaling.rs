//! Auto Scaling, over moto's EC2.

use super::group_params;
use super::groups::{Asg, Joining};
use super::query::{self, Call, Refusal};
use super::rules::{self, Candidate};
use super::strict::{Stop, Strict, World};
use super::{Aws, Group, Service, groups_xml};
use crate::http_server::Body;
use crate::{Error, Result};
use http::Response;
use std::time::{Duration, Instant};

type Answered = Result<Response<Body>, Stop>;

impl Aws {
    /// What is in service of these groups of us-east-1 at one moment, in units of weight.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn in_service(&self, names: &[&str]) -> Result<Vec<u32>> {
        let mut world = self.strict.world.lock().await;
        let units = |name: &&str| {
            let group = world
                .find("us-east-1", name)
                .ok_or_else(|| Error::new(format!("there is no auto-scaling group {name}")))?;
            let members = group.members.iter();
            let in_service = members.filter(|member| member.state() == "InService");
            Ok(in_service.map(|member| member.weight).sum())
        };
        names.iter().map(units).collect()
    }
}

impl Strict {
    /// Answers a call of Auto Scaling; none if it is none that is known here.
    pub(super) async fn scale(&self, call: &Call) -> Option<Answered> {
        let done = |done: Result<(), Stop>| Some(done.map(|()| query::done(&call.action)));
        let mut world = self.world.lock().await;
        let world = &mut *world;
        world.remember(self.knobs().lag, !call.action.starts_with("Describe"));
        if let Err(stop) = self.end_rebalanced(world).await {
            return Some(Err(stop));
        }
        match call.action.as_str() {
            "CreateAutoScalingGroup" => done(self.create(world, call).await),
            "DeleteAutoScalingGroup" => done(self.delete(world, call).await),
            "UpdateAutoScalingGroup" | "SetDesiredCapacity" => done(self.resize(world, call).await),
            "AttachInstances" => done(self.attach(world, call).await),
            "DetachInstances" => done(self.detach(world, call).await),
            "EnterStandby" => done(self.enter_standby(world, call).await),
            "SetInstanceProtection" => done(protect(world, call)),
            "TerminateInstanceInAutoScalingGroup" => done(self.terminate_member(world, call).await),
            "SuspendProcesses" | "ResumeProcesses" => done(self.processes(world, call).await),
            "CreateOrUpdateTags" => done(tag(world, call)),
            "DescribeAutoScalingGroups" => {
                let names = call.list("AutoScalingGroupNames");
                Some(Ok(groups_xml::groups(world.shown().iter().filter(|group| {
                    group.region == call.region && (names.is_empty() || names.contains(&group.name.as_str()))
                }))))
            }
            "CreateLaunchConfiguration" => done(self.configurations().create(call).map_err(Stop::from)),
            "DeleteLaunchConfiguration" => done(self.configurations().delete(call).map_err(Stop::from)),
            "DescribeLaunchConfigurations" => {
                let told = self.configurations().describe(call);
                Some(
                    told.map(|told| groups_xml::answer(&call.action, &told))
                        .map_err(Stop::from),
                )
            }
            "DescribeAutoScalingInstances" => {
                let ids = call.list("InstanceIds");
                let groups = world.shown().iter().filter(|group| group.region == call.region);
                let members =
                    groups.flat_map(|group| group.members.iter().map(move |member| (group, member)));
                Some(Ok(groups_xml::instances(members.filter(|(_, member)| {
                    ids.is_empty() || ids.contains(&member.id.as_str())
                }))))
            }
            _ => None,
        }
    }

    pub(super) async fn create_group(&self, call: &Call) -> Result<()> {
        let mut world = self.world.lock().await;
        self.create(&mut world, call).await.map_err(failed)
    }

    /// A group of us-east-1.
    pub(super) async fn group(&self, region: &str, name: &str) -> Option<Group> {
        let mut world = self.world.lock().await;
        let group = world.find(region, name)?;
        Some(Group {
            name: group.name.clone(),
            sizes: group.sizes,
            zones: group.zones(),
            members: group
                .members
                .iter()
                .map(|member| (member.id.clone(), member.state().to_owned()))
                .collect(),
            protected: group
                .members
                .iter()
                .filter(|member| member.protected)
                .map(|member| member.id.clone())
                .collect(),
        })
    }

    async fn create(&self, world: &mut World, call: &Call) -> Result<(), Stop> {
        let mut group = Asg::from_call(call)?;
        if world.find(&call.region, &group.name).is_some() {
            let message = format!("AutoScalingGroup by this name already exists: {}", group.name);
            return Err(Refusal::new("AlreadyExists", message).into());
        }
        self.resolve(&mut group).await?;
        let name = group.name.clone();
        world.groups.push(group);
        self.settle(world, &call.region, &name).await
    }

    async fn delete(&self, world: &mut World, call: &Call) -> Result<(), Stop> {
        let group = world.of(call)?;
        if call.get("ForceDelete") != Some("true") && !group.members.is_empty() {
            let message = "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance \
                           request(s) still in the group.";
            return Err(Refusal::new("ResourceInUse", message).into());
        }
        let (name, ids): (_, Vec<_>) = (
            group.name.clone(),
            group.members.iter().map(|member| member.id.clone()).collect(),
        );
        world
            .groups
            .retain(|group| (&group.region, &group.name) != (&call.region, &name));
        for id in ids {
            self.end(&call.region, &id).await?;
        }
        Ok(())
    }

    async fn resize(&self, world: &mut World, call: &Call) -> Result<(), Stop> {
        let group = world.of(call)?;
        let [min, desired, max] = ["MinSize", "DesiredCapacity", "MaxSize"].map(|name| call.number(name));
        rules::resize(group.sizes, min, desired, max)?;
        let mut edited = group.clone();
        edited.sizes = rules::resized(group.sizes, min, desired, max);
        edited.said.extend(group_params::as_said(call));
        let name = group.name.clone();
        self.edit(&mut edited, call).await?;
        *world.of(call)? = edited;
        self.settle(world, &call.region, &name).await
    }

    async fn attach(&self, world: &mut World, call: &Call) -> Result<(), Stop> {
        let ids = call.list("InstanceIds");
        let mut found = Vec::new();
        for id in &ids {
            let known = !self.is_hidden(id);
            let mut instance = self.moto.instance(&call.region, id).await?.filter(|_| known);
            if let Some(instance) = instance.as_mut().filter(|_| self.starts_still(id)) {
                instance.state = "pending".to_owned();
            }
            found.push((
                instance,
                world.group_of(&call.region, id).map(|group| group.name.clone()),
            ));
        }
        let delay = self.knobs().delays.in_service;
        let group = world.of(call)?;
        let candidates: Vec<Candidate<'_>> = ids
            .iter()
            .zip(&found)
            .map(|(id, (instance, of))| Candidate {
                id,
                state: instance.as_ref().map(|instance| instance.state.as_str()),
                zone: instance.as_ref().map_or("", |instance| instance.zone.as_str()),
                group: of.as_deref(),
                weight: instance
                    .as_ref()
                    .map_or(1, |instance| group.weight_of(&instance.instance_type)),
            })
            .collect();
        rules::attach(&group.name, group.sizes, &group.zones(), &candidates)?;
        group.sizes.desired += candidates.iter().map(|candidate| candidate.weight).sum::<u32>();
        let (mut targets, mut classic) = (group.target_groups.clone(), group.classic_balancers.clone());
        if !group.runs("AddToLoadBalancer") {
            (targets, classic) = Default::default();
        }
        for instance in found.into_iter().filter_map(|(instance, _)| instance) {
            group.join(
                Joining {
                    id: instance.id,
                    instance_type: instance.instance_type,
                    zone: instance.zone,
                    spot: instance.spot,
                },
                delay,
            );
        }
        self.register_members(&call.region, (&targets, &classic), &ids)
            .await?;
        Ok(())
    }

    async fn detach(&self, world: &mut World, call: &Call) -> Result<(), Stop> {
        let decrement = decrement(call)?;
        let group = world.of(call)?;
        group.detach(&call.list("InstanceIds"), decrement)?;
        let name = group.name.clone();
        self.settle(world, &call.region, &name).await
    }

    async fn terminate_member(&self, world: &mut World, call: &Call) -> Result<(), Stop> {
        let decrement = decrement(call)?;
        let id = call.get("InstanceId").unwrap_or_default();
        let Some(group) = world.group_of(&call.region, id) else {
            rules::terminate(rules::Sizes::default(), None, id, decrement)?;
            return Ok(());
        };
        rules::terminate(group.sizes, group.member(id), id, decrement)?;
        let weight = group.leave(id);
        if decrement {
            group.sizes.desired -= weight;
        }
        let name = group.name.clone();
        self.end(&call.region, id).await?;
        self.settle(world, &call.region, &name).await
    }

    /// Instances ended: their groups lose them, and see to it.
    pub(super) async fn gone(&self, world: &mut World, region: &str, ids: &[&str]) -> Result<()> {
        for id in ids {
            let Some(group) = world.group_of(region, id) else {
                continue;
            };
            group.leave(id);
            let name = group.name.clone();
            self.settle(world, region, &name).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Lets all groups make up for what was held back.
    pub(super) async fn settle_all(&self) -> Result<()> {
        let mut world = self.world.lock().await;
        let all: Vec<_> = world
            .groups
            .iter()
            .map(|group| (group.region.clone(), group.name.clone()))
            .collect();
        for (region, name) in all {
            self.settle(&mut world, &region, &name).await.map_err(failed)?;
        }
        Ok(())
    }

    /// A group launches what it lacks and ends what it has too much, as far as it may.
    pub(super) async fn settle(&self, world: &mut World, region: &str, name: &str) -> Result<(), Stop> {
        loop {
            let Some(group) = world.find(region, name) else {
                return Ok(());
            };
            let held = self.knobs().replacements_held;
            if let Some(wanted) = group.lacks().filter(|_| !held) {
                let tags = group.tags.iter().filter(|tag| tag.propagate).cloned().collect();
                let Some(instance) = self.launch(region, name, wanted, tags).await? else {
                    // No pool has capacity: AWS tries again later.
                    return Ok(());
                };
                let delays = self.knobs().delays;
                // It starts first; what is attached runs already.
                let delay = delays.running + delays.in_service;
                if let Some(group) = world.find(region, name) {
                    group.join(instance, delay);
                }
            } else if let Some(id) = group.surplus() {
                group.leave(&id);
                self.end(region, &id).await?;
            } else {
                return Ok(());
            }
        }
    }

    /// Ends an instance at EC2.
    pub(super) async fn end(&self, region: &str, id: &str) -> Result<()> {
        self.moto
            .call(
                region,
                Service::Ec2,
                "TerminateInstances",
                &[("InstanceId.1", id)],
            )
            .await
            .map(drop)
    }
}

impl World {
    /// Keeps how groups are for reads that lag behind, if they are about to change, and forgets what no read shows.
    fn remember(&mut self, lag: Duration, changes: bool) {
        if changes && !lag.is_zero() {
            self.earlier.push_back((Instant::now(), self.groups.clone()));
        }
        while self
            .earlier
            .front()
            .is_some_and(|(until, _)| until.elapsed() >= lag)
        {
            self.earlier.pop_front();
        }
    }

    /// The groups as reads show them.
    fn shown(&self) -> &[Asg] {
        self.earlier.front().map_or(&self.groups, |(_, groups)| groups)
    }

    pub(super) fn find(&mut self, region: &str, name: &str) -> Option<&mut Asg> {
        self.groups
            .iter_mut()
            .find(|group| group.region == region && group.name == name)
    }

    pub(super) fn group_of(&mut self, region: &str, instance: &str) -> Option<&mut Asg> {
        self.groups
            .iter_mut()
            .find(|group| group.region == region && group.member(instance).is_some())
    }

    pub(super) fn of(&mut self, call: &Call) -> Result<&mut Asg, Stop> {
        let name = call.get("AutoScalingGroupName").unwrap_or_default();
        self.find(&call.region, name).ok_or_else(|| {
            Refusal::validation(format!("AutoScalingGroup name not found - no such group: {name}")).into()
        })
    }
}

pub(super) fn decrement(call: &Call) -> Result<bool, Refusal> {
    match call.get("ShouldDecrementDesiredCapacity") {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(Refusal::validation(
            "ShouldDecrementDesiredCapacity must be given",
        )),
    }
}

fn protect(world: &mut World, call: &Call) -> Result<(), Stop> {
    let protected = match call.get("ProtectedFromScaleIn") {
        Some("true") => true,
        Some("false") => false,
        _ => return Err(Refusal::validation("ProtectedFromScaleIn must be given").into()),
    };
    Ok(world.of(call)?.protect(&call.list("InstanceIds"), protected)?)
}

fn tag(world: &mut World, call: &Call) -> Result<(), Stop> {
    for (i, tag) in group_params::tags(call).into_iter().enumerate() {
        let name = call
            .get(&format!("Tags.member.{}.ResourceId", i + 1))
            .unwrap_or_default();
        let Some(group) = world.find(&call.region, name) else {
            return Err(Refusal::validation(format!(
                "AutoScalingGroup name not found - no such group: {name}"
            ))
            .into());
        };
        group.tags.retain(|other| other.key != tag.key);
        group.tags.push(tag);
    }
    Ok(())
}

fn failed(stop: Stop) -> Error {
    match stop {
        Stop::Failed(error) => error,
        Stop::Refused(refusal) => Error::new(format!("{}: {}", refusal.code, refusal.message)),
    }
}
