//! One action over its tries, and what it hears of its incident.

use std::sync::{Arc, OnceLock};

use hollowtrees_bus::{Revision, StoreError, Versioned};
use hollowtrees_schemas::{names::state, proto};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{claim::Claim, job::Control, order::Order, parcel::Parcel};

/// Whether an action may be given to another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    /// It may.
    No,
    /// It was offered before.
    Offered,
    /// It was given to this one; whose it is stands in the ledger since this revision.
    Given(Revision),
}

/// One action that is ours to try, kept over its tries.
pub(crate) struct Attempt {
    pub(crate) order: Arc<Order>,
    pub(crate) parcel: Arc<Parcel>,
    pub(crate) control: watch::Sender<Control>,
    /// Shared with the loop, which hands it over when the worker stops.
    pub(crate) claim: Arc<OnceLock<Arc<Claim>>>,
    /// Times the handler asked for another try.
    pub(crate) tries: u32,
    /// When the handler was first started by this process.
    pub(crate) first_started_at: Option<Timestamp>,
    /// The bus answered what its incident is, if only that there is none.
    pub(crate) incident_heard: bool,
    /// Several starts of it broke off: it runs in its turn among its like. The number of its next start.
    pub(crate) suspect: Option<u32>,
    /// It was given to this process, by the record as of then; or was offered to another one: it is not given away any more.
    pub(crate) stays: Stays,
    /// An answer alone was not enough: it waits for a slot, whatever else is heard of it.
    pub(crate) needs_slot: bool,
}

impl Attempt {
    /// Whether it may be looked at without a slot, should it only need an answer.
    pub(crate) fn may_be_answered(&self) -> bool {
        self.claim.get().is_none() && !self.needs_slot
    }

    /// Takes over what reading its incident answered.
    pub(crate) fn hear(&mut self, incident: Result<Option<Versioned<proto::Incident>>, StoreError>) {
        match incident {
            Ok(incident) => {
                self.incident_heard = true;
                // None: a custom action may have no incident, and a stale read may not know it yet.
                if let Some(incident) = incident {
                    observe(&self.control, &self.order, &incident.value);
                }
            }
            Err(StoreError::Unavailable { .. }) => {}
            Err(error) => {
                self.incident_heard = true;
                tracing::warn!(action = %self.order.id, %error, "The incident cannot be read; the action's own words count.");
            }
        }
    }
}

/// Takes over what an incident says of an action; whether that was news.
///
/// A record of an older generation, or an older state of this one, was read late and says nothing. One of a newer
/// generation says that this one was withdrawn.
pub(crate) fn observe(control: &watch::Sender<Control>, order: &Order, incident: &proto::Incident) -> bool {
    if incident.generation < order.action.generation {
        return false;
    }
    let superseded = incident.generation > order.action.generation;
    if superseded && order.redrive > 0 {
        return false;
    }
    let withdrawn = superseded || incident.state == state::CANCELLED;
    let cancelled = withdrawn && !order.action.on_cancel;
    control.send_if_modified(|control| {
        if !superseded && incident.changes < control.changes {
            return false;
        }
        let deadline = if superseded {
            control.deadline
        } else {
            order.deadline_under(Some(incident))
        };
        let changed = control.deadline != deadline || control.cancelled != cancelled;
        control.deadline = deadline;
        control.cancelled = cancelled;
        control.changes = if superseded { u64::MAX } else { incident.changes };
        changed
    })
}

#[cfg(test)]
mod tests {
    use hollowtrees_schemas::{
        id::{ActionId, IncidentKey},
        proto::time::to_proto,
    };

    use jiff::SignedDuration;

    use super::*;
    use crate::worker::order::Mode;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn order(on_cancel: bool, redrive: u32) -> Order {
        let action = proto::Action {
            generation: 2,
            on_cancel,
            redrive,
            ..proto::Action::default()
        };
        Order {
            action: Arc::new(action),
            id: ActionId::per_instance(&IncidentKey::new("c", "i", "live"), 2, "drain", "certain"),
            ledger_key: String::new(),
            incident_key: String::new(),
            mode: Mode::Live,
            start_at: None,
            deadline: Some(at(100)),
            close_at: None,
            reserve: SignedDuration::from_secs(10),
            run_expired: false,
            redrive,
            own_deadline: false,
            published_at: at(0),
            accepted_at: at(0),
        }
    }

    fn incident(generation: u64, changes: u64, state: &str, deadline: i64) -> proto::Incident {
        proto::Incident {
            generation,
            changes,
            state: state.to_owned(),
            deadline: Some(to_proto(at(deadline))),
            ..proto::Incident::default()
        }
    }

    #[test]
    fn how_long_a_handler_may_take() {
        use std::time::Duration;
        let check = |pinned: Option<i64>, starts: Option<i64>, deadline: Option<i64>, expected: u64| {
            let order = Order {
                start_at: starts.map(at),
                deadline: pinned.map(at),
                close_at: Some(at(400)),
                ..order(false, 0)
            };
            let limit = order.time_limit(at(0), deadline.map(at), Duration::from_secs(1_000), false);
            assert_eq!(limit.as_secs(), expected, "{pinned:?} {starts:?} {deadline:?}");
        };
        check(Some(100), None, Some(100), 400);
        check(Some(100), None, None, 400);
        check(Some(100), None, Some(150), 450);
        // It is not taken away what there was, nor is there more than the settings give.
        check(Some(100), None, Some(50), 400);
        check(Some(100), None, Some(900), 1_000);
        // Begun after its deadline: the outcome was due some time after the start.
        check(Some(100), Some(120), Some(110), 400);
        check(Some(100), Some(120), Some(150), 430);
        // None was known when it was published.
        check(None, None, Some(150), 400);
        check(None, None, Some(500), 500);
    }

    #[test]
    fn what_an_incident_says_of_an_action() {
        let check = |order: &Order, told: &[proto::Incident], cancelled: bool, deadline: i64| {
            let start = Control {
                deadline: order.deadline,
                cancelled: false,
                stopping: false,
                changes: 0,
            };
            let (control, _) = watch::channel(start);
            for incident in told {
                observe(&control, order, incident);
            }
            let now = *control.borrow();
            assert_eq!(
                (now.cancelled, now.deadline),
                (cancelled, Some(at(deadline))),
                "{told:?}"
            );
        };
        let plain = order(false, 0);
        check(&plain, &[], false, 100);
        check(&plain, &[incident(2, 1, "open", 80)], false, 70);
        check(&plain, &[incident(2, 2, "cancelled", 80)], true, 70);
        // An older state of it, read late, takes nothing back.
        check(
            &plain,
            &[incident(2, 2, "cancelled", 80), incident(2, 1, "open", 90)],
            true,
            70,
        );
        // Another generation: an older one says nothing, a newer one that this one was withdrawn, for good.
        check(&plain, &[incident(1, 9, "cancelled", 50)], false, 100);
        check(
            &plain,
            &[incident(3, 1, "open", 500), incident(2, 7, "open", 90)],
            true,
            100,
        );
        // What undoes a withdrawn incident is not stopped by it; what was redriven belongs to no newer one.
        check(&order(true, 0), &[incident(2, 2, "cancelled", 80)], false, 70);
        check(&order(false, 1), &[incident(3, 1, "open", 500)], false, 100);
    }
}
