//! Whether the replacement is healthy at its group's load balancers (in its target groups, and at classic ones), and what came of
//! waiting for that.
//!
//! In service means that Auto Scaling counts on it, which does not ask the load balancer unless the group's health check
//! does. So the old one may be kept until the new one gets requests. As with [`super::node`] a wait that is over is over, and
//! it decides nothing: what is not healthy in time takes the old one's place all the same.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Checkpoint, Orders, Seen};

/// What the load balancers say of the replacement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nobody asks for it, or the group is at no load balancer.
    #[default]
    NotAsked,
    /// They do not say, or not all of them: the right to ask is not there.
    Untold,
    /// It is not healthy at all of them yet.
    Waiting,
    /// It is healthy at each that sends requests.
    Healthy,
}

impl Health {
    /// What several say together. What one does not say keeps nobody from waiting for another.
    #[must_use]
    pub fn of_all(said: impl IntoIterator<Item = Self>) -> Self {
        let weight = |of: &Self| match of {
            Self::NotAsked => 0,
            Self::Healthy => 1,
            Self::Untold => 2,
            Self::Waiting => 3,
        };
        said.into_iter().max_by_key(weight).unwrap_or_default()
    }
}

/// What came of a wait for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waited {
    /// What was said at its end.
    pub found: Health,
    /// How long it had been seen in service.
    pub seconds: i64,
}

impl Waited {
    /// For a person: a sentence after that of the swap.
    pub(super) fn sentence(self) -> String {
        let seconds = self.seconds;
        match self.found {
            Health::NotAsked => String::new(),
            Health::Untold => {
                " Its health at the load balancers was not waited for, or not at all of them: AWS does not say it to this worker."
                    .to_owned()
            }
            Health::Waiting => {
                format!(
                    " It was not healthy at all load balancers in {seconds} s of service; the old one was let go all the same."
                )
            }
            Health::Healthy => {
                format!(" It was healthy at the load balancers {seconds} s after it was in service.")
            }
        }
    }
}

/// Whether the old one stays for the health of the replacement, which is in service; what came of it is noted when that is
/// over.
pub(super) fn is_awaited(checkpoint: &mut Checkpoint, seen: &Seen, orders: &Orders, now: Timestamp) -> bool {
    if seen.health == Health::NotAsked || checkpoint.health.is_some() || checkpoint.lost {
        return false;
    }
    if checkpoint.serving_at == 0 {
        checkpoint.serving_at = now.as_second();
    }
    let seconds = now.as_second().saturating_sub(checkpoint.serving_at);
    let is_over = seen.health != Health::Waiting
        || orders.node_over
        || orders.give_up
        || SignedDuration::from_secs(seconds) >= orders.healthy_within;
    if is_over {
        checkpoint.health = Some(Waited {
            found: seen.health,
            seconds,
        });
    }
    !is_over
}
