//! The rules of AWS that moto does not keep, as pure functions. Source: the Auto Scaling API reference and user guide
//! (AttachInstances, DetachInstances, UpdateAutoScalingGroup, SetDesiredCapacity), and EC2's on idempotent launches.

pub use super::query::Refusal;

/// Sizes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
                "Instance {id} is already part of AutoScalingGroup:{other}"
            )));
        }
        if !zones.iter().any(|zone| zone == candidate.zone) {
            return Err(Refusal::validation(format!(
                "Instance {id} is in {}, which is no availability zone of {group}",
                candidate.zone
            )));
        }
    }
    let desired = sizes.desired as usize + candidates.len();
    if desired > sizes.max as usize {
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
    members: &[(String, String)],
    ids: &[&str],
    decrement: bool,
) -> Result<(), Refusal> {
    for id in ids {
        match members.iter().find(|(member, _)| member == id) {
            None => {
                return Err(Refusal::validation(format!(
                    "The instance {id} is not part of Auto Scaling group {group}."
                )));
            }
            Some((_, state)) if state == "InService" || state == "Standby" => {}
            Some((_, state)) => {
                return Err(Refusal::validation(format!(
                    "The instance {id} is in {state}, it must be InService or Standby to be detached."
                )));
            }
        }
    }
    if decrement && (sizes.desired as usize) < sizes.min as usize + ids.len() {
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
