//! Azure's events about virtual machines: annotations of their health, and what Resource Manager did to them.

use hollowtrees_schemas::{
    envelope,
    names::{certainty, kind, state},
    proto::{self, time::to_proto},
};
use serde_json::Value;

use crate::problem::Problem;

/// All types of Azure's own events begin so.
pub const PREFIX: &str = "Microsoft.";
/// A machine's health is annotated (preview of Event Grid's system topic HealthResources).
const ANNOTATED: &str = "Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated";
/// Something was deleted.
const DELETED: &str = "Microsoft.Resources.ResourceDeleteSuccess";
/// Something was done to something.
const ACTED: &str = "Microsoft.Resources.ResourceActionSuccess";

/// What an event says of itself.
#[derive(Clone, Debug, Default)]
pub struct Said<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its type.
    pub ty: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// When, RFC 3339.
    pub time: String,
}

/// `ce-source` of a subscription's events.
pub fn source(notice: &proto::Notice) -> String {
    envelope::source(&["azure", &notice.account, "event-grid"])
}

/// The notice of an event; `None` where no machine goes by it.
///
/// # Errors
/// It names no machine although it has to.
pub fn notice(said: &Said<'_>, data: &Value, cluster: &str) -> Result<Option<proto::Notice>, Problem> {
    let text = |path: &str| data.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (meaning, resource, event) = match said.ty {
        ANNOTATED => (
            annotation(text("/resourceInfo/properties/annotationName")),
            first(text("/resourceInfo/properties/targetResourceId"), said.subject),
            first(text("/resourceInfo/name"), said.id),
        ),
        DELETED => (
            Some((kind::INSTANCE_STATE_CHANGE, "", "Delete")),
            first(text("/resourceUri"), said.subject),
            said.id,
        ),
        ACTED => (
            operation(text("/operationName")),
            first(text("/resourceUri"), said.subject),
            said.id,
        ),
        _ => return Ok(None),
    };
    let Some((kind, certainty, action)) = meaning else {
        return Ok(None);
    };
    if resource.is_empty() {
        return Err(Problem::new("subject", "is missing; it names the machine"));
    }
    let Some(machine) = Machine::parse(resource) else {
        // A disk, a network, a whole scale set.
        return Ok(None);
    };
    let time = first(text("/resourceInfo/properties/occurredTime"), &said.time);
    let noticed_at = proto::time::parse(time).map_err(|error| Problem::new("time", error.to_string()))?;
    Ok(Some(proto::Notice {
        cluster: cluster.to_owned(),
        provider: "azure".to_owned(),
        account: machine.subscription.to_owned(),
        instance: machine.instance(),
        kind: kind.to_owned(),
        state: state::ACTIVE.to_owned(),
        certainty: certainty.to_owned(),
        event_id: event.to_owned(),
        provider_action: action.to_owned(),
        noticed_at: Some(to_proto(noticed_at)),
        node: machine.node(),
        group: machine.set.unwrap_or_default().to_owned(),
        ..proto::Notice::default()
    }))
}

fn first<'a>(text: &'a str, or: &'a str) -> &'a str {
    if text.is_empty() { or } else { text }
}

/// Kind, certainty where it is not the kind's, and action of an annotation (Resource Health, "virtual machine Health
/// Annotations").
fn annotation(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match name {
        "VirtualMachinePreempted" => (kind::PREEMPTED, "", "Preempt"),
        "VirtualMachineDeallocationInitiated" => (kind::INSTANCE_STATE_CHANGE, "", "Deallocate"),
        "VirtualMachineStopInitiatedByControlPlane" | "VirtualMachineStoppedInternally" => {
            (kind::INSTANCE_STATE_CHANGE, "", "Stop")
        }
        "VirtualMachineMigrationInitiatedForPlannedMaintenance"
        | "VirtualMachineMigrationInitiatedForRepair"
        | "VirtualMachineRedeployInitiatedByControlPlane"
        | "VirtualMachineRedeployInitiatedByControlPlaneDueToPlannedMaintenance" => {
            (kind::SCHEDULED_MAINTENANCE, "", "Redeploy")
        }
        "VirtualMachineRebootInitiatedForPlannedMaintenance"
        | "VirtualMachineRebootInitiatedByControlPlane" => (kind::SCHEDULED_MAINTENANCE, "", "Reboot"),
        "VirtualMachineMigrationScheduledForDegradedHardware"
        | "VirtualMachinePossiblyDegradedDueToHardwareFailure"
        | "VirtualMachineScheduledForServiceHealing" => {
            (kind::SCHEDULED_MAINTENANCE, certainty::ADVISORY, "Degraded")
        }
        _ => return None,
    })
}

