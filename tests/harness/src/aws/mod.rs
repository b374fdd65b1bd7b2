//! EC2, Auto Scaling, Elastic Load Balancing, SQS and STS on this machine: moto's server behind a proxy that makes it as strict as AWS.
//!
//! moto knows the API but not all of its rules. The proxy adds idempotent launches (`ClientToken`), instances that are
//! pending at first, network interfaces and subnets kept apart, types by requirements, launch configurations, prices of spot pools, the draining of load balancers, pools without capacity, capacity reservations, lifecycle
//! actions, faults, and a record of all calls. Auto Scaling's groups it keeps itself, with the conditions of attaching,
//! detaching and sizes ([`rules`]), weights, markets, and the launches and terminations a group makes by itself.
//!
//! What it leaves out of AWS: health checks (a group knows at once of an instance that ends), the filling of warm pools, scaling
//! policies, the beginning of a hook's wait (see [`Aws::wait_in_hook`]; how it ends is as in AWS). Reads may lag
//! ([`Aws::set_read_lag`], [`Aws::set_instance_lag`]).

mod balancers;
mod checks;
mod configurations;
mod credentials;
mod edits;
mod group_params;
mod groups;
mod groups_xml;
mod images;
mod interfaces;
mod interruptions;
mod knobs;
mod late;
mod launches;
mod lifecycle;
mod moto;
mod new_balancer;
mod new_group;
mod policy;
mod prices;
mod processes;
mod query;
mod queues;
mod reservations;
pub mod rules;
mod scaling;
mod standby;
mod strict;
mod types;

pub use checks::Check;
pub use credentials::Credentials;
pub use lifecycle::{Hook, LifecycleAction};
pub use new_balancer::Balancing;
pub use new_group::NewGroup;
pub use policy::Policy;
pub use query::Call;
pub use queues::QueueDepth;

use crate::http_server::Server;
use crate::ports::Port;
use crate::process::Worker;
use crate::proxy::Fault;
use crate::{Error, Result, testbed};
use moto::Moto;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use strict::Strict;

const START: Duration = Duration::from_secs(120);

/// An AWS service; each has its own form of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// EC2.
    Ec2,
    /// EC2 Auto Scaling.
    AutoScaling,
    /// Elastic Load Balancing: target groups.
    Balancing,
    /// Elastic Load Balancing: classic load balancers.
    ClassicBalancing,
    /// STS.
    Sts,
    /// IAM.
    Iam,
}

/// An auto-scaling group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its sizes.
    pub sizes: rules::Sizes,
    /// Its availability zones.
    pub zones: Vec<String>,
    /// Its instances' ids and lifecycle states, the oldest first.
    pub members: Vec<(String, String)>,
    /// Ids of those that are protected from scale-in.
    pub protected: Vec<String>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its state: `pending`, `running`, ..., `terminated`.
    pub state: String,
    /// Its type.
    pub instance_type: String,
    /// Its availability zone.
    pub zone: String,
    /// Its subnet; empty once it is terminated.
    pub subnet: String,
    /// Whether it is a spot instance.
    pub spot: bool,
    /// Its tags, those of AWS too.
    pub tags: BTreeMap<String, String>,
    /// The group that it is a member of.
    pub group: Option<String>,
}

/// How long things take that take no time at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// From a launch to `running`; `pending` until then.
    pub running: Duration,
    /// From joining a group to `InService`; `Pending` until then. What a group launches itself joins at once, and has to
    /// run first.
    pub in_service: Duration,
}

/// A simulated AWS. It stops when it is dropped.
#[derive(Debug)]
pub struct Aws {
    server: Server,
    strict: Arc<Strict>,
    _moto: Worker,
    _ports: [Port; 2],
}

impl Aws {
    /// Starts one, empty but for what an account has from the beginning; ready when it returns.
    ///
    /// # Errors
    /// If Python is missing, or it does not come up, with the end of its log.
    pub async fn start() -> Result<Self> {
        let program = tokio::task::spawn_blocking(testbed::moto_server)
            .await
            .unwrap_or_else(|error| Err(Error::new(format!("the installation of moto panicked: {error}"))))?;
        let ports = [Port::reserve()?, Port::reserve()?];
        let [upstream, front] = [ports[0].addr(), ports[1].addr()];
        let worker = Worker::builder("moto", program)
            .args(["-H", "127.0.0.1", "-p", &upstream.port().to_string()])
            .start()?;
        let url = format!("http://{upstream}");
        worker.ready(&format!("{url}/moto-api/"), START).await?;
        let strict = Arc::new(Strict::new(Moto::new(&url)?));
        let handler = {
            let strict = Arc::clone(&strict);
            move |request| {
                let strict = Arc::clone(&strict);
                let answer = async move {
                    strict
                        .faults
                        .through(request, |request| strict.answer(request))
                        .await
                };
                // A task of its own: AWS finishes a request whose client has gone, and remembers its token.
                let answering = tokio::spawn(answer);
                Box::pin(async move { answering.await.unwrap_or_else(|error| panic!("{error}")) }) as _
            }
        };
        let server = Server::start(front, None, handler).await?;
        Ok(Self {
            server,
            strict,
            _moto: worker,
            _ports: ports,
        })
    }

