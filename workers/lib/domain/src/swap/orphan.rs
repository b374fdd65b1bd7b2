//! Which instances a swap left behind.
//!
//! A swap ends what it launched and did not attach. What breaks that (a right that was taken away, an action that was
//! given up by a dead letter, a launch of which nothing was ever heard again) leaves an instance that costs and serves nobody.

use jiff::{SignedDuration, Timestamp};

/// An instance that a swap launched, as EC2 shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// `i-...`
    pub id: String,
    /// When it was launched; none: EC2 does not say.
    pub at: Option<Timestamp>,
    /// It is a member of a group.
    pub in_group: bool,
}

/// What the ledger says of the action that launched it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// It goes on, or somebody may go on with it.
    Open,
    /// It has ended.
    Ended {
        /// When.
        at: Timestamp,
        /// The instance that it left in service, where it succeeded.
        in_service: Option<String>,
    },
    /// There is no record.
    Unknown,
}

/// What is to be thought of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is no orphan, or nobody can tell yet.
    Leave,
    /// It is an orphan: the swap that launched it has ended without it.
    Orphan,
    /// Nobody knows what came of the swap that launched it: it may have served, and somebody may have taken it out of its group
    /// on purpose.
    Unclaimed,
}

/// Judges an instance. What a swap left in service and is in no group any more was taken out since by somebody who has a
/// use for it, or by the next swap, which ends it itself: never an orphan. Who ended a moment ago may be redriven, and what
/// was launched a moment ago may not show in its group yet: both are given `older_than`.
#[must_use]
pub fn judge(instance: &Launched, author: &Author, older_than: SignedDuration, now: Timestamp) -> Verdict {
    let is_old = |at: Timestamp| now.duration_since(at) >= older_than;
    if instance.in_group || !instance.at.is_some_and(is_old) {
        return Verdict::Leave;
    }
    match author {
        Author::Open => Verdict::Leave,
        Author::Ended { at, .. } if !is_old(*at) => Verdict::Leave,
        Author::Ended { in_service, .. } if in_service.as_ref() == Some(&instance.id) => Verdict::Leave,
        Author::Ended { .. } => Verdict::Orphan,
        Author::Unknown => Verdict::Unclaimed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn launched(minutes: i64) -> Launched {
        Launched {
            id: "i-new".to_owned(),
            at: Some(at(minutes)),
            in_group: false,
        }
    }

    fn ended(minutes: i64, in_service: Option<&str>) -> Author {
        Author::Ended {
            at: at(minutes),
            in_service: in_service.map(str::to_owned),
        }
    }

    #[test]
    fn only_what_an_ended_swap_left_out_of_every_group_is_an_orphan() {
        let check = |instance: &Launched, author: &Author, expected: Verdict| {
            let found = judge(instance, author, SignedDuration::from_mins(15), at(60));
            assert_eq!(found, expected, "{instance:?}, {author:?}");
        };
        check(&launched(0), &ended(10, None), Verdict::Orphan);
        check(&launched(0), &ended(10, Some("i-other")), Verdict::Orphan);
        check(&launched(45), &ended(45, None), Verdict::Orphan);
        check(&launched(0), &Author::Unknown, Verdict::Unclaimed);
        // Its swap is under way.
        check(&launched(0), &Author::Open, Verdict::Leave);
        // It served; who took it out has a use for it.
        check(&launched(0), &ended(10, Some("i-new")), Verdict::Leave);
        // Young, or of a time nobody knows.
        check(&launched(46), &ended(46, None), Verdict::Leave);
        check(&launched(0), &ended(46, None), Verdict::Leave);
        check(&launched(46), &Author::Unknown, Verdict::Leave);
        let undated = Launched {
            at: None,
            ..launched(0)
        };
        check(&undated, &ended(10, None), Verdict::Leave);
        let member = Launched {
            in_group: true,
            ..launched(0)
        };
        check(&member, &ended(10, None), Verdict::Leave);
        check(&member, &Author::Unknown, Verdict::Leave);
    }
}
