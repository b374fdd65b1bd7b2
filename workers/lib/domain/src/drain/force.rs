//! When a budget may be overridden, and with how much grace.

use jiff::{SignedDuration, Timestamp};

use crate::words::Certainty;

/// Whether pods may be deleted past their budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Force {
    /// Never: the instance may stay.
    Never,
    /// Only this close to the deadline: the time may still change.
    Within(SignedDuration),
    /// Whenever there is no more time to wait.
    Always,
}

impl Force {
    /// What a certainty allows; `near` is how close to a scheduled time it counts as certain.
    #[must_use]
    pub const fn of(certainty: Certainty, near: SignedDuration) -> Self {
        match certainty {
            Certainty::Advisory => Self::Never,
            Certainty::Scheduled => Self::Within(near),
            Certainty::Certain => Self::Always,
        }
    }

    /// No more than another allows.
    #[must_use]
    pub fn at_most(self, limit: Self) -> Self {
        std::cmp::min(self, limit)
    }

    /// The first moment force is allowed, given a deadline.
    pub(super) fn allowed_from(self, deadline: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::Within(near) => Some(deadline.checked_sub(near).unwrap_or(Timestamp::MIN)),
            Self::Always => Some(Timestamp::MIN),
        }
    }
}

/// What is wanted of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// The last moment of an effect on the node, where one is known.
    pub deadline: Option<Timestamp>,
    /// Whether budgets may be overridden for it.
    pub force: Force,
}

impl Wish {
    /// No deadline, no force.
    pub const PATIENT: Self = Self {
        deadline: None,
        force: Force::Never,
    };

    /// Two wishes for one node: the earlier deadline and the stronger force.
    ///
    /// The force of one is never used for the deadline of another: an advisory one that is due sooner only
    /// stops waiting sooner.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let (sooner, later) = match (self.deadline, other.deadline) {
            (Some(a), Some(b)) if b < a => (other, self),
            (None, Some(_)) => (other, self),
            (None, None) if self.force < other.force => (other, self),
            _ => (self, other),
        };
        match sooner.force.cmp(&later.force) {
            std::cmp::Ordering::Less if later.deadline.is_some() => later,
            _ => sooner,
        }
    }

    /// Whether force is allowed now.
    #[must_use]
    pub fn allows_force(&self, now: Timestamp) -> bool {
        self.deadline
            .and_then(|deadline| self.force.allowed_from(deadline))
            .is_some_and(|from| from <= now)
    }

    /// When a pod of this grace has to begin to end.
    #[must_use]
    pub fn latest_start(&self, grace_seconds: u32) -> Option<Timestamp> {
        let grace = SignedDuration::from_secs(i64::from(grace_seconds));
        self.deadline
            .map(|deadline| deadline.checked_sub(grace).unwrap_or(Timestamp::MIN))
    }

    /// When a pod of this grace is deleted past its budget: at its latest start, as soon as force is allowed.
    #[must_use]
    pub fn force_at(&self, grace_seconds: u32) -> Option<Timestamp> {
        let allowed = self.force.allowed_from(self.deadline?)?;
        Some(self.latest_start(grace_seconds)?.max(allowed))
    }

    /// How long the answer to a polite request made now is waited for, where force is what follows: until the pod's last
    /// moment; where that is near or over, for a quarter of the time there is.
    #[must_use]
    pub fn patience(&self, grace_seconds: u32, now: Timestamp) -> Option<SignedDuration> {
        let force_at = self.force_at(grace_seconds)?;
        let left = self.deadline?.duration_since(now);
        Some(force_at.duration_since(now).max(left / 4))
    }

    /// The grace a pod can have now where it must have ended by the deadline: its own, or what is left, and
    /// never less than a second, since none at all removes the object while its containers run.
    #[must_use]
    pub fn grace_left(&self, own_seconds: u32, now: Timestamp) -> u32 {
        let left = self
            .deadline
            .map_or(i64::MAX, |deadline| deadline.duration_since(now).as_secs());
        u32::try_from(left.max(1))
            .unwrap_or(u32::MAX)
            .min(own_seconds)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polite_request_is_waited_for_as_long_as_it_may_be() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let check = |force, grace, now, expected: Option<i64>| {
            let wish = Wish {
                deadline: Some(at(120)),
                force,
            };
            let expected = expected.map(SignedDuration::from_secs);
            assert_eq!(wish.patience(grace, at(now)), expected, "{force:?} {grace} {now}");
        };
        check(Force::Always, 30, 0, Some(90));
        check(Force::Always, 30, 80, Some(10));
        // Its last moment is near, has come, or came before anything was known.
        check(Force::Always, 30, 88, Some(8));
        check(Force::Always, 30, 100, Some(5));
        check(Force::Always, 600, 0, Some(30));
        check(Force::Within(SignedDuration::from_secs(20)), 30, 0, Some(100));
        check(Force::Never, 30, 0, None);
        assert_eq!(Wish::PATIENT.patience(30, at(0)), None);
    }
}