/// As [`annotation`], of an operation of Resource Manager.
fn operation(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let name = name.to_ascii_lowercase();
    let rest = name.strip_prefix("microsoft.compute/")?;
    let (_, action) = rest.split_once("virtualmachines/")?;
    match action {
        "deallocate/action" => Some((kind::INSTANCE_STATE_CHANGE, "", "Deallocate")),
        "poweroff/action" => Some((kind::INSTANCE_STATE_CHANGE, "", "Stop")),
        "delete" => Some((kind::INSTANCE_STATE_CHANGE, "", "Delete")),
        _ => None,
    }
}

/// The machine a resource id names.
#[derive(Debug, PartialEq, Eq)]
struct Machine<'a> {
    subscription: &'a str,
    /// Its scale set.
    set: Option<&'a str>,
    /// Its name, or its number in the scale set.
    name: &'a str,
}

impl<'a> Machine<'a> {
    /// Of `/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/NAME` or
    /// `.../virtualMachineScaleSets/SET/virtualMachines/NUMBER`, in any case; `None` for anything else.
    fn parse(resource: &'a str) -> Option<Self> {
        let mut parts = resource.trim_matches('/').split('/');
        let mut expect = |word: &str| parts.next().filter(|part| part.eq_ignore_ascii_case(word));
        expect("subscriptions")?;
        let rest: Vec<&str> = parts.collect();
        let is = |part: &str, word: &str| part.eq_ignore_ascii_case(word);
        match rest.as_slice() {
            [subscription, groups, _, providers, compute, rest @ ..]
                if is(groups, "resourceGroups")
                    && is(providers, "providers")
                    && is(compute, "Microsoft.Compute") =>
            {
                let (set, name) = match rest {
                    [machines, name] if is(machines, "virtualMachines") => (None, *name),
                    [sets, set, machines, number]
                        if is(sets, "virtualMachineScaleSets") && is(machines, "virtualMachines") =>
                    {
                        (Some(*set), *number)
                    }
                    _ => return None,
                };
                Some(Self {
                    subscription,
                    set,
                    name,
                })
            }
            _ => None,
        }
    }

