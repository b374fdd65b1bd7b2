//! Waits of lifecycle hooks, which moto does not have.

use super::query::{Call, Refusal, escape};
use std::collections::BTreeMap;
use std::time::Duration;

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
    /// How often the wait was prolonged.
    pub heartbeats: u32,
    /// `CONTINUE` or `ABANDON`, once it is completed.
    pub result: Option<String>,
}

impl LifecycleAction {
    /// An open one.
    pub fn new(group: &str, hook: &str, instance_id: &str, token: &str) -> Self {
        Self {
            group: group.to_owned(),
            hook: hook.to_owned(),
            instance_id: instance_id.to_owned(),
            token: token.to_owned(),
            heartbeats: 0,
            result: None,
        }
    }

    fn is_meant(&self, call: &Call) -> bool {
        let by_token = call
            .get("LifecycleActionToken")
            .is_some_and(|token| token == self.token);
        let by_instance = call.get("InstanceId").is_some_and(|id| id == self.instance_id);
        call.get("AutoScalingGroupName") == Some(&self.group)
            && call.get("LifecycleHookName") == Some(&self.hook)
            && (by_token || by_instance)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    actions: Vec<LifecycleAction>,
    /// How long each hook waits, by group and name.
    hooks: BTreeMap<(String, String), Duration>,
}

impl Lifecycle {
    pub(super) fn put_hook(&mut self, group: &str, hook: &str, heartbeat: Duration) {
        self.hooks.insert((group.to_owned(), hook.to_owned()), heartbeat);
    }

    /// The answer to `DescribeLifecycleHooks`.
    pub(super) fn describe_hooks(&self, call: &Call) -> String {
        let wanted = call.list("LifecycleHookNames");
        let of_group = self.hooks.iter().filter(|((group, name), _)| {
            call.get("AutoScalingGroupName") == Some(group)
                && (wanted.is_empty() || wanted.contains(&name.as_str()))
        });
        let members: String = of_group
            .map(|((group, name), heartbeat)| {
                format!(
                    "<member><AutoScalingGroupName>{}</AutoScalingGroupName><LifecycleHookName>{}</LifecycleHookName>\
                     <HeartbeatTimeout>{}</HeartbeatTimeout></member>",
                    escape(group),
                    escape(name),
                    heartbeat.as_secs()
                )
            })
            .collect();
        format!(
            "<DescribeLifecycleHooksResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
             <DescribeLifecycleHooksResult><LifecycleHooks>{members}</LifecycleHooks></DescribeLifecycleHooksResult>\
             <ResponseMetadata><RequestId>testbed</RequestId></ResponseMetadata></DescribeLifecycleHooksResponse>"
        )
    }

    pub(super) fn open(&mut self, action: LifecycleAction) {
        self.actions.push(action);
    }

    pub(super) fn all(&self) -> Vec<LifecycleAction> {
        self.actions.clone()
    }

    pub(super) fn complete(&mut self, call: &Call) -> Result<(), Refusal> {
        let result = call.get("LifecycleActionResult").unwrap_or_default();
        if !["CONTINUE", "ABANDON"].contains(&result) {
            return Err(Refusal::validation(
                "LifecycleActionResult must be CONTINUE or ABANDON",
            ));
        }
        self.find(call)?.result = Some(result.to_owned());
        Ok(())
    }

    pub(super) fn heartbeat(&mut self, call: &Call) -> Result<(), Refusal> {
        self.find(call)?.heartbeats += 1;
        Ok(())
    }

    fn find(&mut self, call: &Call) -> Result<&mut LifecycleAction, Refusal> {
        let id = call
            .get("InstanceId")
            .or_else(|| call.get("LifecycleActionToken"))
            .unwrap_or("none");
        self.actions
            .iter_mut()
            .find(|action| action.result.is_none() && action.is_meant(call))
            .ok_or_else(|| {
                Refusal::validation(format!("No active Lifecycle Action found with instance ID {id}"))
            })
    }
}