    /// The endpoint of all services: for `AWS_ENDPOINT_URL`. Any region and credentials will do.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    /// Makes a call without an SDK, in region us-east-1: the XML of the answer.
    ///
    /// # Errors
    /// If the answer is not 2xx.
    pub async fn call(&self, service: Service, action: &str, params: &[(&str, &str)]) -> Result<String> {
        self.call_in("us-east-1", service, action, params).await
    }

    /// Makes a call without an SDK: the XML of the answer.
    ///
    /// # Errors
    /// If the answer is not 2xx.
    pub async fn call_in(
        &self,
        region: &str,
        service: Service,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<String> {
        Moto::new(&self.url())?
            .call(region, service, action, params)
            .await
    }

    /// Launches instances that are in no group, with these tags: their ids.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn launch(&self, region: &str, count: usize, tags: &[(&str, &str)]) -> Result<Vec<String>> {
        let count = count.to_string();
        let mut params = vec![
            ("ImageId".to_owned(), "ami-12c6146b".to_owned()),
            ("InstanceType".to_owned(), "m5.large".to_owned()),
            ("MinCount".to_owned(), count.clone()),
            ("MaxCount".to_owned(), count),
        ];
        if !tags.is_empty() {
            params.push((
                "TagSpecification.1.ResourceType".to_owned(),
                "instance".to_owned(),
            ));
        }
        for (place, (key, value)) in (1..).zip(tags) {
            params.push((format!("TagSpecification.1.Tag.{place}.Key"), (*key).to_owned()));
            params.push((
                format!("TagSpecification.1.Tag.{place}.Value"),
                (*value).to_owned(),
            ));
        }
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        // Past the faults and the record of calls.
        let moto = &self.strict.moto;
        let xml = moto.call(region, Service::Ec2, "RunInstances", &params).await?;
        moto::ids_in(&xml)
    }

    /// Gives a group a lifecycle hook of terminations that waits this long; whether there is such a group does not matter.
    pub fn put_hook(&self, group: &str, hook: &str, heartbeat: Duration) {
        self.put_hook_as(group, hook, Hook::terminating(heartbeat));
    }

    /// Gives a group this lifecycle hook.
    pub fn put_hook_as(&self, group: &str, hook: &str, about: Hook) {
        self.strict.lifecycle().put_hook(group, hook, about);
    }

    /// Forgets a group of us-east-1, with its hooks and all that waits in them. Its instances go on running.
    pub async fn delete_group(&self, name: &str) {
        let mut world = self.strict.world.lock().await;
        world
            .groups
            .retain(|group| group.region != "us-east-1" || group.name != name);
        self.strict.lifecycle().forget_group(name);
    }

