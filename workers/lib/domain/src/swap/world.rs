//! What the cloud shows of a swap: instances, groups, templates. Read anew before every decision.

use std::collections::BTreeMap;

use super::{
    placement::{Placement, Reserved},
    processes::Maintenance,
};

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
    /// It joins: `Pending`, its waits.
    Joining,
    /// It is in service.
    InService,
    /// It is put aside: it serves nothing, and desired is without it.
    Standby,
    /// It waits in the group's warm pool, beside the group.
    Warm,
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
    /// It is not ended where the group scales in (`ProtectedFromScaleIn`).
    pub protected: bool,
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

/// A launch template as a group names it. Its fields' names are those of a saved choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct TemplateRef {
    /// `lt-...`
    #[serde(rename = "template")]
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
    /// `ami-...`, where it has one.
    pub image: Option<String>,
    /// It has requirements in place of a type, and `RunInstances` takes none such (EC2 API reference,
    /// `RequestLaunchTemplateData`, `InstanceRequirements`).
    pub by_requirements: bool,
}

/// A launch configuration that cannot become another one: who deletes it and makes one of the same name makes another ARN.
/// Its fields' names are those of a saved choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ConfigurationRef {
    /// Its name.
    #[serde(rename = "configuration")]
    pub name: String,
    /// `arn:aws:autoscaling:...:launchConfiguration:<uuid>:launchConfigurationName/<name>`
    pub arn: String,
}

/// A launch configuration, as far as a choice needs it. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Which one it is.
    pub pinned: ConfigurationRef,
    /// `m5.large`
    pub instance_type: String,
    /// `SpotPrice`, in US dollars an hour; none: its group's instances are on demand.
    pub max_price: Option<String>,
    /// What it says that cannot be said of a launch into a subnet; none: all can.
    pub beyond: Option<String>,
}

/// What a launch goes by, pinned: the same one is the same for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Blueprint {
    /// A launch configuration.
    Configuration(ConfigurationRef),
    /// A numbered version of a launch template. Last: a saved choice without either is one of an unknown template.
    Template(TemplateRef),
}

impl Default for Blueprint {
    fn default() -> Self {
        Self::Template(TemplateRef::default())
    }
}

/// One type of a mixed-instances group, or all that meet its requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Which types.
    pub types: Types,
    /// `WeightedCapacity`; 1 where there is none.
    pub weight: u32,
    /// A template of its own.
    pub template: Option<TemplateRef>,
    /// An image in place of the template's.
    pub image: Option<String>,
}

/// Types of an override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// `m5.large`
    Named(String),
    /// Those that meet them.
    Required(Requirements),
}

/// What types have to be like (`InstanceRequirements`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Requirements {
    /// What EC2 judges, by its names, lists in their order: `VCpuCount.Min` is `2`.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// What they may cost, which EC2 does not judge where it is asked for types.
    pub protection: Protection,
}

/// Price protection: how much dearer a type may be than the cheapest of those that meet the requirements, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Protection {
    /// `SpotMaxPricePercentageOverLowestPrice`
    pub spot_over_lowest: Option<u32>,
    /// `MaxSpotPriceAsPercentageOfOptimalOnDemandPrice`
    pub spot_of_on_demand: Option<u32>,
    /// `OnDemandMaxPricePercentageOverLowestPrice`
    pub on_demand_over_lowest: Option<u32>,
}

/// A type that meets requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitting {
    /// `m5.large`
    pub name: String,
    /// Its vCPUs.
    pub vcpus: u32,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// It is of the current generation.
    pub current: bool,
}

/// What a group launches from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One launch template.
    Template(TemplateRef),
    /// A launch configuration, by its name.
    Configuration(String),
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
    /// Something a swap does not know: a capacity in vCPUs, an override without a type. Says what.
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
    /// Where its instances are placed, over what that says.
    pub placement: Placement,
    /// Whether it replaces instances at risk itself (`CapacityRebalance`).
    pub capacity_rebalance: bool,
    /// Processes that are suspended: `Launch`, `Terminate`, ...
    pub suspended: Vec<String>,
    /// Its instance maintenance policy, where it has one.
    pub maintenance: Option<Maintenance>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// ARNs of the target groups that its members are registered with.
    pub target_groups: Vec<String>,
    /// Names of the classic load balancers that they are registered with.
    pub classic_balancers: Vec<String>,
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
    /// What it goes by.
    pub blueprint: Blueprint,
    /// `ami-...` in place of the blueprint's.
    pub image: Option<String>,
    /// `m5.large`
    pub instance_type: String,
    /// `subnet-...`
    pub subnet: String,
    /// The placement group in place of the blueprint's.
    pub placement_group: Option<String>,
    /// What is said of capacity reservations in place of the blueprint's word.
    pub reserved: Option<Reserved>,
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
