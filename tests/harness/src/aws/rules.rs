//! The rules of AWS that moto does not keep, as pure functions. Source: the Auto Scaling API reference and user guide
//! (AttachInstances, DetachInstances, UpdateAutoScalingGroup, SetDesiredCapacity, SetInstanceProtection,
//! TerminateInstanceInAutoScalingGroup), and EC2's on launches. What attaching adds to desired in a group with weights is
//! not documented; we take the weight of the type, since all sizes are in these units then.

pub use super::query::Refusal;

/// Sizes of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// MinSize.
    pub min: u32,
    /// DesiredCapacity.
    pub desired: u32,
    /// MaxSize.
    pub max: u32,
}

/// An instance that is to be attached.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its state, `running` and so on; none if there is no such instance.
    pub state: Option<&'a str>,
    /// Its availability zone.
    pub zone: &'a str,
    /// The group that it belongs to.
    pub group: Option<&'a str>,
    /// What it counts in its new group: the weight of its type there, 1 where there are no weights.
    pub weight: u32,
}

/// A member of a group.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its lifecycle state, `InService` and so on.
    pub state: &'a str,
    /// What it counts.
    pub weight: u32,
}

/// Instances may be attached if they run, in a zone of the group, belong to no group, and the group has room for them:
/// desired, which the call raises, must not exceed MaxSize.
///
/// # Errors
/// AWS's refusal.
pub fn attach(
    group: &str,
    sizes: Sizes,
    zones: &[String],
    candidates: &[Candidate<'_>],
) -> Result<(), Refusal> {
    for candidate in candidates {
        let id = candidate.id;
        match candidate.state {
            None => {
                return Err(Refusal::validation(format!(
                    "Invalid Instance ID(s): [{id}] specified"
                )));
            }
            Some("running") => {}
            Some(state) => {
                return Err(Refusal::validation(format!(
                    "Instance {id} is not in correct state: it is {state}, it must be running"
                )));
            }
        }
        if let Some(other) = candidate.group {
            return Err(Refusal::validation(format!(
                "The Instance: {id} is already part of AutoScalingGroup:{other}"
            )));
        }
        if !zones.iter().any(|zone| zone == candidate.zone) {
            return Err(Refusal::validation(format!(
                "Instance {id} is in {}, which is no availability zone of {group}",
                candidate.zone
            )));
        }
    }
    let desired = sizes.desired + candidates.iter().map(|candidate| candidate.weight).sum::<u32>();
    if desired > sizes.max {
        return Err(Refusal::validation(format!(
            "AutoScalingGroup {group} has min-size={}, max-size={}, and desired-size={}. To attach {} more instance, \
             please update the AutoScalingGroup sizes appropriately.",
            sizes.min,
            sizes.max,
            sizes.desired,
            candidates.len()
        )));
    }
    Ok(())
}

/// Instances may be detached if they are members and `InService` (or in standby); where desired is to be lowered with
/// them, it must not fall below MinSize.
///
/// # Errors
/// AWS's refusal.
pub fn detach(
    group: &str,
    sizes: Sizes,
    members: &[Member<'_>],
    ids: &[&str],
    decrement: bool,
) -> Result<(), Refusal> {
    let mut leaving = 0;
    for id in ids {
        match members.iter().find(|member| member.id == *id) {
            None => {
                return Err(Refusal::validation(format!(
                    "The instance {id} is not part of Auto Scaling group {group}."
                )));
            }
            Some(member) if ["InService", "Standby"].contains(&member.state) => leaving += member.weight,
            Some(member) => {
                return Err(Refusal::validation(format!(
                    "The instance {id} is in {}, it must be InService or Standby to be detached.",
                    member.state
                )));
            }
        }
    }
    if decrement && sizes.desired < sizes.min + leaving {
        return Err(Refusal::validation(format!(
            "AutoScalingGroup {group} has min-size={} and desired-size={}. To detach {} instance with a decrement \
             would violate the minimum.",
            sizes.min,
            sizes.desired,
            ids.len()
        )));
    }
    Ok(())
}

/// Members may be put into standby if they are in service; where desired is to be lowered with them, it must not fall below
/// MinSize. By how much it is lowered.
///
/// # Errors
/// AWS's refusal.
pub fn enter_standby(
    group: &str,
    sizes: Sizes,
    members: &[Member<'_>],
    ids: &[&str],
    decrement: bool,
) -> Result<u32, Refusal> {
    let mut leaving = 0;
    for id in ids {
        match members.iter().find(|member| member.id == *id) {
            Some(member) if member.state == "InService" => leaving += member.weight,
            _ => {
                return Err(Refusal::validation(format!(
                    "The instance {id} is not in InService in Auto Scaling group {group}."
                )));
            }
        }
    }
    let leaving = if decrement { leaving } else { 0 };
    if sizes.desired < sizes.min + leaving {
        return Err(Refusal::validation(format!(
            "AutoScalingGroup {group} has min-size={} and desired-size={}. To place into standby {} instances with a decrement \
             would violate the minimum.",
            sizes.min,
            sizes.desired,
            ids.len()
        )));
    }
    Ok(leaving)
}

/// Members may be protected, or not any more, if they are in service or in standby; at most fifty in one call.
///
/// # Errors
/// AWS's refusal.
pub fn protect(group: &str, members: &[Member<'_>], ids: &[&str]) -> Result<(), Refusal> {
    if ids.is_empty() || ids.len() > 50 {
        return Err(Refusal::validation(format!(
            "{} instances were named, it must be 1 to 50",
            ids.len()
        )));
    }
    for id in ids {
        match members.iter().find(|member| member.id == *id) {
            None => {
                return Err(Refusal::validation(format!(
                    "The instance {id} is not part of Auto Scaling group {group}."
                )));
            }
            Some(member) if ["InService", "EnteringStandby", "Standby"].contains(&member.state) => {}
            Some(_) => {
                return Err(Refusal::validation(format!(
                    "The instance {id} is not in InService or EnteringStandby or Standby."
                )));
            }
        }
    }
    Ok(())
}

/// A member may be ended by its group, whatever its state; where desired is to be lowered with it, it must not fall below
/// MinSize.
///
/// # Errors
/// AWS's refusal.
pub fn terminate(sizes: Sizes, member: Option<Member<'_>>, id: &str, decrement: bool) -> Result<(), Refusal> {
    let Some(member) = member else {
        return Err(Refusal::validation(format!(
            "Instance Id not found - No managed instance found for instance ID {id}"
        )));
    };
    if decrement && sizes.desired < sizes.min + member.weight {
        return Err(Refusal::validation(format!(
            "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate group's \
             min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
            sizes.min
        )));
    }
    Ok(())
}

/// Sizes after new ones were given: where only a bound moved past desired, desired moves with it.
pub fn resized(sizes: Sizes, min: Option<u32>, desired: Option<u32>, max: Option<u32>) -> Sizes {
    let (min, max) = (min.unwrap_or(sizes.min), max.unwrap_or(sizes.max));
    Sizes {
        min,
        desired: desired.unwrap_or_else(|| sizes.desired.clamp(min, max.max(min))),
        max,
    }
}

/// A launch names its subnet once: for the instance, or in its network interfaces where it has any, be it of its own or
/// of its template.
///
/// # Errors
/// AWS's refusal.
pub fn one_subnet(of_instance: bool, interfaces: bool) -> Result<(), Refusal> {
    if of_instance && interfaces {
        return Err(Refusal::new(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        ));
    }
    Ok(())
}

/// Security groups of a launch stand in its network interfaces where it has any; beside a subnet they go by their ids, not by
/// their names (EC2 API reference, RunInstances).
///
/// # Errors
/// AWS's refusal.
pub fn security_groups(by_name: bool, by_id: bool, subnet: bool, interfaces: bool) -> Result<(), Refusal> {
    let refused = |message: &str| Err(Refusal::new("InvalidParameterCombination", message));
    if interfaces && (by_name || by_id) {
        return refused(
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        );
    }
    if by_name && subnet {
        return refused("The parameter groupName cannot be used with the parameter subnet");
    }
    Ok(())
}

/// A launch names an image, itself or by its template.
///
/// # Errors
/// AWS's refusal.
pub fn an_image(named: bool) -> Result<(), Refusal> {
    if named {
        return Ok(());
    }
    Err(Refusal::new(
        "MissingParameter",
        "The request must contain the parameter ImageId",
    ))
}

/// New sizes, where given: min <= max, and an explicit desired within them.
///
/// # Errors
/// AWS's refusal.
pub fn resize(sizes: Sizes, min: Option<u32>, desired: Option<u32>, max: Option<u32>) -> Result<(), Refusal> {
    let (least, most) = (min.unwrap_or(sizes.min), max.unwrap_or(sizes.max));
    if least > most {
        return Err(Refusal::validation(format!(
            "Max bound, {most}, must be greater than or equal to min bound, {least}"
        )));
    }
    match desired {
        Some(desired) if desired < least || desired > most => Err(Refusal::validation(format!(
            "Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}"
        ))),
        _ => Ok(()),
    }
}

/// A token of a launch: at most 64 ASCII characters.
///
/// # Errors
/// AWS's refusal.
pub fn client_token(token: &str) -> Result<(), Refusal> {
    if token.len() <= 64 && token.is_ascii() {
        Ok(())
    } else {
        Err(Refusal::new(
            "InvalidParameterValue",
            "clientToken must have at most 64 ASCII characters",
        ))
    }
}
