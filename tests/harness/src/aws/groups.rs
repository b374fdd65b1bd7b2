//! Auto-scaling groups. moto has them too, but it forgets a policy with every change of size, launches neither the types
//! nor the market of one, and replaces what ends in the same breath; so they are kept here, over moto's EC2.

use super::group_params;
use super::query::{Call, Refusal};
use super::rules::{self, Sizes};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A launch template as a group names it, by id and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: Option<String>,
}

/// A type of a mixed instances policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Override {
    pub(super) instance_type: Option<String>,
    pub(super) weight: Option<u32>,
    pub(super) template: Option<Template>,
    pub(super) image: Option<String>,
    /// Types by requirements, as they came: `VCpuCount.Min`.
    pub(super) requirements: BTreeMap<String, String>,
    /// Types that met them when the group was made, the smallest first.
    pub(super) fitting: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
    Template(Template),
    Mixed {
        template: Template,
        overrides: Vec<Override>,
        max_price: Option<String>,
        on_demand_base: u32,
        on_demand_percentage: u32,
    },
    Configuration(String),
}

#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) propagate: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) instance_type: String,
    pub(super) zone: String,
    pub(super) weight: u32,
    pub(super) spot: bool,
    /// It is not ended when the group scales in.
    pub(super) protected: bool,
    /// EC2 recommends to move away from it, and the group does.
    at_risk: bool,
    in_service_at: Instant,
    /// A state set from outside.
    fixed: Option<String>,
}

impl Member {
    pub(super) fn state(&self) -> &str {
        match &self.fixed {
            Some(state) => state,
            None if Instant::now() < self.in_service_at => "Pending",
            None => "InService",
        }
    }

    /// It is in the group's warm pool.
    pub(super) fn is_warm(&self) -> bool {
        self.state().starts_with("Warmed:")
    }

    fn as_rule(&self) -> rules::Member<'_> {
        rules::Member {
            id: &self.id,
            state: self.state(),
            weight: self.weight,
        }
    }
}

/// A group.
#[derive(Clone, Debug)]
pub(super) struct Asg {
    pub(super) region: String,
    pub(super) name: String,
    pub(super) sizes: Sizes,
    /// Subnets and their zones.
    pub(super) subnets: Vec<(String, String)>,
    pub(super) source: Source,
    pub(super) capacity_rebalance: bool,
    /// What else is told of it as it was said: its placement group, capacity reservations.
    pub(super) said: BTreeMap<String, String>,
    /// All that joins it is protected from scale-in.
    pub(super) protects_new: bool,
    pub(super) suspended: Vec<String>,
    pub(super) tags: Vec<Tag>,
    /// ARNs of what its members are registered with.
    pub(super) target_groups: Vec<String>,
    /// Names of the classic ones.
    pub(super) classic_balancers: Vec<String>,
    pub(super) members: Vec<Member>,
    /// Ids of those that were.
    pub(super) left: Vec<String>,
}

/// An instance that joins a group.
pub(super) struct Joining {
    pub(super) id: String,
    pub(super) instance_type: String,
    pub(super) zone: String,
    pub(super) spot: bool,
}

/// What is launched, and by what.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) by: By,
    /// The override's; none: the template's.
    pub(super) instance_type: Option<String>,
    pub(super) image: Option<String>,
}

/// By what a group launches.
#[derive(Clone, Debug)]
pub(super) enum By {
    Template(Template),
    Configuration(String),
}

/// What a group launches next.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// In the policy's order, the next where one has no capacity in any zone.
    pub(super) pools: Vec<Pool>,
    /// Subnets, the emptiest zone first.
    pub(super) subnets: Vec<String>,
    pub(super) spot: bool,
    pub(super) max_price: Option<String>,
}

impl Override {
    fn pools(&self, template: &Template) -> Vec<Pool> {
        let own = self.template.as_ref().unwrap_or(template);
        let types: Vec<_> = if self.requirements.is_empty() {
            vec![self.instance_type.clone()]
        } else {
            self.fitting.iter().cloned().map(Some).collect()
        };
        let pool = |instance_type| Pool {
            by: By::Template(own.clone()),
            instance_type,
            image: self.image.clone(),
        };
        types.into_iter().map(pool).collect()
    }
}

impl Asg {
    pub(super) fn zones(&self) -> Vec<String> {
        let mut zones: Vec<_> = self.subnets.iter().map(|(_, zone)| zone.clone()).collect();
        zones.dedup();
        zones
    }

