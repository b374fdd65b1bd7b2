//! What one action asks of a drain, and what all of a node's actions together mean for one pod.

use jiff::Timestamp;

use super::{Options, Pod, Skip, Tier, Verdict, Wish};

/// What an action says instead of the options; what it leaves open is as the options have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// See [`Options::bare`].
    pub bare: Option<bool>,
    /// See [`Options::empty_dir`].
    pub empty_dir: Option<bool>,
    /// See [`Options::daemons`].
    pub daemons: Option<bool>,
    /// The most grace a pod is given, in seconds, whatever it says itself.
    pub grace_cap_seconds: Option<u32>,
}

/// What one party wants of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// By when, and with what force.
    pub wish: Wish,
    /// Which pods, and with how much grace.
    pub terms: Terms,
}

impl From<Wish> for Want {
    fn from(wish: Wish) -> Self {
        Self {
            wish,
            terms: Terms::default(),
        }
    }
}

/// What holds for one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// Somebody wants it gone.
    Goes(Going),
    /// Nobody does.
    Stays(Skip),
}

/// How a pod goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Going {
    /// Its tier.
    pub tier: Tier,
    /// What is wanted by those, taken together, who want it gone: nobody's force is used on a pod that they spare.
    pub wish: Wish,
    /// The grace it gets where there is time.
    pub grace_seconds: u32,
}

impl Bearing {
    /// Of a pod, given all that is wanted of its node.
    #[must_use]
    pub fn of(pod: &Pod, options: &Options, wants: &[Want]) -> Self {
        let mut going: Option<Going> = None;
        let mut stays: Option<Skip> = None;
        for want in wants {
            match options.judge_on(&want.terms, pod) {
                Verdict::Stays(skip) => stays = Some(stays.map_or(skip, |other| other.min(skip))),
                Verdict::Goes(tier) => {
                    let cap = want.terms.grace_cap_seconds.unwrap_or(u32::MAX);
                    let grace_seconds = pod.grace_seconds.min(cap);
                    going = Some(match going {
                        None => Going {
                            tier,
                            wish: want.wish,
                            grace_seconds,
                        },
                        Some(others) => Going {
                            tier: others.tier.min(tier),
                            wish: others.wish.join(want.wish),
                            grace_seconds: others.grace_seconds.min(grace_seconds),
                        },
                    });
                }
            }
        }
        match (going, stays) {
            (Some(going), _) => Self::Goes(going),
            (None, Some(skip)) => Self::Stays(skip),
            // Nobody wants anything.
            (None, None) => match options.judge(pod) {
                Verdict::Stays(skip) => Self::Stays(skip),
                Verdict::Goes(tier) => Self::Goes(Going {
                    tier,
                    wish: Wish::PATIENT,
                    grace_seconds: pod.grace_seconds,
                }),
            },
        }
    }
}

impl Going {
    /// The grace to name in an eviction now; `None` where the pod's own will do.
    #[must_use]
    pub fn eviction_grace(&self, pod: &Pod, now: Timestamp) -> Option<u32> {
        let grace = if self.wish.allows_force(now) {
            self.wish.grace_left(self.grace_seconds, now)
        } else {
            self.grace_seconds
        };
        (grace < pod.grace_seconds).then_some(grace)
    }
}