    /// Makes a group of instances of a launch template of the same name, over the default subnets of these zones of
    /// us-east-1, tagged as managed by Hollowtrees.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn create_group(
        &self,
        name: &str,
        zones: &[&str],
        min: u32,
        desired: u32,
        max: u32,
    ) -> Result<Group> {
        self.create(&NewGroup::new(name).zones(zones).sizes(min, desired, max))
            .await
    }

    /// Makes a group and its launch template. The record of calls knows nothing of it.
    ///
    /// # Errors
    /// If it would be refused.
    pub async fn create(&self, group: &NewGroup) -> Result<Group> {
        group.create(&self.strict).await
    }

    /// A group of us-east-1 as it is now.
    ///
    /// # Errors
    /// If there is none.
    pub async fn group(&self, name: &str) -> Result<Group> {
        self.group_in("us-east-1", name).await
    }

    /// All instances of us-east-1, those that ended too, the oldest first.
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn instances(&self) -> Result<Vec<Instance>> {
        let mut all = self.strict.moto.instances_by("us-east-1", &[]).await?;
        let mut world = self.strict.world.lock().await;
        for instance in &mut all {
            if self.strict.starts_still(&instance.id) && instance.state == "running" {
                "pending".clone_into(&mut instance.state);
            }
            instance.group = world
                .group_of("us-east-1", &instance.id)
                .map(|group| group.name.clone());
        }
        Ok(all)
    }

    /// From now on groups launch nothing by themselves, or make up for it now and go on doing so.
    ///
    /// # Errors
    /// If moto does not launch what is to be made up for.
    pub async fn hold_replacements(&self, hold: bool) -> Result<()> {
        self.strict.knobs().replacements_held = hold;
        self.strict.settle_all().await
    }

    /// From now on a member is in this lifecycle state, say `Terminating:Wait`; none: in the one it would be in.
    ///
    /// # Errors
    /// If it is a member of no group of us-east-1.
    pub async fn set_member_state(&self, instance: &str, state: Option<&str>) -> Result<()> {
        let mut world = self.strict.world.lock().await;
        world
            .group_of("us-east-1", instance)
            .map(|group| group.fix(instance, state))
            .ok_or_else(|| Error::new(format!("{instance} is in no group")))
    }

    /// From now on so many launches are taken at once, and so many a second; the others are throttled.
    pub fn set_launch_rate(&self, at_once: u32, per_second: f64) {
        self.strict.knobs().launches = Some(knobs::Bucket::new(at_once, per_second));
    }

    /// From now on launches and joins take this long.
    pub fn set_delays(&self, delays: Delays) {
        self.strict.knobs().delays = delays;
    }

    /// From now on groups and their members are read as they were this long ago. What a call changes is not: AWS's rules
    /// go by what is there.
    pub fn set_read_lag(&self, lag: Duration) {
        self.strict.knobs().lag = lag;
    }

    /// From now on lists of instances come in pages of this many reservations.
    pub fn set_page_size(&self, reservations: usize) {
        self.strict.knobs().page = Some(reservations);
    }

    /// From now on launches of this type in this zone answer `InsufficientInstanceCapacity`, or no longer do.
    pub fn set_capacity(&self, instance_type: &str, zone: &str, available: bool) {
        let pool = (instance_type.to_owned(), zone.to_owned());
        let exhausted = &mut self.strict.knobs().exhausted;
        if available {
            exhausted.remove(&pool);
        } else {
            exhausted.insert(pool);
        }
    }

    /// Puts an instance into the wait of a lifecycle hook, as a launch or a termination does.
    pub fn open_lifecycle_action(&self, action: LifecycleAction) {
        self.strict.lifecycle().open(action);
    }

    /// Puts a member of a group into the wait of this hook: `Terminating:Wait`, or `Pending:Wait` of a launch. Its state
    /// changes when the wait ends.
    ///
    /// # Errors
    /// If it is a member of no group of us-east-1.
    pub async fn wait_in_hook(&self, action: LifecycleAction, state: &str) -> Result<()> {
        self.set_member_state(&action.instance_id, Some(state)).await?;
        self.open_lifecycle_action(action);
        Ok(())
    }

    /// All lifecycle actions so far, open and completed.
    pub fn lifecycle_actions(&self) -> Vec<LifecycleAction> {
        self.strict.lifecycle().all()
    }

    /// From now on this goes wrong, too. Narrow it with [`Fault::containing`], say `Action=RunInstances&`;
    /// [`Fault::lost_reply`] is a time-out after success.
    pub fn inject(&self, fault: Fault) {
        self.strict.faults.inject(fault);
    }

    /// Ends all injected faults.
    pub fn heal(&self) {
        self.strict.faults.heal();
    }

    /// All calls so far, those answered by faults excepted.
    pub fn calls(&self) -> Vec<Call> {
        self.timed_calls().into_iter().map(|(_, call)| call).collect()
    }

    /// All calls so far that change something, those answered by faults excepted.
    pub fn writes(&self) -> Vec<Call> {
        self.calls().into_iter().filter(Call::writes).collect()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.strict.forget_calls();
    }

    /// How many calls of this action there were.
    pub fn count(&self, action: &str) -> usize {
        self.calls().iter().filter(|call| call.action == action).count()
    }

    /// Forgets everything: groups, instances, tokens, calls and faults.
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn reset(&self) -> Result<()> {
        self.strict.reset().await
    }
}

impl Service {
    /// A fault that answers with an error of this service: say `RequestLimitExceeded`, 503, of EC2, or `Throttling`,
    /// 400, of Auto Scaling.
    pub fn fault(self, code: &str, status: u16) -> Fault {
        Fault::status(status)
            .header("content-type", "text/xml")
            .body(query::error_text(self, code, "injected fault"))
    }
}
