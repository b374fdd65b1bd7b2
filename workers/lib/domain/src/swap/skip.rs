//! Why a swap has nothing to do.

use super::{
    End, Orders, Seen, Strategy, TAG_MANAGED, TAG_NODE_GROUP,
    processes::keep_from,
    world::{Group, Source, Standing},
};

/// The end of an action whose swap must not begin; `None`: it may.
#[must_use]
pub fn skip(seen: &Seen, orders: &Orders) -> Option<End> {
    let old = &seen.old_id;
    if let Some(replacement) = &seen.replaced_by {
        return Some(End::skipped(
            "already-swapped",
            format!("{replacement} is in the group in place of {old} already."),
        ));
    }
    let in_pool = seen.warm.then_some(Standing::Warm);
    let (Some(group), Some(standing)) = (&seen.group, seen.standing(old).or(in_pool)) else {
        return Some(End::skipped(
            "not-in-group",
            format!("{old} is in no auto-scaling group."),
        ));
    };
    let name = &group.name;
    if standing == Standing::Leaving {
        return Some(End::skipped(
            "leaving",
            format!("{name} lets {old} go by itself already."),
        ));
    }
    if let Some(end) = not_ours(group, orders.managed) {
        return Some(end);
    }
    match standing {
        Standing::Standby => {
            return Some(End::skipped(
                "standby",
                format!(
                    "{old} is in standby in {name}: it serves nothing and is no part of what is desired, so that there is nothing to \
                     replace."
                ),
            ));
        }
        Standing::Warm => {
            return Some(End::skipped(
                "warm-pool",
                format!(
                    "{old} is in the warm pool of {name}, which Auto Scaling fills again by itself; it serves nothing."
                ),
            ));
        }
        Standing::Joining | Standing::InService | Standing::Leaving => {}
    }
    if let Some(end) = keep_from(group, old, orders.strategy) {
        return Some(end);
    }
    match (orders.strategy, &group.source) {
        (Strategy::None, _) => Some(End::skipped(
            "strategy-none",
            format!("The strategy for {name} is none: nothing was touched."),
        )),
        (Strategy::Swap, Source::Unknown(what)) => Some(End::skipped(
            "unknown-source",
            format!(
                "{name} launches from {what}, which a swap does not know. The strategies detach and terminate do not \
                 need to."
            ),
        )),
        _ => None,
    }
}

/// Why a group is not ours to touch; `None`: it is. `managed`: the configuration names it.
#[must_use]
pub fn not_ours(group: &Group, managed: bool) -> Option<End> {
    let name = &group.name;
    if tag(group, TAG_NODE_GROUP).is_some() {
        return Some(End::skipped(
            "group-replaces-itself",
            format!("{name} replaces its instances itself: it is of a managed node group."),
        ));
    }
    if !managed && tag(group, TAG_MANAGED) != Some("true") {
        return Some(End::skipped(
            "not-managed",
            format!(
                "{name} has no tag {TAG_MANAGED}=true and is not named in the configuration: it is left alone."
            ),
        ));
    }
    None
}

/// The value of a group's tag.
#[must_use]
pub fn tag<'a>(group: &'a Group, key: &str) -> Option<&'a str> {
    group
        .tags
        .iter()
        .find(|tag| tag.key == key)
        .map(|tag| tag.value.as_str())
}
