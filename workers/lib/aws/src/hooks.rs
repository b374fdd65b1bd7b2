//! Lifecycle hooks of auto-scaling groups.
//!
//! Sources: Auto Scaling API reference, `DescribeLifecycleHooks`, `RecordLifecycleActionHeartbeat`,
//! `CompleteLifecycleAction`; user guide, "Amazon EC2 Auto Scaling lifecycle hooks".

use std::time::Duration;

use crate::{Refusal, Region, groups::once};

/// Auto Scaling's words where an instance does not wait in a hook, or no longer: it has no code for that.
const OVER: &str = "No active Lifecycle Action found";

/// What an instance is on its way to in a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Into service.
    Launching,
    /// To its end.
    Terminating,
}

/// A hook of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// When it applies; none: AWS has a new word.
    pub transition: Option<Transition>,
    /// How long it waits for an answer or a heartbeat (`HeartbeatTimeout`).
    pub heartbeat: Duration,
    /// How long it waits at most, with however many heartbeats (`GlobalTimeout`); 48 hours or a hundred time-outs,
    /// whichever is shorter, where AWS does not say.
    pub global: Duration,
}

/// The wait of one instance in one hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait<'a> {
    /// The group.
    pub group: &'a str,
    /// The hook.
    pub hook: &'a str,
    /// The instance.
    pub instance: &'a str,
    /// The token of its notification, which tells this wait from a later one of the same instance; none: whichever it is in.
    pub token: Option<&'a str>,
}

impl Wait<'_> {
    /// AWS takes the token or the instance.
    fn instance_unless_token(&self) -> Option<String> {
        self.token.is_none().then(|| self.instance.to_owned())
    }
}

/// The answer to a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The transition goes on: other hooks, then its end.
    Continue,
    /// It goes on without other hooks: a launched instance is ended, one that ends is ended at once (or kept, where the
    /// group's policy says so).
    Abandon,
}

impl Answer {
    /// AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Abandon => "ABANDON",
        }
    }
}

impl Region {
    /// The hooks of a group.
    ///
    /// # Errors
    /// AWS did not say; `Missing` or `Rejected` if there is no such group.
    pub async fn hooks(&self, group: &str) -> Result<Vec<Hook>, Refusal> {
        let answer = self
            .autoscaling()
            .describe_lifecycle_hooks()
            .auto_scaling_group_name(group)
            .send()
            .await?;
        Ok(answer
            .lifecycle_hooks()
            .iter()
            .filter_map(|found| {
                let heartbeat = seconds(found.heartbeat_timeout())?;
                Some(Hook {
                    name: found.lifecycle_hook_name()?.to_owned(),
                    transition: transition(found.lifecycle_transition().unwrap_or_default()),
                    heartbeat,
                    global: seconds(found.global_timeout()).unwrap_or_else(|| global(heartbeat)),
                })
            })
            .collect())
    }

    /// Has the hook wait for another of its time-outs, from now on. Whether the instance waited in it still. Asked once:
    /// who waits for a drain has other things to look at before the next try.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn prolong(&self, wait: Wait<'_>) -> Result<bool, Refusal> {
        let answer = self
            .autoscaling()
            .record_lifecycle_action_heartbeat()
            .auto_scaling_group_name(wait.group)
            .lifecycle_hook_name(wait.hook)
            .set_lifecycle_action_token(wait.token.map(str::to_owned))
            .set_instance_id(wait.instance_unless_token())
            .customize()
            .config_override(once())
            .send()
            .await;
        waited(answer.map(drop).map_err(Refusal::from))
    }

    /// Ends the wait. Whether the instance waited still: it does not after an earlier answer, whoever gave it. Asked once,
    /// so that after an unclear answer it is known that a second one may find our own first.
    ///
    /// # Errors
    /// AWS did not do it, or does not say that it did.
    pub async fn answer(&self, wait: Wait<'_>, answer: Answer) -> Result<bool, Refusal> {
        let answer = self
            .autoscaling()
            .complete_lifecycle_action()
            .auto_scaling_group_name(wait.group)
            .lifecycle_hook_name(wait.hook)
            .set_lifecycle_action_token(wait.token.map(str::to_owned))
            .set_instance_id(wait.instance_unless_token())
            .lifecycle_action_result(answer.as_str())
            .customize()
            .config_override(once())
            .send()
            .await;
        waited(answer.map(drop).map_err(Refusal::from))
    }
}

fn waited(answer: Result<(), Refusal>) -> Result<bool, Refusal> {
    match answer {
        Ok(()) => Ok(true),
        Err(Refusal::Rejected { message, .. } | Refusal::Missing { message, .. })
            if message.contains(OVER) =>
        {
            Ok(false)
        }
        Err(refusal) => Err(refusal),
    }
}

fn transition(word: &str) -> Option<Transition> {
    match word {
        "autoscaling:EC2_INSTANCE_LAUNCHING" => Some(Transition::Launching),
        "autoscaling:EC2_INSTANCE_TERMINATING" => Some(Transition::Terminating),
        _ => None,
    }
}

fn seconds(of: Option<i32>) -> Option<Duration> {
    of.and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

fn global(heartbeat: Duration) -> Duration {
    heartbeat
        .saturating_mul(100)
        .min(Duration::from_secs(48 * 60 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_no_failure() {
        let refused = |code: &str, message: &str| waited(Err(Refusal::of(code, 400, message, None)));
        assert_eq!(waited(Ok(())), Ok(true));
        for by in ["instance ID i-1", "token 7"] {
            let message = format!("{OVER} with {by}");
            assert_eq!(refused("ValidationError", &message), Ok(false));
        }
        assert!(
            refused(
                "ValidationError",
                "AutoScalingGroup name not found - no such group: g"
            )
            .is_err()
        );
        assert!(refused("AccessDenied", OVER).is_err());
        assert!(refused("Throttling", OVER).is_err());
    }

    #[test]
    fn the_longest_wait() {
        assert_eq!(global(Duration::from_secs(30)), Duration::from_secs(3_000));
        assert_eq!(global(Duration::from_secs(7_200)), Duration::from_secs(172_800));
    }
}
