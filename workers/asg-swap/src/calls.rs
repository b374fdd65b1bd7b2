//! The calls a swap would make, as AWS names them and their parameters: for a dry run.

use hollowtrees_domain::swap::{
    balance::REBALANCE,
    forecast::Call,
    joint::Write,
    placement::{Reserved, Target},
    world::{Blueprint, Launch, SpotMarket},
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
    let name = ("AutoScalingGroupName", json!(group));
    match write {
        Write::SetMax { to } => of([name, ("MaxSize", json!(to))]),
        Write::Attach { instances } => of([name, ("InstanceIds", json!(instances))]),
        Write::Protect { instances } => of([
            name,
            ("InstanceIds", json!(instances)),
            ("ProtectedFromScaleIn", json!(true)),
        ]),
        Write::Detach { instances, decrement } => of([
            name,
            ("InstanceIds", json!(instances)),
            ("ShouldDecrementDesiredCapacity", json!(decrement)),
        ]),
        Write::SetDesired { to } => of([
            name,
            ("DesiredCapacity", json!(to)),
            ("HonorCooldown", json!(false)),
        ]),
        Write::Rebalance { .. } => of([name, ("ScalingProcesses", json!([REBALANCE]))]),
        // Of whichever group it is a member.
        Write::TerminateMember { instance, decrement } => of([
            ("InstanceId", json!(instance)),
            ("ShouldDecrementDesiredCapacity", json!(decrement)),
        ]),
    }
}

fn launched(launch: &Launch) -> Value {
    let blueprint = match &launch.blueprint {
        Blueprint::Template(template) => (
            "LaunchTemplate",
            json!({"LaunchTemplateId": template.id, "Version": template.version}),
        ),
        Blueprint::Configuration(configuration) => ("LaunchConfiguration", json!(configuration.name)),
    };
    let always = [
        ("MinCount", json!(1)),
        ("MaxCount", json!(1)),
        ("InstanceType", json!(launch.instance_type)),
        ("SubnetId", json!(launch.subnet)),
        ("ClientToken", json!(launch.token)),
        ("Tags", json!(launch.tags)),
        blueprint,
    ];
    let image = launch.image.as_ref().map(|image| ("ImageId", json!(image)));
    let group = launch.placement_group.as_ref();
    let placement = group.map(|group| ("Placement", json!({"GroupName": group})));
    let reserved = launch.reserved.as_ref();
    let reserved = reserved.map(|of| ("CapacityReservationSpecification", specification(of)));
    let market = launch
        .spot
        .as_ref()
        .map(|spot| ("InstanceMarketOptions", market(spot)));
    of(always
        .into_iter()
        .chain([image, placement, reserved, market].into_iter().flatten()))
}

fn of(parameters: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    parameters.into_iter().collect()
}

fn market(spot: &SpotMarket) -> Value {
    match &spot.max_price {
        None => json!({"MarketType": "spot"}),
        Some(price) => json!({"MarketType": "spot", "SpotOptions": {"MaxPrice": price}}),
    }
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
