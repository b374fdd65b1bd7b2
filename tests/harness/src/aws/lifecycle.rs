//! Waits of lifecycle hooks, which moto does not have.
//!
//! Source: Auto Scaling user guide, "Amazon EC2 Auto Scaling lifecycle hooks"; API reference, CompleteLifecycleAction,
//! RecordLifecycleActionHeartbeat, PutLifecycleHook. A heartbeat starts the time-out anew, up to the global limit; who does
//! not answer in time gets the hook's default result, and both calls are refused from then on.

use super::query::{Call, Refusal, escape};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";

/// The longest wait of all, and how many time-outs it is at most.
const GLOBAL: (Duration, u32) = (Duration::from_secs(48 * 60 * 60), 100);

/// A lifecycle hook of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    heartbeat: Duration,
    global: Duration,
    transition: &'static str,
    default_result: &'static str,
}

impl Hook {
    /// One of terminations that waits this long for an answer, and then abandons.
    pub fn terminating(heartbeat: Duration) -> Self {
        Self {
            heartbeat,
            global: GLOBAL.0.min(heartbeat.saturating_mul(GLOBAL.1)),
            transition: TERMINATING,
            default_result: "ABANDON",
        }
    }

    /// One of launches.
    pub fn launching(heartbeat: Duration) -> Self {
        Self {
            transition: LAUNCHING,
            ..Self::terminating(heartbeat)
        }
    }

    /// With another limit over all heartbeats than AWS's, which no test can wait for.
    #[must_use]
    pub fn global(self, global: Duration) -> Self {
        Self { global, ..self }
    }
}

/// An instance that waits in a lifecycle hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecycleAction {
    /// The group.
    pub group: String,
    /// The hook.
    pub hook: String,
    /// The instance.
    pub instance_id: String,
    /// The token of the notification.
    pub token: String,
    /// When the wait was prolonged, from its beginning.
    pub heartbeats: Vec<Duration>,
    /// `CONTINUE` or `ABANDON`, once it is over.
    pub result: Option<String>,
    /// Nobody answered in time.
    pub timed_out: bool,
    began: Instant,
    /// When it times out, and when it does however often it is prolonged; none: there is no such hook.
    until: Option<(Instant, Instant)>,
}

impl LifecycleAction {
    /// An open one.
    pub fn new(group: &str, hook: &str, instance_id: &str, token: &str) -> Self {
        Self {
            group: group.to_owned(),
            hook: hook.to_owned(),
            instance_id: instance_id.to_owned(),
            token: token.to_owned(),
            heartbeats: Vec::new(),
            result: None,
            timed_out: false,
            began: Instant::now(),
            until: None,
        }
    }

    fn is_meant(&self, call: &Call) -> bool {
        // Whichever is given has to be this one's; one of them has to be given.
        let token = call.get("LifecycleActionToken").map(|token| token == self.token);
        let instance = call.get("InstanceId").map(|id| id == self.instance_id);
        call.get("AutoScalingGroupName") == Some(&self.group)
            && call.get("LifecycleHookName") == Some(&self.hook)
            && (token.is_some() || instance.is_some())
            && token.unwrap_or(true)
            && instance.unwrap_or(true)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    actions: Vec<LifecycleAction>,
    /// By group and name.
    hooks: BTreeMap<(String, String), Hook>,
    /// Instances whose wait ended, and of which their groups do not know it yet.
    ended: Vec<String>,
}

impl Lifecycle {
    pub(super) fn put_hook(&mut self, group: &str, hook: &str, about: Hook) {
        self.hooks.insert((group.to_owned(), hook.to_owned()), about);
    }

    /// Its group is no more.
    pub(super) fn forget_group(&mut self, group: &str) {
        self.hooks.retain(|(of, _), _| of != group);
        self.actions
            .retain(|action| action.group != group || action.result.is_some());
    }

    /// The answer to `DescribeLifecycleHooks`.
    pub(super) fn describe_hooks(&self, call: &Call) -> String {
        let wanted = call.list("LifecycleHookNames");
        let of_group = self.hooks.iter().filter(|((group, name), _)| {
            call.get("AutoScalingGroupName") == Some(group)
                && (wanted.is_empty() || wanted.contains(&name.as_str()))
        });
        let members: String = of_group
            .map(|((group, name), hook)| {
                format!(
                    "<member><AutoScalingGroupName>{}</AutoScalingGroupName><LifecycleHookName>{}</LifecycleHookName>\
                     <LifecycleTransition>{}</LifecycleTransition><HeartbeatTimeout>{}</HeartbeatTimeout>\
                     <GlobalTimeout>{}</GlobalTimeout><DefaultResult>{}</DefaultResult></member>",
                    escape(group),
                    escape(name),
                    hook.transition,
                    hook.heartbeat.as_secs(),
                    hook.global.as_secs(),
                    hook.default_result,
                )
            })
            .collect();
        format!(
            "<DescribeLifecycleHooksResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
             <DescribeLifecycleHooksResult><LifecycleHooks>{members}</LifecycleHooks></DescribeLifecycleHooksResult>\
             <ResponseMetadata><RequestId>testbed</RequestId></ResponseMetadata></DescribeLifecycleHooksResponse>"
        )
    }

