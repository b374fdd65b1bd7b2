//! What comes is held, and waits for its turn.

use std::sync::Arc;

use hollowtrees_bus::{Delivery, consume::forward::Forwarded};
use tokio::sync::watch;

use super::{
    Attempt, Control, Handler, Held, Loop, Order, Parcel, REDRIVE_DELAY, SETTLED_DELAY, Stays, refuse,
};

impl<H: Handler> Loop<H> {
    /// Takes what another process gives while a handler could start, if it is for this one.
    pub(super) fn accept_given(&mut self, forwarded: Forwarded) {
        let Forwarded {
            delivery,
            revision,
            word,
        } = forwarded;
        let settings = &self.core.settings;
        let why = match Order::parse(&delivery) {
            Err(bad) => bad.to_string(),
            Ok(order) if !settings.serves(&order.action) => "it is not served here".to_owned(),
            Ok(_) if self.held.len() >= settings.accepted || self.running.len() >= settings.running => {
                "as much is done as may be at once".to_owned()
            }
            Ok(_) => {
                self.accept(delivery, Stays::Given(revision));
                tokio::spawn(word.taken());
                return;
            }
        };
        delivery.abandon();
        tokio::spawn(async move { word.refused(&why).await });
    }

    pub(super) fn accept(&mut self, delivery: Delivery, stays: Stays) {
        let order = match Order::parse(&delivery) {
            Ok(order) => order,
            Err(bad) => {
                tokio::spawn(refuse(Arc::clone(&self.core), delivery, bad));
                return;
            }
        };
        let id = order.id.to_string();
        if let Some(held) = self.held.get(&id) {
            if order.redrive > held.order.redrive {
                // The first one has to end before it can be done once more.
                tokio::spawn(delivery.nak(REDRIVE_DELAY));
                return;
            }
            self.core.telemetry.adopted(&order.action.kind);
            if let Some(settled_meanwhile) = held.parcel.adopt(delivery) {
                tokio::spawn(settled_meanwhile.nak(SETTLED_DELAY));
            }
            return;
        }
        let order = Arc::new(order);
        let parcel = Arc::new(Parcel::new(delivery));
        let claim = Arc::default();
        let (control, _) = watch::channel(Control {
            deadline: order.deadline,
            cancelled: false,
            stopping: false,
            changes: 0,
        });
        self.held.insert(
            id.clone(),
            Held {
                order: Arc::clone(&order),
                parcel: Arc::clone(&parcel),
                control: control.clone(),
                claim: Arc::clone(&claim),
            },
        );
        self.by_incident
            .entry(order.incident_key.clone())
            .or_default()
            .insert(id.clone());
        let not_before = order.starts_later(self.core.author.now());
        let attempt = Attempt {
            order,
            parcel,
            control,
            claim,
            tries: 0,
            first_started_at: None,
            incident_heard: false,
            suspect: None,
            stays,
            needs_slot: false,
        };
        self.hearing.came(&id);
        self.wait(id, attempt, not_before);
    }
}
