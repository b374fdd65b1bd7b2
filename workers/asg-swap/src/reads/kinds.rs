//! What is read, and how many of each one call is about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hollowtrees_aws::{
    Membership, Refusal, Region,
    configuration::CONFIGURATIONS_AT_ONCE,
    groups::{GROUPS_AT_ONCE, MEMBERSHIPS_AT_ONCE},
    instances::TERMINATED_AT_ONCE,
    lookup,
};
use hollowtrees_domain::swap::{
    TAG_ACTION, TAG_REPLACES,
    source::Need,
    world::{Configuration, Fitting, Group, Instance, Template, TemplateRef},
};

use super::{BETWEEN, Kind};

pub(super) struct Groups;
pub(super) struct Memberships;
pub(super) struct Instances;
pub(super) struct Launched;
pub(super) struct Replacements;
pub(super) struct Templates;
pub(super) struct TargetHealth;
pub(super) struct ClassicHealth;
pub(super) struct Configurations;
pub(super) struct FittingTypes;
pub(super) struct Terminations;

impl Kind for Groups {
    type Found = Group;
    const CALL: &'static str = "describe-group";
    const AT_ONCE: usize = GROUPS_AT_ONCE;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Group>, Refusal> {
        region.groups(keys).await
    }
}

impl Kind for Memberships {
    type Found = Membership;
    const CALL: &'static str = "describe-membership";
    const AT_ONCE: usize = MEMBERSHIPS_AT_ONCE;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Membership>, Refusal> {
        region.memberships(keys).await
    }
}

impl Kind for Instances {
    type Found = Instance;
    const CALL: &'static str = "describe-instance";
    const AT_ONCE: usize = lookup::AT_ONCE;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Instance>, Refusal> {
        region.instances(keys).await
    }
}

impl Kind for Launched {
    type Found = Vec<Instance>;
    const CALL: &'static str = "describe-tagged";
    const AT_ONCE: usize = lookup::AT_ONCE;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Vec<Instance>>, Refusal> {
        region.instances_tagged_any(TAG_ACTION, keys).await
    }
}

impl Kind for Replacements {
    type Found = Vec<Instance>;
    const CALL: &'static str = "describe-tagged";
    const AT_ONCE: usize = lookup::AT_ONCE;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Vec<Instance>>, Refusal> {
        region.instances_tagged_any(TAG_REPLACES, keys).await
    }
}

impl Kind for Templates {
    type Found = Template;
    const CALL: &'static str = "describe-template";
    const AT_ONCE: usize = 20;
    const ONE_BY_ONE: bool = true;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Template>, Refusal> {
        let each = keys.iter().map(|key| async move {
            let (id, version) = key.split_once(BETWEEN).unwrap_or((key, ""));
            let of = TemplateRef {
                id: id.to_owned(),
                version: version.to_owned(),
            };
            found(key, region.template(&of).await)
        });
        let each = futures::future::try_join_all(each).await?;
        Ok(each.into_iter().flatten().collect())
    }
}

impl Kind for Terminations {
    type Found = ();
    const CALL: &'static str = "terminate";
    const AT_ONCE: usize = TERMINATED_AT_ONCE;
    const RIGHT_TO_EACH: bool = true;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, ()>, Refusal> {
        region.terminate(keys).await?;
        Ok(keys.iter().map(|key| (key.clone(), ())).collect())
    }
}

impl Kind for TargetHealth {
    type Found = BTreeMap<String, bool>;
    const CALL: &'static str = "describe-target-health";
    const AT_ONCE: usize = 8;
    const ONE_BY_ONE: bool = true;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Self::Found>, Refusal> {
        let each = keys
            .iter()
            .map(|arn| async move { found(arn, region.target_health(arn).await) });
        let each = futures::future::try_join_all(each).await?;
        Ok(each.into_iter().flatten().collect())
    }
}

impl Kind for ClassicHealth {
    type Found = BTreeSet<String>;
    const CALL: &'static str = "describe-instance-health";
    const AT_ONCE: usize = 8;
    const ONE_BY_ONE: bool = true;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Self::Found>, Refusal> {
        let each = keys
            .iter()
            .map(|name| async move { found(name, region.classic_health(name).await) });
        let each = futures::future::try_join_all(each).await?;
        Ok(each.into_iter().flatten().collect())
    }
}

/// What is not there is an answer.
fn found<T>(key: &str, answer: Result<T, Refusal>) -> Result<Option<(String, T)>, Refusal> {
    match answer {
        Ok(found) => Ok(Some((key.to_owned(), found))),
        Err(Refusal::Missing { .. }) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

impl Kind for Configurations {
    type Found = Configuration;
    const CALL: &'static str = "describe-configuration";
    const AT_ONCE: usize = CONFIGURATIONS_AT_ONCE;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Configuration>, Refusal> {
        region.configurations(keys).await
    }
}

impl Kind for FittingTypes {
    type Found = Vec<Fitting>;
    const CALL: &'static str = "types-by-requirements";
    const AT_ONCE: usize = 5;
    const ONE_BY_ONE: bool = true;

    async fn call(region: &Region, keys: &[String]) -> Result<HashMap<String, Vec<Fitting>>, Refusal> {
        let each = keys.iter().map(|key| async move {
            // Whoever asks wrote it.
            let Ok(need) = serde_json::from_str::<Need>(key) else {
                return Ok(None);
            };
            found(key, region.fitting(&need).await)
        });
        let each = futures::future::try_join_all(each).await?;
        Ok(each.into_iter().flatten().collect())
    }
}