    pub(super) fn open(&mut self, mut action: LifecycleAction) {
        let hook = self.hooks.get(&(action.group.clone(), action.hook.clone()));
        action.began = Instant::now();
        action.until = hook.map(|hook| (action.began + hook.heartbeat, action.began + hook.global));
        self.actions.push(action);
    }

    pub(super) fn all(&mut self) -> Vec<LifecycleAction> {
        self.time_out(Instant::now());
        self.actions.clone()
    }

    /// Instances whose wait has ended since this was asked last.
    pub(super) fn ended(&mut self) -> Vec<String> {
        self.time_out(Instant::now());
        std::mem::take(&mut self.ended)
    }

    fn time_out(&mut self, now: Instant) {
        for action in self.actions.iter_mut().filter(|action| action.result.is_none()) {
            if action.until.is_some_and(|(until, _)| until <= now) {
                let hook = self.hooks.get(&(action.group.clone(), action.hook.clone()));
                action.result = Some(hook.map_or("ABANDON", |hook| hook.default_result).to_owned());
                action.timed_out = true;
                self.ended.push(action.instance_id.clone());
            }
        }
    }

    pub(super) fn complete(&mut self, call: &Call) -> Result<(), Refusal> {
        let result = call.get("LifecycleActionResult").unwrap_or_default();
        if !["CONTINUE", "ABANDON"].contains(&result) {
            return Err(Refusal::validation(
                "LifecycleActionResult must be CONTINUE or ABANDON",
            ));
        }
        let action = self.find(call)?;
        action.result = Some(result.to_owned());
        let instance = action.instance_id.clone();
        self.ended.push(instance);
        Ok(())
    }

    pub(super) fn heartbeat(&mut self, call: &Call) -> Result<(), Refusal> {
        let hooks = self.hooks.clone();
        let action = self.find(call)?;
        let now = Instant::now();
        let hook = hooks.get(&(action.group.clone(), action.hook.clone()));
        action.heartbeats.push(now.duration_since(action.began));
        if let (Some((until, global)), Some(hook)) = (&mut action.until, hook) {
            *until = (now + hook.heartbeat).min(*global);
        }
        Ok(())
    }

    fn find(&mut self, call: &Call) -> Result<&mut LifecycleAction, Refusal> {
        self.time_out(Instant::now());
        let named = ["InstanceId", "LifecycleActionToken"]
            .into_iter()
            .find_map(|name| Some((name, call.get(name)?)));
        let by = match named {
            Some(("InstanceId", id)) => format!("instance ID {id}"),
            Some((_, token)) => format!("token {token}"),
            None => {
                return Err(Refusal::validation(
                    "Either an instance ID or a lifecycle action token is needed",
                ));
            }
        };
        self.actions
            .iter_mut()
            .find(|action| action.result.is_none() && action.is_meant(call))
            .ok_or_else(|| Refusal::validation(format!("No active Lifecycle Action found with {by}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_heartbeat_leads_past_the_limit_over_all() {
        let mut hooks = Lifecycle::default();
        let limits = Hook::terminating(Duration::from_secs(60)).global(Duration::from_secs(90));
        hooks.put_hook("g", "h", limits);
        hooks.open(LifecycleAction::new("g", "h", "i-1", "t"));
        let began = hooks.actions[0].began;
        let seconds = |seconds| {
            Some((
                began + Duration::from_secs(seconds),
                began + Duration::from_secs(90),
            ))
        };
        assert_eq!(hooks.actions[0].until, seconds(60));
        // As if half a minute had passed.
        let params = [
            ("AutoScalingGroupName", "g"),
            ("LifecycleHookName", "h"),
            ("InstanceId", "i-1"),
        ];
        let call = Call {
            action: "RecordLifecycleActionHeartbeat".to_owned(),
            params: params
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            region: "us-east-1".to_owned(),
            signed_for: "autoscaling".to_owned(),
            key: String::new(),
        };
        let earlier = began.checked_sub(Duration::from_secs(60)).unwrap();
        hooks.actions[0].until = Some((began + Duration::from_secs(60), earlier + Duration::from_secs(90)));
        hooks.heartbeat(&call).unwrap();
        let (until, global) = hooks.actions[0].until.unwrap();
        assert_eq!(until, global, "60 s from now would be 30 s too many");
        // Once it is over, it is over for both calls, with the default result.
        hooks.time_out(began + Duration::from_secs(31));
        assert_eq!(hooks.actions[0].result.as_deref(), Some("ABANDON"));
        assert!(hooks.actions[0].timed_out);
        assert!(
            hooks
                .heartbeat(&call)
                .unwrap_err()
                .message
                .contains("No active Lifecycle Action")
        );
        assert_eq!(hooks.ended(), ["i-1"]);
    }
}
