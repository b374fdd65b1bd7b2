//! What one action asks of a drain, and what all of a node's actions together mean for one pod.

use jiff::Timestamp;

use super::{Force, Options, Pod, Skip, Tier, Verdict, Wish};

/// What an action says instead of the options; what it leaves open is as the options have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// See [`Options::bare`].
    pub bare: Option<bool>,
    /// See [`Options::empty_dir`].
    pub empty_dir: Option<bool>,
    /// See [`Options::daemons`].
    pub daemons: Option<bool>,
    /// The grace a pod is given, in seconds, instead of what it says itself.
    pub grace_seconds: Option<u32>,
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
    /// It is left alone until then, unless it would have to be forced before.
    pub reserved_until: Option<Timestamp>,
}

impl Bearing {
    /// Of a pod, given all that is wanted of its node.
    #[must_use]
    pub fn of(pod: &Pod, options: &Options, wants: &[Want]) -> Self {
        let mut going: Option<Going> = None;
        let mut stays: Option<Skip> = None;
        for want in wants {
            let (tier, reserved_until) = match options.judge_on(&want.terms, pod).for_wish(&want.wish) {
                Verdict::Stays(skip) => {
                    stays = Some(stays.map_or(skip, |other| other.min(skip)));
                    continue;
                }
                Verdict::Goes(tier) => (tier, None),
                Verdict::Reserved(tier, until, _) => (tier, Some(until)),
            };
            let grace_seconds = want.terms.grace_of(pod);
            going = Some(match going {
                None => Going {
                    tier,
                    wish: want.wish,
                    grace_seconds,
                    reserved_until,
                },
                Some(others) => Going {
                    tier: others.tier.min(tier),
                    wish: others.wish.join(want.wish),
                    grace_seconds: others.grace_seconds.min(grace_seconds),
                    reserved_until: others.reserved_until.min(reserved_until),
                },
            });
        }
        match (going, stays) {
            (Some(going), _) => Self::Goes(going),
            (None, Some(skip)) => Self::Stays(skip),
            // Nobody wants anything.
            (None, None) => Self::of(pod, options, &[Wish::PATIENT.into()]),
        }
    }
}

impl Verdict {
    /// What can never be forced is not left alone until it is, but for good.
    fn for_wish(self, wish: &Wish) -> Self {
        let never = wish.force == Force::Never || wish.deadline.is_none();
        match self {
            Self::Reserved(_, until, skip) if never && until == Timestamp::MAX => Self::Stays(skip),
            other => other,
        }
    }
}

impl Terms {
    /// The grace of a pod, in seconds.
    fn grace_of(&self, pod: &Pod) -> u32 {
        let grace = self.grace_seconds.unwrap_or(pod.grace_seconds);
        grace.min(self.grace_cap_seconds.unwrap_or(u32::MAX))
    }
}

impl Going {
    /// Whether it is left alone at this moment.
    #[must_use]
    pub fn is_reserved(&self, now: Timestamp) -> bool {
        self.reserved_until.is_some_and(|until| until > now)
            && self
                .wish
                .force_at(self.grace_seconds)
                .is_none_or(|force_at| force_at > now)
    }

    /// The grace to name in an eviction now; `None` where the pod's own will do.
    #[must_use]
    pub fn eviction_grace(&self, pod: &Pod, now: Timestamp) -> Option<u32> {
        let grace = if self.wish.allows_force(now) {
            self.wish.grace_left(self.grace_seconds, now)
        } else {
            self.grace_seconds
        };
        (grace != pod.grace_seconds).then_some(grace)
    }
}
