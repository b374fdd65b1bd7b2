//! Load balancers: moto's, with the draining that moto does not know.
//!
//! Sources: Elastic Load Balancing API references, DeregisterTargets ("If the specified target does not exist, the action
//! returns successfully"), DescribeTargetHealth, DescribeInstanceHealth; user guide for classic load balancers,
//! "Configure connection draining": an instance that is taken out is `InService: Instance deregistration currently in
//! progress`, and after that `OutOfService: Instance is not currently registered with the LoadBalancer`.

use super::Service;
use super::query::{Call, Refusal};
use super::strict::{Stop, Strict, lock};
use crate::http_server::{self, Body};
use crate::{Error, Result};
use http::{Response, StatusCode};
use roxmltree::Document;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What drains: by region, group's ARN or balancer's name, and target. The port it had, and until when.
#[derive(Debug, Default)]
pub(super) struct Draining {
    pub(super) delay: Duration,
    until: HashMap<(String, String, String), (String, Instant)>,
}

impl Draining {
    fn begin(&mut self, call: &Call, of: &str, target: &str, port: &str) {
        let key = (call.region.clone(), of.to_owned(), target.to_owned());
        self.until
            .insert(key, (port.to_owned(), Instant::now() + self.delay));
    }

    fn end(&mut self, call: &Call, of: &str, target: &str) {
        self.until
            .remove(&(call.region.clone(), of.to_owned(), target.to_owned()));
    }

    /// Targets and their ports.
    fn of(&self, call: &Call, of: &str) -> Vec<(String, String)> {
        let now = Instant::now();
        let mut found: Vec<_> = self
            .until
            .iter()
            .filter(|((region, place, _), (_, until))| *region == call.region && place == of && now < *until)
            .map(|((_, _, target), (port, _))| (target.clone(), port.clone()))
            .collect();
        found.sort();
        found
    }
}

/// The values of one field of a list's members.
fn members(call: &Call, list: &str, field: &str) -> Vec<String> {
    (1..)
        .map_while(|i| call.get(&format!("{list}.member.{i}.{field}")))
        .map(str::to_owned)
        .collect()
}

impl Strict {
    /// The answer to a call about load balancers that moto does not give as AWS does; none: moto's will do.
    pub(super) async fn balance(&self, call: &Call) -> Option<Result<Response<Body>, Stop>> {
        Some(match call.action.as_str() {
            "DeregisterTargets" => self.deregister_targets(call).await,
            "RegisterTargets" => self.register_targets(call).await,
            "DescribeTargetHealth" => self.target_health(call).await,
            "DeregisterInstancesFromLoadBalancer" => self.deregister_instances(call).await,
            "RegisterInstancesWithLoadBalancer" => {
                let name = call.get("LoadBalancerName").unwrap_or_default();
                for instance in members(call, "Instances", "InstanceId") {
                    lock(&self.draining).end(call, name, &instance);
                }
                return None;
            }
            "DescribeInstanceHealth" => self.instance_health(call).await,
            _ => return None,
        })
    }

    /// Registers what joined a group with its target groups, by ARN, and its classic load balancers, by name.
    pub(super) async fn register_members(
        &self,
        region: &str,
        (targets, classic): (&[String], &[String]),
        ids: &[&str],
    ) -> Result<()> {
        for id in ids {
            for arn in targets {
                let params = [("TargetGroupArn", arn.as_str()), ("Targets.member.1.Id", id)];
                let service = Service::Balancing;
                self.moto
                    .call(region, service, "RegisterTargets", &params)
                    .await?;
            }
            for name in classic {
                let params = [
                    ("LoadBalancerName", name.as_str()),
                    ("Instances.member.1.InstanceId", id),
                ];
                let (service, action) = (Service::ClassicBalancing, "RegisterInstancesWithLoadBalancer");
                self.moto.call(region, service, action, &params).await?;
            }
        }
        Ok(())
    }

