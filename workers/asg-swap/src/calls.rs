//! The calls a swap would make, as AWS names them and their parameters: for a dry run.

use hollowtrees_domain::swap::{
    balance::REBALANCE,
    forecast::Call,
    joint::Write,
    placement::{Reserved, Target},
    world::{Blueprint, Launch},
};
use serde_json::{Value, json};

/// `AttachInstances`
pub(crate) fn name(call: &Call) -> &'static str {
    match call {
        Call::Launch(_) => "RunInstances",
        Call::Terminate(_) => "TerminateInstances",
        Call::Change(write) => match write {
            Write::SetMax { .. } => "UpdateAutoScalingGroup",
            Write::Attach { .. } => "AttachInstances",
            Write::Protect { .. } => "SetInstanceProtection",
            Write::Detach { .. } => "DetachInstances",
            Write::SetDesired { .. } => "SetDesiredCapacity",
            Write::Rebalance { suspend: true } => "SuspendProcesses",
            Write::Rebalance { suspend: false } => "ResumeProcesses",
            Write::TerminateMember { .. } => "TerminateInstanceInAutoScalingGroup",
        },
    }
}

/// `{"action": "AttachInstances", "parameters": {...}}`. Of a launch all that is the swap's own; what its template or launch
/// configuration says is not repeated here.
pub(crate) fn told(call: &Call, group: &str) -> Value {
    let parameters = match call {
        Call::Launch(launch) => launched(launch),
        Call::Terminate(instance) => json!({"InstanceIds": [instance]}),
        Call::Change(write) => changed(write, group),
    };
    json!({"action": name(call), "parameters": parameters})
}

fn changed(write: &Write, group: &str) -> Value {
    let mut told = match write {
        Write::SetMax { to } => json!({"MaxSize": to}),
        Write::Attach { instances } => json!({"InstanceIds": instances}),
        Write::Protect { instances } => json!({"InstanceIds": instances, "ProtectedFromScaleIn": true}),
        Write::Detach { instances, decrement } => {
            json!({"InstanceIds": instances, "ShouldDecrementDesiredCapacity": decrement})
        }
        Write::SetDesired { to } => json!({"DesiredCapacity": to, "HonorCooldown": false}),
        Write::Rebalance { .. } => json!({"ScalingProcesses": [REBALANCE]}),
        // Of whichever group it is a member.
        Write::TerminateMember { instance, decrement } => {
            return json!({"InstanceId": instance, "ShouldDecrementDesiredCapacity": decrement});
        }
    };
    told["AutoScalingGroupName"] = json!(group);
    told
}

fn launched(launch: &Launch) -> Value {
    let mut told = json!({
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": launch.instance_type,
        "SubnetId": launch.subnet,
        "ClientToken": launch.token,
        "Tags": launch.tags,
    });
    match &launch.blueprint {
        Blueprint::Template(template) => {
            told["LaunchTemplate"] = json!({"LaunchTemplateId": template.id, "Version": template.version});
        }
        Blueprint::Configuration(configuration) => {
            told["LaunchConfiguration"] = json!(configuration.name);
        }
    }
    if let Some(image) = &launch.image {
        told["ImageId"] = json!(image);
    }
    if let Some(group) = &launch.placement_group {
        told["Placement"] = json!({"GroupName": group});
    }
    if let Some(reserved) = &launch.reserved {
        told["CapacityReservationSpecification"] = specification(reserved);
    }
    if let Some(spot) = &launch.spot {
        told["InstanceMarketOptions"] = json!({"MarketType": "spot"});
        if let Some(price) = &spot.max_price {
            told["InstanceMarketOptions"]["SpotOptions"] = json!({"MaxPrice": price});
        }
    }
    told
}

fn specification(reserved: &Reserved) -> Value {
    let target = match reserved {
        Reserved::Never => return json!({"CapacityReservationPreference": "none"}),
        Reserved::Open => return json!({"CapacityReservationPreference": "open"}),
        Reserved::Any => return json!({"CapacityReservationPreference": "capacity-reservations-only"}),
        Reserved::Into(Target::Reservation(id)) => json!({"CapacityReservationId": id}),
        Reserved::Into(Target::ResourceGroup(arn)) => json!({"CapacityReservationResourceGroupArn": arn}),
    };
    json!({
        "CapacityReservationPreference": "capacity-reservations-only",
        "CapacityReservationTarget": target,
    })
}