    /// Its name, as Azure shows it: events do not carry the `vmId`.
    fn instance(&self) -> String {
        match self.set {
            Some(set) => format!("{set}_{}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// The node of that name: a machine of a scale set is named by the set and its number in six digits of base 36.
    fn node(&self) -> String {
        let Some(set) = self.set else {
            return self.name.to_ascii_lowercase();
        };
        match self.name.parse::<u32>() {
            Ok(number) => format!("{}{}", set.to_ascii_lowercase(), base36(number)),
            Err(_) => String::new(),
        }
    }
}

fn base36(number: u32) -> String {
    let mut digits = Vec::with_capacity(7);
    let mut rest = number;
    while rest > 0 || digits.len() < 6 {
        digits.push(char::from_digit(rest % 36, 36).unwrap_or('0'));
        rest /= 36;
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VM: &str = "/subscriptions/s-1/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/Vm-1";
    const OF_SET: &str = "/subscriptions/s-1/resourcegroups/g/providers/microsoft.compute/virtualMachineScaleSets/aks-p-vmss/virtualMachines/37";

    fn annotated(name: &str, resource: &str) -> Option<proto::Notice> {
        let data = json!({
            "resourceInfo": {
                "id": format!("{resource}/providers/Microsoft.ResourceHealth/resourceAnnotations/e-1"),
                "name": "e-1",
                "type": "Microsoft.ResourceHealth/resourceAnnotations",
                "properties": {
                    "targetResourceId": resource, "targetResourceType": "Microsoft.Compute/virtualMachines",
                    "occurredTime": "2026-07-24T19:20:37.9245071Z", "annotationName": name, "reason": "r",
                    "summary": "s", "context": "Platform Initiated", "category": "Unplanned",
                },
            },
            "operationalInfo": {"resourceEventTime": "2026-07-24T19:20:37.9245071Z"},
            "apiVersion": "2022-08-01",
        });
        let said = Said {
            id: "8945cf9b",
            ty: ANNOTATED,
            subject: resource,
            time: "2026-07-24T19:20:38Z".to_owned(),
        };
        notice(&said, &data, "prod").unwrap()
    }

    #[test]
    fn a_preempted_machine_is_a_notice() {
        let notice = annotated("VirtualMachinePreempted", VM).unwrap();
        let found = [
            &notice.account,
            &notice.instance,
            &notice.node,
            &notice.kind,
            &notice.event_id,
        ];
        assert_eq!(found, ["s-1", "Vm-1", "vm-1", "preempted", "e-1"]);
        assert_eq!(source(&notice), "/azure/s-1/event-grid");
        let notice = annotated("VirtualMachinePreempted", OF_SET).unwrap();
        let found = [&notice.instance, &notice.node, &notice.group];
        assert_eq!(found, ["aks-p-vmss_37", "aks-p-vmss000011", "aks-p-vmss"]);
    }

    #[test]
    fn by_annotation_it_is_a_notice_or_nothing() {
        for (name, kind, certainty) in [
            ("VirtualMachineDeallocationInitiated", "instance-state-change", ""),
            (
                "VirtualMachineMigrationInitiatedForRepair",
                "scheduled-maintenance",
                "",
            ),
            (
                "VirtualMachineScheduledForServiceHealing",
                "scheduled-maintenance",
                "advisory",
            ),
        ] {
            let notice = annotated(name, VM).unwrap();
            assert_eq!(
                (notice.kind.as_str(), notice.certainty.as_str()),
                (kind, certainty),
                "{name}"
            );
        }
        for name in ["LiveMigrationSucceeded", "VirtualMachineAllocated", ""] {
            assert_eq!(annotated(name, VM), None, "{name}");
        }
        // A scale set is no machine.
        let (set, _) = OF_SET.rsplit_once("/virtualMachines").unwrap();
        assert_eq!(annotated("VirtualMachinePreempted", set), None);
    }

    #[test]
    fn what_resource_manager_did_is_a_notice() {
        let of = |ty: &str, operation: &str, resource: &str| {
            let said = Said {
                id: "id",
                ty,
                subject: resource,
                time: "2026-07-24T19:20:38Z".to_owned(),
            };
            let data = json!({"operationName": operation, "resourceUri": resource});
            notice(&said, &data, "prod")
                .unwrap()
                .map(|notice| notice.provider_action)
        };
        let action = |operation| of(ACTED, operation, VM);
        assert_eq!(
            action("Microsoft.Compute/virtualMachines/deallocate/action").as_deref(),
            Some("Deallocate")
        );
        assert_eq!(
            action("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/powerOff/action").as_deref(),
            Some("Stop")
        );
        assert_eq!(action("Microsoft.Compute/virtualMachines/start/action"), None);
        assert_eq!(of(DELETED, "", VM).as_deref(), Some("Delete"));
        assert_eq!(
            of(
                DELETED,
                "",
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/x/y"
            ),
            None
        );
        assert_eq!(of("Microsoft.Storage.BlobCreated", "", VM), None);
    }

    #[test]
    fn numbers_of_a_scale_set_are_base_36() {
        for (number, expected) in [
            (0, "000000"),
            (10, "00000a"),
            (36, "000010"),
            (u32::MAX, "1z141z3"),
        ] {
            assert_eq!(base36(number), expected);
        }
    }
}