    async fn deregister_targets(&self, call: &Call) -> Result<Response<Body>, Stop> {
        let arn = call.get("TargetGroupArn").unwrap_or_default();
        let registered = self.registered(call, arn).await?;
        for (i, target) in members(call, "Targets", "Id").into_iter().enumerate() {
            let port = call.get(&format!("Targets.member.{}.Port", i + 1));
            let found = registered
                .iter()
                .find(|(id, own)| *id == target && port.is_none_or(|port| port == own));
            let Some((_, port)) = found else { continue };
            let params = [("TargetGroupArn", arn), ("Targets.member.1.Id", target.as_str())];
            self.moto
                .call(&call.region, Service::Balancing, "DeregisterTargets", &params)
                .await?;
            lock(&self.draining).begin(call, arn, &target, port);
        }
        Ok(done(Service::Balancing, &call.action))
    }

    async fn register_targets(&self, call: &Call) -> Result<Response<Body>, Stop> {
        let arn = call.get("TargetGroupArn").unwrap_or_default();
        self.registered(call, arn).await?;
        let targets = members(call, "Targets", "Id");
        for target in targets.iter().filter(|target| target.starts_with("i-")) {
            let found = self.moto.instance(&call.region, target).await?;
            if found.is_none_or(|instance| instance.state != "running") {
                let message = format!(
                    "The following targets are not in a running state and cannot be registered: '{target}'"
                );
                return Err(Refusal::new("InvalidTarget", message).into());
            }
        }
        let params: Vec<_> = call
            .params
            .iter()
            .filter(|(name, _)| name.as_str() != "Version")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.moto
            .call(&call.region, Service::Balancing, &call.action, &params)
            .await?;
        for target in &targets {
            lock(&self.draining).end(call, arn, target);
        }
        Ok(done(Service::Balancing, &call.action))
    }

    /// Ids and ports of what is registered with a group.
    async fn registered(&self, call: &Call, arn: &str) -> Result<Vec<(String, String)>, Stop> {
        let params = [("TargetGroupArn", arn)];
        let told = self
            .moto
            .call(&call.region, Service::Balancing, "DescribeTargetHealth", &params)
            .await;
        let xml = match told {
            Err(error) if error.to_string().contains("TargetGroupNotFound") => {
                let message = format!("One or more target groups not found: {arn}");
                return Err(Refusal::new("TargetGroupNotFound", message).into());
            }
            told => told?,
        };
        Ok(fields(&xml, "Target", ["Id", "Port"])?)
    }

    async fn target_health(&self, call: &Call) -> Result<Response<Body>, Stop> {
        let arn = call.get("TargetGroupArn").unwrap_or_default();
        let mut health: Vec<_> = self
            .registered(call, arn)
            .await?
            .into_iter()
            .map(|(id, port)| (id, port, "healthy", ""))
            .collect();
        let drains = lock(&self.draining).of(call, arn);
        health.extend(
            drains
                .into_iter()
                .map(|(id, port)| (id, port, "draining", "Target.DeregistrationInProgress")),
        );
        let members: String = health
            .into_iter()
            .map(|(id, port, state, reason)| {
                let reason = match reason {
                    "" => String::new(),
                    reason => format!("<Reason>{reason}</Reason>"),
                };
                format!(
                    "<member><Target><Id>{id}</Id><Port>{port}</Port></Target><HealthCheckPort>{port}</HealthCheckPort>\
                     <TargetHealth><State>{state}</State>{reason}</TargetHealth></member>"
                )
            })
            .collect();
        let result = format!("<TargetHealthDescriptions>{members}</TargetHealthDescriptions>");
        Ok(answer(Service::Balancing, &call.action, &result))
    }