    /// What an instance of this type counts here.
    pub(super) fn weight_of(&self, instance_type: &str) -> u32 {
        match &self.source {
            Source::Mixed { overrides, .. } => overrides
                .iter()
                .find(|found| found.instance_type.as_deref() == Some(instance_type))
                .and_then(|found| found.weight)
                .unwrap_or(1),
            Source::Template(_) | Source::Configuration(_) => 1,
        }
    }

    pub(super) fn member(&self, id: &str) -> Option<rules::Member<'_>> {
        self.members
            .iter()
            .find(|member| member.id == id)
            .map(Member::as_rule)
    }

    pub(super) fn join(&mut self, instance: Joining, delay: Duration) {
        let weight = self.weight_of(&instance.instance_type);
        self.members.push(Member {
            id: instance.id,
            instance_type: instance.instance_type,
            zone: instance.zone,
            weight,
            spot: instance.spot,
            // What was detached has lost its own protection (user guide, "instance scale-in protection").
            protected: self.protects_new,
            at_risk: false,
            in_service_at: Instant::now() + delay,
            fixed: None,
        });
    }

    /// Puts members in service aside; with `decrement` desired is lowered with them.
    pub(super) fn enter_standby(&mut self, ids: &[&str], decrement: bool) -> Result<(), Refusal> {
        let members: Vec<_> = self.members.iter().map(Member::as_rule).collect();
        let leaving = rules::enter_standby(&self.name, self.sizes, &members, ids, decrement)?;
        self.sizes.desired -= leaving;
        for id in ids {
            self.fix(id, Some("Standby"));
        }
        Ok(())
    }

    /// Lets a member go; what it counted.
    pub(super) fn leave(&mut self, id: &str) -> u32 {
        let place = self.members.iter().position(|member| member.id == id);
        self.left.extend(place.map(|_| id.to_owned()));
        place.map_or(0, |place| self.members.remove(place).weight)
    }

    /// Sets a member's state, whatever it would be.
    pub(super) fn fix(&mut self, id: &str, state: Option<&str>) {
        if let Some(member) = self.members.iter_mut().find(|member| member.id == id) {
            member.fixed = state.map(str::to_owned);
        }
    }

    pub(super) fn protect(&mut self, ids: &[&str], protected: bool) -> Result<(), Refusal> {
        let members: Vec<_> = self.members.iter().map(Member::as_rule).collect();
        rules::protect(&self.name, &members, ids)?;
        for member in self
            .members
            .iter_mut()
            .filter(|member| ids.contains(&member.id.as_str()))
        {
            member.protected = protected;
        }
        Ok(())
    }

    pub(super) fn detach(&mut self, ids: &[&str], decrement: bool) -> Result<(), Refusal> {
        let members: Vec<_> = self.members.iter().map(Member::as_rule).collect();
        rules::detach(&self.name, self.sizes, &members, ids, decrement)?;
        for id in ids {
            let weight = self.leave(id);
            if decrement {
                self.sizes.desired -= weight;
            }
        }
        Ok(())
    }

    fn capacity(&self) -> u32 {
        self.members
            .iter()
            .filter(|member| !member.state().starts_with("Terminating") && member.state() != "Standby")
            .filter(|member| !member.is_warm() && !member.at_risk)
            .map(|member| member.weight)
            .sum()
    }

    /// Notes what is recommended of a spot instance, where the group heeds that.
    pub(super) fn recommend_rebalance(&mut self, id: &str) {
        let heeds = self.capacity_rebalance;
        for member in self.members.iter_mut().filter(|member| member.id == id) {
            member.at_risk = heeds && member.spot;
        }
    }

    /// A member at risk, once as many others are in service as are desired.
    pub(super) fn rebalanced(&self) -> Option<String> {
        let at_risk = self.members.iter().find(|member| member.at_risk)?;
        let others = self.members.iter().filter(|member| !member.at_risk);
        let serving: u32 = others
            .filter(|member| member.state() == "InService")
            .map(|member| member.weight)
            .sum();
        (serving >= self.sizes.desired).then(|| at_risk.id.clone())
    }

    pub(super) fn runs(&self, process: &str) -> bool {
        !self.suspended.iter().any(|suspended| suspended == process)
    }

    /// What it lacks, one instance of it.
    pub(super) fn lacks(&self) -> Option<Wanted> {
        if !self.runs("Launch") || self.capacity() >= self.sizes.desired {
            return None;
        }
        let mut subnets: Vec<_> = self.subnets.clone();
        subnets.sort_by_key(|(_, zone)| self.members.iter().filter(|member| member.zone == *zone).count());
        let subnets = subnets.into_iter().map(|(subnet, _)| subnet).collect();
        match &self.source {
            Source::Configuration(name) => Some(Wanted {
                pools: vec![Pool {
                    by: By::Configuration(name.clone()),
                    instance_type: None,
                    image: None,
                }],
                subnets,
                spot: false,
                max_price: None,
            }),
            Source::Template(template) => Some(Wanted {
                pools: vec![Pool {
                    by: By::Template(template.clone()),
                    instance_type: None,
                    image: None,
                }],
                subnets,
                spot: false,
                max_price: None,
            }),
            Source::Mixed {
                template,
                overrides,
                max_price,
                on_demand_base,
                on_demand_percentage,
            } => {
                let mut pools: Vec<_> = overrides.iter().flat_map(|of| of.pools(template)).collect();
                if overrides.is_empty() {
                    pools.push(Pool {
                        by: By::Template(template.clone()),
                        instance_type: None,
                        image: None,
                    });
                }
                let on_demand: u32 = self
                    .members
                    .iter()
                    .filter(|member| !member.spot)
                    .map(|m| m.weight)
                    .sum();
                let above = self.sizes.desired.saturating_sub(*on_demand_base);
                let wanted =
                    on_demand_base.min(&self.sizes.desired) + (above * on_demand_percentage).div_ceil(100);
                Some(Wanted {
                    pools,
                    subnets,
                    spot: on_demand >= wanted,
                    max_price: max_price.clone(),
                })
            }
        }
    }

    /// The member it ends when it has too many: the oldest in the fullest zone, as long as enough stay. None where all of
    /// them are protected.
    pub(super) fn surplus(&self) -> Option<String> {
        if !self.runs("Terminate") {
            return None;
        }
        let excess = self.capacity().checked_sub(self.sizes.desired)?;
        let in_zone = |zone: &str| self.members.iter().filter(|member| member.zone == zone).count();
        let mut fitting: Vec<_> = self
            .members
            .iter()
            .filter(|member| member.weight <= excess && !member.state().starts_with("Terminating"))
            .filter(|member| member.state() != "Standby" && !member.is_warm() && !member.at_risk)
            .filter(|member| !member.protected)
            .collect();
        // Stable: the older one stays first.
        fitting.sort_by_key(|member| usize::MAX - in_zone(&member.zone));
        fitting.first().map(|member| member.id.clone())
    }

    /// From the parameters of `CreateAutoScalingGroup`. Templates are still named as they came, subnets without zones.
    pub(super) fn from_call(call: &Call) -> Result<Self, Refusal> {
        let needed = |name: &str| {
            call.number(name)
                .ok_or_else(|| Refusal::validation(format!("{name} is needed")))
        };
        let (min, max) = (needed("MinSize")?, needed("MaxSize")?);
        let sizes = Sizes {
            min,
            desired: call.number("DesiredCapacity").unwrap_or(min),
            max,
        };
        rules::resize(sizes, None, Some(sizes.desired), None)?;
        Ok(Self {
            region: call.region.clone(),
            name: call.get("AutoScalingGroupName").unwrap_or_default().to_owned(),
            sizes,
            subnets: subnets(call),
            source: group_params::source(call)?,
            capacity_rebalance: call.get("CapacityRebalance") == Some("true"),
            said: group_params::as_said(call),
            protects_new: call.get("NewInstancesProtectedFromScaleIn") == Some("true"),
            suspended: Vec::new(),
            tags: group_params::tags(call),
            target_groups: call
                .list("TargetGroupARNs")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            classic_balancers: call
                .list("LoadBalancerNames")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            members: Vec::new(),
            left: Vec::new(),
        })
    }

    /// Its overrides with requirements, each with the template it goes by.
    pub(super) fn by_requirements(&mut self) -> Vec<(Template, &mut Override)> {
        let Source::Mixed {
            template, overrides, ..
        } = &mut self.source
        else {
            return Vec::new();
        };
        let asked = overrides.iter_mut().filter(|of| !of.requirements.is_empty());
        asked
            .map(|of| (of.template.clone().unwrap_or_else(|| template.clone()), of))
            .collect()
    }

    /// The templates it names.
    pub(super) fn templates(&mut self) -> Vec<&mut Template> {
        match &mut self.source {
            Source::Template(template) => vec![template],
            Source::Configuration(_) => Vec::new(),
            Source::Mixed {
                template, overrides, ..
            } => std::iter::once(template)
                .chain(overrides.iter_mut().filter_map(|found| found.template.as_mut()))
                .collect(),
        }
    }
}

/// Subnets as they come in a call, their zones not known yet.
pub(super) fn subnets(call: &Call) -> Vec<(String, String)> {
    let subnets = call.get("VPCZoneIdentifier").unwrap_or_default().split(',');
    let named = subnets.filter(|id| !id.is_empty());
    named.map(|id| (id.to_owned(), String::new())).collect()
}
