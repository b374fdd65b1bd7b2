//! What the cloud shows of a swap: instances, groups, templates. Read anew before every decision.

use std::collections::BTreeMap;

/// Where an instance is in its life (EC2 API reference, `InstanceState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It starts.
    Pending,
    /// It runs.
    Running,
    /// It stops, or was stopped: it costs its volumes and serves nobody.
    Stopped,
    /// It ends, or ended.
    Gone,
}

/// An EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `i-...`
    pub id: String,
    /// Where it is in its life.
    pub life: Life,
    /// `m5.large`
    pub instance_type: String,
    /// `subnet-...`; empty once it is gone.
    pub subnet: String,
    /// `us-east-1a`
    pub zone: String,
    /// Whether it is a spot instance.
    pub spot: bool,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
}

/// Where an instance stands in its group (Auto Scaling user guide, "instance lifecycle").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It joins: `Pending`, its waits, a warm pool.
    Joining,
    /// It is in service.
    InService,
    /// It is put aside.
    Standby,
    /// The group ends it, or lets it go.
    Leaving,
}

/// One instance of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `i-...`
    pub instance: String,
    /// Where it stands.
    pub standing: Standing,
    /// Its weight; 1 without weights.
    pub weight: u32,
    /// `us-east-1a`
    pub zone: String,
}

/// Sizes of a group, in instances or, where its overrides have weights, in units of weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sizes {
    /// `MinSize`
    pub min: u32,
    /// `DesiredCapacity`
    pub desired: u32,
    /// `MaxSize`
    pub max: u32,
}

/// A launch template as a group names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct TemplateRef {
    /// `lt-...`
    pub id: String,
    /// `$Latest`, `$Default` or a number.
    pub version: String,
}

/// A launch template's version, resolved to its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its id and its number.
    pub resolved: TemplateRef,
    /// Its own instance type, where it has one.
    pub instance_type: Option<String>,
}

/// One type of a mixed-instances group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// `m5.large`
    pub instance_type: String,
    /// `WeightedCapacity`; 1 where there is none.
    pub weight: u32,
    /// A template of its own.
    pub template: Option<TemplateRef>,
}

/// What a group launches from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One launch template.
    Template(TemplateRef),
    /// A mixed-instances policy.
    Mixed {
        /// The policy's template.
        template: TemplateRef,
        /// Its types, in the group's order. Empty: the template's own type.
        overrides: Vec<Override>,
        /// `SpotMaxPrice`, in US dollars an hour; none: up to the on-demand price.
        max_price: Option<String>,
        /// The types' order is the order in which spot pools are to be tried (`capacity-optimized-prioritized`).
        prioritized: bool,
    },
    /// Something a swap does not know: a launch configuration, types by requirements. Says what.
    Unknown(String),
}

/// A tag of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whether the group gives it to its instances.
    pub propagate: bool,
}

/// An auto-scaling group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its sizes.
    pub sizes: Sizes,
    /// Its instances.
    pub members: Vec<Member>,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// What it launches from.
    pub source: Source,
    /// Whether it replaces instances at risk itself (`CapacityRebalance`).
    pub capacity_rebalance: bool,
    /// Processes that are suspended: `Launch`, `Terminate`, ...
    pub suspended: Vec<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// ARNs of the target groups that its members are registered with.
    pub target_groups: Vec<String>,
}

impl Group {
    /// Whether an instance is a member, wherever it stands.
    #[must_use]
    pub fn has(&self, instance: &str) -> bool {
        self.members.iter().any(|member| member.instance == instance)
    }
}

/// A subnet a group launches into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-...`
    pub id: String,
    /// `us-east-1a`
    pub zone: String,
}

/// One launch, whole: the same value is the same call, and by its token the same instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Template and number of its version.
    pub template: TemplateRef,
    /// `m5.large`
    pub instance_type: String,
    /// `subnet-...`
    pub subnet: String,
    /// Spot, with this highest price where one is set; none: on demand.
    pub spot: Option<SpotMarket>,
    /// `ClientToken`, at most 64 ASCII characters.
    pub token: String,
    /// Tags of the instance and its volumes, beside the template's own.
    pub tags: BTreeMap<String, String>,
}

/// Terms of a spot launch: one-time, ended at interruption.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SpotMarket {
    /// Highest price in US dollars an hour; none: the on-demand price.
    pub max_price: Option<String>,
}