    async fn deregister_instances(&self, call: &Call) -> Result<Response<Body>, Stop> {
        let name = call.get("LoadBalancerName").unwrap_or_default();
        let registered = self.in_service(call, name).await?;
        for instance in members(call, "Instances", "InstanceId") {
            if !registered.contains(&instance) {
                continue;
            }
            let params = [
                ("LoadBalancerName", name),
                ("Instances.member.1.InstanceId", instance.as_str()),
            ];
            self.moto
                .call(&call.region, Service::ClassicBalancing, &call.action, &params)
                .await?;
            lock(&self.draining).begin(call, name, &instance, "");
        }
        Ok(done(Service::ClassicBalancing, &call.action))
    }

    async fn in_service(&self, call: &Call, name: &str) -> Result<Vec<String>, Stop> {
        let params = [("LoadBalancerName", name)];
        let told = self
            .moto
            .call(
                &call.region,
                Service::ClassicBalancing,
                "DescribeInstanceHealth",
                &params,
            )
            .await;
        let xml = match told {
            Err(error) if error.to_string().contains("oadBalancer") => {
                let message = format!("There is no ACTIVE Load Balancer named '{name}'");
                return Err(Refusal::new("LoadBalancerNotFound", message).into());
            }
            told => told?,
        };
        let found = fields(&xml, "member", ["InstanceId", "State"])?;
        Ok(found.into_iter().map(|(id, _)| id).collect())
    }

    async fn instance_health(&self, call: &Call) -> Result<Response<Body>, Stop> {
        let name = call.get("LoadBalancerName").unwrap_or_default();
        let registered = self.in_service(call, name).await?;
        let drains = lock(&self.draining).of(call, name);
        let mut asked = members(call, "Instances", "InstanceId");
        for instance in &asked {
            let found = self.moto.instance(&call.region, instance).await?;
            if found.is_none_or(|instance| instance.state == "terminated") {
                let message = format!("Could not find EC2 instance {instance}.");
                return Err(Refusal::new("InvalidInstance", message).into());
            }
        }
        if asked.is_empty() {
            asked.clone_from(&registered);
            asked.extend(drains.iter().map(|(id, _)| id.clone()));
        }
        let members: String = asked
            .into_iter()
            .map(|id| {
                let (state, description) = if registered.contains(&id) {
                    ("InService", "N/A")
                } else if drains.iter().any(|(other, _)| *other == id) {
                    ("InService", "Instance deregistration currently in progress.")
                } else {
                    (
                        "OutOfService",
                        "Instance is not currently registered with the LoadBalancer.",
                    )
                };
                format!(
                    "<member><InstanceId>{id}</InstanceId><State>{state}</State><ReasonCode>N/A</ReasonCode>\
                     <Description>{description}</Description></member>"
                )
            })
            .collect();
        let result = format!("<InstanceStates>{members}</InstanceStates>");
        Ok(answer(Service::ClassicBalancing, &call.action, &result))
    }
}

/// The texts of two fields of all elements of this name that have the first.
pub(super) fn fields(xml: &str, element: &str, names: [&str; 2]) -> Result<Vec<(String, String)>> {
    let document = Document::parse(xml).map_err(|error| Error::new(format!("no XML: {error}: {xml}")))?;
    let found = document
        .descendants()
        .filter(|node| node.is_element() && node.tag_name().name() == element)
        .filter_map(|node| {
            let text = |name: &str| {
                let child = node.children().find(|child| child.tag_name().name() == name)?;
                child.text().map(str::to_owned)
            };
            Some((text(names[0])?, text(names[1]).unwrap_or_default()))
        });
    Ok(found.collect())
}

fn done(service: Service, action: &str) -> Response<Body> {
    answer(service, action, "")
}

fn answer(service: Service, action: &str, result: &str) -> Response<Body> {
    let version = service.version();
    let text = format!(
        "<{action}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/{version}/\"><{action}Result>{result}\
         </{action}Result><ResponseMetadata><RequestId>testbed</RequestId></ResponseMetadata></{action}Response>"
    );
    http_server::with_type(StatusCode::OK, "text/xml", text)
}
