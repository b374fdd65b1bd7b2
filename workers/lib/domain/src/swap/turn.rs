//! Whose turn it is to do what one process of many does now and then.

use hollowtrees_schemas::proto::{self, time};
use jiff::{SignedDuration, Timestamp};

/// Takes the turn for `long` from now on.
///
/// # Errors
/// Somebody has it, until then. One that lasts for more than twice as long is of a clock that was wrong, and counts for nothing.
pub fn take(
    record: &mut proto::Group,
    holder: &proto::Worker,
    long: SignedDuration,
    now: Timestamp,
) -> Result<(), Timestamp> {
    let end = now.saturating_add(long).unwrap_or(Timestamp::MAX);
    // Clocks are a little apart, and who lost the race asked a little earlier.
    let longest = end.saturating_add(long).unwrap_or(Timestamp::MAX);
    let until = record.lease.as_ref().and_then(|lease| lease.until.as_ref());
    if let Some(until) = until.and_then(|at| time::from_proto(at).ok())
        && until > now
        && until <= longest
    {
        let is_this_one = until == end;
        if is_this_one && is_of(record, holder) {
            // The answer to this very taking was lost.
            return Ok(());
        }
        return Err(until);
    }
    record.lease = Some(proto::GroupLease {
        holder: Some(holder.clone()),
        action_id: String::new(),
        until: Some(time::to_proto(end)),
    });
    Ok(())
}

/// Lets the turn end then, where it is still this holder's: it was not used.
pub fn shorten(record: &mut proto::Group, holder: &proto::Worker, until: Timestamp) {
    if is_of(record, holder)
        && let Some(lease) = &mut record.lease
    {
        lease.until = Some(time::to_proto(until));
    }
}

fn is_of(record: &proto::Group, holder: &proto::Worker) -> bool {
    let by = record.lease.as_ref().and_then(|lease| lease.holder.as_ref());
    by.is_some_and(|by| by.process == holder.process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_turn_until_it_is_over() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let worker = |process: &str| proto::Worker {
            process: process.to_owned(),
            ..proto::Worker::default()
        };
        let long = SignedDuration::from_secs(600);
        let mut record = proto::Group::default();
        assert_eq!(take(&mut record, &worker("a"), long, at(0)), Ok(()));
        // Who asked a little earlier, and comes a little later.
        assert_eq!(take(&mut record, &worker("b"), long, at(-1)), Err(at(600)));
        // Again, for its answer was lost.
        assert_eq!(take(&mut record, &worker("a"), long, at(0)), Ok(()));
        assert_eq!(take(&mut record, &worker("b"), long, at(0)), Err(at(600)));
        assert_eq!(take(&mut record, &worker("b"), long, at(1)), Err(at(600)));
        // Its own too: a turn is one sweep.
        assert_eq!(take(&mut record, &worker("a"), long, at(599)), Err(at(600)));
        assert_eq!(take(&mut record, &worker("b"), long, at(600)), Ok(()));
        // Only the holder ends it early.
        shorten(&mut record, &worker("a"), at(601));
        assert_eq!(take(&mut record, &worker("a"), long, at(700)), Err(at(1_200)));
        shorten(&mut record, &worker("b"), at(701));
        assert_eq!(take(&mut record, &worker("a"), long, at(701)), Ok(()));
        // No turn lasts that long.
        assert_eq!(take(&mut record, &worker("b"), long, at(-10_000)), Ok(()));
    }
}
