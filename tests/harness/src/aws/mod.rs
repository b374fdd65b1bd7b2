//! EC2, Auto Scaling and STS on this machine: moto's server behind a proxy that makes it as strict as AWS.
//!
//! moto knows the API but not all of its rules. The proxy adds idempotent launches (`ClientToken`), the conditions of
//! attaching and detaching ([`rules`]), lifecycle actions, pools without capacity, faults, and a record of all calls.

mod lifecycle;
mod moto;
mod query;
pub mod rules;
mod strict;

pub use lifecycle::LifecycleAction;
pub use moto::Group;
pub use query::Call;

use crate::http_server::Server;
use crate::ports::Port;
use crate::process::Worker;
use crate::proxy::Fault;
use crate::{Error, Result, testbed};
use moto::Moto;
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
                Box::pin(async move {
                    strict
                        .faults
                        .through(request, |request| strict.answer(request))
                        .await
                }) as _
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
        Moto::new(&self.url())?
            .call("us-east-1", service, action, params)
            .await
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
        self.strict
            .moto
            .create_group(name, zones, [min, desired, max])
            .await
    }

    /// A group of us-east-1 as it is now.
    ///
    /// # Errors
    /// If there is none.
    pub async fn group(&self, name: &str) -> Result<Group> {
        self.strict
            .moto
            .group("us-east-1", name)
            .await?
            .ok_or_else(|| Error::new(format!("there is no auto-scaling group {name}")))
    }

    /// From now on launches of this type in this zone answer `InsufficientInstanceCapacity`, or no longer do.
    pub fn set_capacity(&self, instance_type: &str, zone: &str, available: bool) {
        self.strict.set_capacity(instance_type, zone, available);
    }

    /// Puts an instance into the wait of a lifecycle hook, as a launch or a termination does.
    pub fn open_lifecycle_action(&self, action: LifecycleAction) {
        self.strict.lifecycle().open(action);
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
        self.strict.calls()
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

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::AutoScaling => "autoscaling",
        }
    }
}
