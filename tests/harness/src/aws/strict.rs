//! The proxy that makes moto as strict as AWS: what it answers itself, and EC2.

use super::Service;
use super::balancers::Draining;
use super::configurations::Configurations;
use super::groups::Asg;
use super::interfaces::Prefixes;
use super::knobs::Knobs;
use super::lifecycle::Lifecycle;
use super::moto::{Moto, TemplateData, ids_in};
use super::prices::Prices;
use super::query::{self, Call, Refusal};
use super::rules;
use super::types::Types;
use crate::http_server::{self, Body};
use crate::proxy::Faults;
use crate::{Error, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A launch by region and token: what was asked for, what was answered.
type Launches = HashMap<(String, String), (BTreeMap<String, String>, String)>;

#[derive(Debug)]
pub(super) struct Strict {
    pub(super) moto: Moto,
    pub(super) faults: Faults,
    calls: Mutex<Vec<(Instant, Call)>>,
    lifecycle: Mutex<Lifecycle>,
    pub(super) draining: Mutex<Draining>,
    pub(super) prefixes: Mutex<Prefixes>,
    pub(super) prices: Mutex<Prices>,
    pub(super) knobs: Mutex<Knobs>,
    configurations: Mutex<Configurations>,
    pub(super) types: Types,
    /// When instances run that were launched with a delay.
    running_at: Mutex<HashMap<String, Instant>>,
    /// When instances begin to show that do not at first.
    pub(super) shown_at: Mutex<HashMap<String, Instant>>,
    /// Held while the messages of a queue change: moto forgets one of two changes at the same time, so that a message that
    /// was deleted is there again, or one that was sent is not.
    pub(super) queues: tokio::sync::Mutex<()>,
    /// Held from the check of a rule to the end of what it allows.
    pub(super) world: tokio::sync::Mutex<World>,
}

/// What changes in several steps, kept from changing between them.
#[derive(Debug, Default)]
pub(super) struct World {
    launches: Launches,
    pub(super) groups: Vec<Asg>,
    /// All groups as they were until then, before each call that may have changed them: the oldest first.
    pub(super) earlier: VecDeque<(Instant, Vec<Asg>)>,
}

/// Why there is no plain answer: AWS would refuse, or moto failed us.
pub(super) enum Stop {
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
            draining: Mutex::default(),
            prefixes: Mutex::default(),
            prices: Mutex::default(),
            knobs: Mutex::default(),
            configurations: Mutex::default(),
            types: Types::default(),
            running_at: Mutex::default(),
            shown_at: Mutex::default(),
            queues: tokio::sync::Mutex::default(),
            world: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn calls(&self) -> Vec<(Instant, Call)> {
        lock(&self.calls).clone()
    }

    pub(super) fn forget_calls(&self) {
        lock(&self.calls).clear();
    }

    pub(super) fn lifecycle(&self) -> MutexGuard<'_, Lifecycle> {
        lock(&self.lifecycle)
    }

    pub(super) fn configurations(&self) -> MutexGuard<'_, Configurations> {
        lock(&self.configurations)
    }

    pub(super) fn knobs(&self) -> MutexGuard<'_, Knobs> {
        lock(&self.knobs)
    }

    pub(super) async fn reset(&self) -> Result<()> {
        let mut world = self.world.lock().await;
        *world = World::default();
        self.forget_calls();
        *self.knobs() = Knobs::default();
        *lock(&self.draining) = Draining::default();
        lock(&self.prefixes).clear();
        *lock(&self.prices) = Prices::default();
        *self.configurations() = Configurations::default();
        *self.lifecycle() = Lifecycle::default();
        lock(&self.running_at).clear();
        lock(&self.shown_at).clear();
        self.faults.heal();
        self.moto.reset().await
    }

    pub(super) async fn answer(&self, request: Request<Bytes>) -> Response<Body> {
        let Some(call) = Call::parse(&request) else {
            return self.pass(request).await;
        };
        lock(&self.calls).push((Instant::now(), call.clone()));
        self.end_waits().await;
        if [
            "DeleteMessage",
            "DeleteMessageBatch",
            "SendMessage",
            "SendMessageBatch",
        ]
        .contains(&call.action.as_str())
        {
            let _one_at_a_time = self.queues.lock().await;
            return self.pass(request).await;
        }
        if let Some(answered) = self.balance(&call).await {
            return settled(Service::Balancing, answered);
        }
        let (service, answered) = match call.action.as_str() {
            "RunInstances" => (Service::Ec2, self.run(&call, request).await),
            "TerminateInstances" => (Service::Ec2, self.terminate(&call, request).await),
            "DescribeInstances" => (Service::Ec2, self.describe_instances(&call, request).await),
            "DescribeSpotPriceHistory" => (Service::Ec2, Ok(lock(&self.prices).answer(&call))),
            "DescribeSpotInstanceRequests" => (Service::Ec2, Ok(lock(&self.prices).requests(&call))),
            "GetInstanceTypesFromInstanceRequirements" => {
                (Service::Ec2, self.types.answer(&self.moto, &call).await)
            }
            "DescribeLaunchTemplateVersions" if call.get("ResolveAlias") == Some("true") => {
                (Service::Ec2, self.resolve_images(request).await)
            }
            "GetSpotPlacementScores" => (Service::Ec2, Ok(lock(&self.prices).scores(&call))),
            "CompleteLifecycleAction" => (
                Service::AutoScaling,
                self.lifecycle()
                    .complete(&call)
                    .map(|()| query::done(&call.action))
                    .map_err(Stop::from),
            ),
            "DescribeLifecycleHooks" => (
                Service::AutoScaling,
                Ok(http_server::with_type(
                    StatusCode::OK,
                    "text/xml",
                    self.lifecycle().describe_hooks(&call),
                )),
            ),
            "RecordLifecycleActionHeartbeat" => (
                Service::AutoScaling,
                self.lifecycle()
                    .heartbeat(&call)
                    .map(|()| query::done(&call.action))
                    .map_err(Stop::from),
            ),
            _ => match self.scale(&call).await {
                Some(answered) => (Service::AutoScaling, answered),
                None => return self.pass(request).await,
            },
        };
        settled(service, answered)
    }

    /// Members whose wait in a hook ended go on: to their end, or into service.
    async fn end_waits(&self) {
        let ended = self.lifecycle().ended();
        if ended.is_empty() {
            return;
        }
        let mut world = self.world.lock().await;
        for instance in ended {
            if let Some(group) = world.group_of("us-east-1", &instance) {
                let goes = group
                    .member(&instance)
                    .is_some_and(|member| member.state.starts_with("Terminating"));
                group.fix(&instance, goes.then_some("Terminating:Proceed"));
            }
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
        if self
            .knobs()
            .launches
            .as_mut()
            .is_some_and(|bucket| !bucket.take())
        {
            return Err(Refusal::new("RequestLimitExceeded", "Request limit exceeded.").into());
        }
        let mut world = self.world.lock().await;
        let mut asked = call.params.clone();
        let token = asked
            .remove("ClientToken")
            .map(|token| (call.region.clone(), token));
        if let Some(token) = &token {
            rules::client_token(&token.1)?;
            if let Some((before, answer)) = world.launches.get(token) {
                if *before != asked {
                    let message = "Arguments on this idempotent request are inconsistent with arguments used in \
                                   previous request(s).";
                    return Err(Refusal::new("IdempotentParameterMismatch", message).into());
                }
                for id in ids_in(answer)? {
                    let instance = self.moto.instance(&call.region, &id).await?;
                    if instance.is_none_or(|instance| {
                        ["shutting-down", "terminated"].contains(&instance.state.as_str())
                    }) {
                        let message = format!("The instance {id} of this client token has been terminated.");
                        return Err(Refusal::new("IdempotentInstanceTerminated", message).into());
                    }
                }
                return Ok(http_server::with_type(
                    StatusCode::OK,
                    "text/xml",
                    self.as_starting(answer.clone()),
                ));
            }
        }
        let template = self.template_of(call).await?;
        let interfaces = call.get("NetworkInterface.1.DeviceIndex").is_some()
            || template.as_ref().is_some_and(|template| template.interfaces);
        rules::one_subnet(call.get("SubnetId").is_some(), interfaces)?;
        rules::security_groups(
            call.get("SecurityGroup.1").is_some(),
            call.get("SecurityGroupId.1").is_some(),
            call.get("SubnetId").is_some(),
            interfaces,
        )?;
        rules::an_image(call.get("ImageId").is_some() || template.is_some())?;
        self.room(call, template.as_ref()).await?;
        self.take_reserved(call)?;
        let answer = self
            .moto
            .pass(with_template(call, request, template.as_ref()))
            .await?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        if !answer.status().is_success() {
            return Ok(answer.map(http_server::whole));
        }
        self.starting(&ids_in(&text)?);
        self.show_later(&ids_in(&text)?);
        if let Some(token) = token {
            world.launches.insert(token, (asked, text.clone()));
        }
        Ok(http_server::with_type(
            StatusCode::OK,
            "text/xml",
            self.as_starting(text),
        ))
    }

    async fn template_of(&self, call: &Call) -> Result<Option<TemplateData>, Stop> {
        let version = call.get("LaunchTemplate.Version").unwrap_or("$Default");
        let by = ["LaunchTemplateId", "LaunchTemplateName"]
            .into_iter()
            .find_map(|name| Some((name, call.get(&format!("LaunchTemplate.{name}"))?)));
        match by {
            Some(by) => Ok(Some(
                self.moto
                    .template(&call.region, by, version)
                    .await
                    .map_err(|error| Refusal::new("InvalidLaunchTemplateId.NotFound", error.to_string()))?,
            )),
            None => Ok(None),
        }
    }

    /// Refuses a launch from a pool without capacity.
    async fn room(&self, call: &Call, template: Option<&TemplateData>) -> Result<(), Stop> {
        if self.knobs().exhausted.is_empty() {
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
        let instance_type = call
            .get("InstanceType")
            .map(str::to_owned)
            .or_else(|| template.and_then(|template| template.instance_type.clone()));
        self.has_capacity(&instance_type.unwrap_or_default(), &zone.unwrap_or_default())?;
        Ok(())
    }

    pub(super) fn has_capacity(&self, instance_type: &str, zone: &str) -> Result<(), Refusal> {
        if self
            .knobs()
            .exhausted
            .contains(&(instance_type.to_owned(), zone.to_owned()))
        {
            let message = format!("There is no {instance_type} capacity available in {zone}.");
            return Err(Refusal::new("InsufficientInstanceCapacity", message));
        }
        Ok(())
    }

    /// Notes instances that were launched just now.
    pub(super) fn starting(&self, ids: &[String]) {
        let delay = self.knobs().delays.running;
        if !delay.is_zero() {
            let at = Instant::now() + delay;
            lock(&self.running_at).extend(ids.iter().map(|id| (id.clone(), at)));
        }
    }

    pub(super) fn starts_still(&self, id: &str) -> bool {
        lock(&self.running_at)
            .get(id)
            .is_some_and(|at| Instant::now() < *at)
    }

    /// An answer of moto, which knows no `pending`, with the state of those that start still.
    fn as_starting(&self, mut xml: String) -> String {
        let now = Instant::now();
        let starting: Vec<_> = lock(&self.running_at)
            .iter()
            .filter(|(_, at)| now < **at)
            .map(|(id, _)| format!("<instanceId>{id}</instanceId>"))
            .collect();
        for id in starting {
            let Some(from) = xml.find(&id) else { continue };
            let states =
                ["<instanceState>", "</instanceState>"].map(|tag| xml[from..].find(tag).map(|at| from + at));
            let [Some(open), Some(close)] = states else {
                continue;
            };
            if xml[open..close].contains("<name>running</name>") {
                xml.replace_range(open..close, "<instanceState><code>0</code><name>pending</name>");
            }
        }
        xml
    }

    async fn describe_instances(&self, call: &Call, request: Request<Bytes>) -> Result<Response<Body>, Stop> {
        self.all_shown(call)?;
        let page = self.knobs().page;
        let request = match page {
            Some(page) if call.get("InstanceId.1").is_none() && call.get("MaxResults").is_none() => {
                with_params(request, &[("MaxResults", &page.to_string())])
            }
            _ => request,
        };
        let mut answer = self.moto.pass(request).await?;
        // The body may change its length.
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        let (head, body) = answer.into_parts();
        let xml = self.without_hidden(String::from_utf8_lossy(&body).into_owned())?;
        let xml = self.with_prefixes(self.as_starting(xml));
        Ok(Response::from_parts(head, http_server::whole(xml)))
    }

    /// Ends instances; their groups lose them, and see to it.
    async fn terminate(&self, call: &Call, request: Request<Bytes>) -> Result<Response<Body>, Stop> {
        self.all_shown(call)?;
        let mut world = self.world.lock().await;
        let answer = self.moto.pass(request).await?;
        if answer.status().is_success() {
            let ids: Vec<_> = (1..)
                .map_while(|i| call.get(&format!("InstanceId.{i}")))
                .collect();
            self.gone(&mut world, &call.region, &ids).await?;
        }
        Ok(answer.map(http_server::whole))
    }
}

fn settled(service: Service, answered: Result<Response<Body>, Stop>) -> Response<Body> {
    match answered {
        Ok(answer) => answer,
        Err(Stop::Refused(refusal)) => refusal.answer(service),
        Err(Stop::Failed(error)) => http_server::text(StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

/// What moto does not take from a template: its type and its market.
fn with_template(call: &Call, request: Request<Bytes>, template: Option<&TemplateData>) -> Request<Bytes> {
    let Some(template) = template else {
        return request;
    };
    let mut more = Vec::new();
    if let (None, Some(instance_type)) = (call.get("InstanceType"), &template.instance_type) {
        more.push(("InstanceType", instance_type.as_str()));
    }
    if call.get("InstanceMarketOptions.MarketType").is_none() && template.spot {
        more.push(("InstanceMarketOptions.MarketType", "spot"));
    }
    with_params(request, &more)
}

fn with_params(request: Request<Bytes>, more: &[(&str, &str)]) -> Request<Bytes> {
    if more.is_empty() {
        return request;
    }
    let (mut head, body) = request.into_parts();
    let body = form_urlencoded::Serializer::new(String::from_utf8_lossy(&body).into_owned())
        .extend_pairs(more)
        .finish();
    head.headers.remove(header::CONTENT_LENGTH);
    Request::from_parts(head, body.into())
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
