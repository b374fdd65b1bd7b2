//! What the group's load balancers say of a replacement.

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::{Seen, health::Health, world::Standing};

use crate::saga::Saga;

impl Saga<'_> {
    /// What load balancers say of the replacement, where that is waited for and it is in service. Nothing where it was not
    /// registered with them.
    pub(crate) async fn health(&self, seen: &Seen, launched: &str) -> Health {
        let serves = seen.standing(launched) == Some(Standing::InService) && !self.checkpoint.unregistered;
        let Some(group) = seen
            .group
            .as_ref()
            .filter(|_| serves && !self.healthy_within.is_zero())
        else {
            return Health::NotAsked;
        };
        let targets = group.target_groups.iter().map(move |arn| async move {
            let found = self.reads.target_health(arn).await;
            // What is gone sends nothing.
            said(found.map(|targets| targets.is_none_or(|of| of.get(launched).copied().unwrap_or_default())))
        });
        let classic = group.classic_balancers.iter().map(move |name| async move {
            let found = self.reads.classic_health(name).await;
            said(found.map(|serving| serving.is_none_or(|of| of.contains(launched))))
        });
        let all = futures::future::join(
            futures::future::join_all(targets),
            futures::future::join_all(classic),
        );
        let (targets, classic) = all.await;
        Health::of_all(targets.into_iter().chain(classic))
    }
}

/// What one of them says.
fn said(healthy: Result<bool, Refusal>) -> Health {
    match healthy {
        Ok(true) => Health::Healthy,
        Err(refusal) if refusal.is_definite() => {
            tracing::warn!(%refusal, "The health of targets cannot be read; no swap waits for it.");
            Health::Untold
        }
        Ok(false) | Err(_) => Health::Waiting,
    }
}
