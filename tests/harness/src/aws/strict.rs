//! The proxy that makes moto as strict as AWS.

use super::Service;
use super::lifecycle::Lifecycle;
use super::moto::{Group, Moto};
use super::query::{self, Call, Refusal};
use super::rules::{self, Candidate};
use crate::http_server::{self, Body};
use crate::proxy::Faults;
use crate::{Error, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A launch by token: what was asked for, what was answered.
type Launches = HashMap<(String, String), (BTreeMap<String, String>, Bytes)>;

#[derive(Debug)]
pub(super) struct Strict {
    pub(super) moto: Moto,
    pub(super) faults: Faults,
    calls: Mutex<Vec<Call>>,
    lifecycle: Mutex<Lifecycle>,
    /// Types and zones without capacity.
    exhausted: Mutex<HashSet<(String, String)>>,
    /// Held from the check of a rule to the end of what it allows.
    launches: tokio::sync::Mutex<Launches>,
}

/// Why there is no plain answer: AWS would refuse, or moto failed us.
enum Stop {
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Strict {
    pub(super) fn new(moto: Moto) -> Self {
        Self {
            moto,
            faults: Faults::default(),
            calls: Mutex::default(),
            lifecycle: Mutex::default(),
            exhausted: Mutex::default(),
            launches: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    pub(super) fn lifecycle(&self) -> MutexGuard<'_, Lifecycle> {
        lock(&self.lifecycle)
    }

    pub(super) fn set_capacity(&self, instance_type: &str, zone: &str, available: bool) {
        let pool = (instance_type.to_owned(), zone.to_owned());
        if available {
            lock(&self.exhausted).remove(&pool);
        } else {
            lock(&self.exhausted).insert(pool);
        }
    }

    pub(super) async fn reset(&self) -> Result<()> {
        let mut launches = self.launches.lock().await;
        launches.clear();
        lock(&self.calls).clear();
        lock(&self.exhausted).clear();
        *self.lifecycle() = Lifecycle::default();
        self.faults.heal();
        self.moto.reset().await
    }

    pub(super) async fn answer(&self, request: Request<Bytes>) -> Response<Body> {
        let Some(call) = Call::parse(&request) else {
            return self.pass(request).await;
        };
        lock(&self.calls).push(call.clone());
        let service = if call.action == "RunInstances" {
            Service::Ec2
        } else {
            Service::AutoScaling
        };
        let answered = match call.action.as_str() {
            "RunInstances" => self.run(&call, request).await,
            "AttachInstances" => self.attach(&call, request).await,
            "DetachInstances" => self.detach(&call, request).await,
            "UpdateAutoScalingGroup" | "SetDesiredCapacity" => self.resize(&call, request).await,
            "CompleteLifecycleAction" => self
                .lifecycle()
                .complete(&call)
                .map(|()| query::done(&call.action))
                .map_err(Stop::from),
            "RecordLifecycleActionHeartbeat" => self
                .lifecycle()
                .heartbeat(&call)
                .map(|()| query::done(&call.action))
                .map_err(Stop::from),
            _ => Ok(self.pass(request).await),
        };
        match answered {
            Ok(answer) => answer,
            Err(Stop::Refused(refusal)) => refusal.answer(service),
            Err(Stop::Failed(error)) => http_server::text(StatusCode::BAD_GATEWAY, error.to_string()),
        }
    }

    async fn pass(&self, request: Request<Bytes>) -> Response<Body> {
        match self.moto.pass(request).await {
            Ok(answer) => answer.map(http_server::whole),
            Err(error) => http_server::text(StatusCode::BAD_GATEWAY, error.to_string()),
        }
    }

    /// One launch a token: the same call again has the same answer, another call with it is refused.
    async fn run(&self, call: &Call, request: Request<Bytes>) -> Result<Response<Body>, Stop> {
        let mut launches = self.launches.lock().await;
        let mut asked = call.params.clone();
        let token = asked
            .remove("ClientToken")
            .map(|token| (call.region.clone(), token));
        if let Some(token) = &token {
            rules::client_token(&token.1)?;
            if let Some((before, answer)) = launches.get(token) {
                if *before != asked {
                    let message = "Arguments on this idempotent request are inconsistent with arguments used in \
                                   previous request(s).";
                    return Err(Refusal::new("IdempotentParameterMismatch", message).into());
                }
                return Ok(http_server::with_type(StatusCode::OK, "text/xml", answer.clone()));
            }
        }
        self.room(call).await?;
        let answer = self.moto.pass(request).await?;
        if let (Some(token), true) = (token, answer.status().is_success()) {
            launches.insert(token, (asked, answer.body().clone()));
        }
        Ok(answer.map(http_server::whole))
    }

    /// Refuses a launch from a pool without capacity.
    async fn room(&self, call: &Call) -> Result<(), Stop> {
        if lock(&self.exhausted).is_empty() {
            return Ok(());
        }
        let subnet = call
            .get("SubnetId")
            .or_else(|| call.get("NetworkInterface.1.SubnetId"));
        let zone = match (call.get("Placement.AvailabilityZone"), subnet) {
            (Some(zone), _) => Some(zone.to_owned()),
            (None, Some(subnet)) => self.moto.zone_of_subnet(&call.region, subnet).await?,
            (None, None) => None,
        };
        let version = call.get("LaunchTemplate.Version").unwrap_or("$Default");
        let template = ["LaunchTemplateId", "LaunchTemplateName"]
            .into_iter()
            .find_map(|name| Some((name, call.get(&format!("LaunchTemplate.{name}"))?)));
        let instance_type = match (call.get("InstanceType"), template) {
            (Some(instance_type), _) => Some(instance_type.to_owned()),
            (None, Some(by)) => self.moto.type_of_template(&call.region, by, version).await?,
            (None, None) => None,
        };
        let pool = (instance_type.unwrap_or_default(), zone.unwrap_or_default());
        if lock(&self.exhausted).contains(&pool) {
            let message = format!("There is no {} capacity available in {}.", pool.0, pool.1);
            return Err(Refusal::new("InsufficientInstanceCapacity", message).into());
        }
        Ok(())
    }

    async fn attach(&self, call: &Call, request: Request<Bytes>) -> Result<Response<Body>, Stop> {
        let _serial = self.launches.lock().await;
        let group = self.group(call).await?;
        let ids = call.list("InstanceIds");
        let mut found = Vec::new();
        for id in &ids {
            found.push((
                self.moto.instance(&call.region, id).await?,
                self.moto.group_of(&call.region, id).await?,
            ));
        }
        let candidates: Vec<Candidate<'_>> = ids
            .iter()
            .zip(&found)
            .map(|(id, (instance, group))| Candidate {
                id,
                state: instance.as_ref().map(|instance| instance.state.as_str()),
                zone: instance.as_ref().map_or("", |instance| instance.zone.as_str()),
                group: group.as_deref(),
            })
            .collect();
        rules::attach(&group.name, group.sizes, &group.zones, &candidates)?;
        let answer = self.moto.pass(request).await?;
        // moto sets desired to the number of instances; AWS raises what it was.
        let desired = group.sizes.desired + u32::try_from(ids.len()).unwrap_or_default();
        if answer.status().is_success() && self.group(call).await?.sizes.desired != desired {
            let desired = desired.to_string();
            let params = [
                ("AutoScalingGroupName", group.name.as_str()),
                ("DesiredCapacity", &desired),
            ];
            self.moto
                .call(
                    &call.region,
                    Service::AutoScaling,
                    "UpdateAutoScalingGroup",
                    &params,
                )
                .await?;
        }
        Ok(answer.map(http_server::whole))
    }

    async fn detach(&self, call: &Call, request: Request<Bytes>) -> Result<Response<Body>, Stop> {
        let _serial = self.launches.lock().await;
        let group = self.group(call).await?;
        let decrement = match call.get("ShouldDecrementDesiredCapacity") {
            Some("true") => true,
            Some("false") => false,
            _ => return Err(Refusal::validation("ShouldDecrementDesiredCapacity must be given").into()),
        };
        rules::detach(
            &group.name,
            group.sizes,
            &group.members,
            &call.list("InstanceIds"),
            decrement,
        )?;
        Ok(self.pass(request).await)
    }

    async fn resize(&self, call: &Call, request: Request<Bytes>) -> Result<Response<Body>, Stop> {
        let _serial = self.launches.lock().await;
        let group = self.group(call).await?;
        rules::resize(
            group.sizes,
            call.number("MinSize"),
            call.number("DesiredCapacity"),
            call.number("MaxSize"),
        )?;
        Ok(self.pass(request).await)
    }

    async fn group(&self, call: &Call) -> Result<Group, Stop> {
        let name = call.get("AutoScalingGroupName").unwrap_or_default();
        let group = self.moto.group(&call.region, name).await?;
        group.ok_or_else(|| {
            Refusal::validation(format!("AutoScalingGroup name not found - no such group: {name}")).into()
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
