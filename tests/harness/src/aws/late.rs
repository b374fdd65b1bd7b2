//! What was launched just now, and is not known everywhere yet (EC2 API reference, "eventual consistency").

use super::Aws;
use super::query::{Call, Refusal};
use super::strict::{Stop, Strict, lock};
use crate::Context;
use roxmltree::{Document, Node};
use std::time::{Duration, Instant};

impl Aws {
    /// From now on what a call launches does not show for this long: lists of instances are without it, and who names it is
    /// answered `InvalidInstanceID.NotFound`, or Auto Scaling's word for the same.
    pub fn set_instance_lag(&self, lag: Duration) {
        self.strict.knobs().instance_lag = lag;
    }
}

impl Strict {
    /// Notes when these, launched just now, begin to show.
    pub(super) fn show_later(&self, ids: &[String]) {
        let lag = self.knobs().instance_lag;
        if !lag.is_zero() {
            let at = Instant::now() + lag;
            lock(&self.shown_at).extend(ids.iter().map(|id| (id.clone(), at)));
        }
    }

    /// Whether it does not show yet.
    pub(super) fn is_hidden(&self, id: &str) -> bool {
        lock(&self.shown_at)
            .get(id)
            .is_some_and(|at| Instant::now() < *at)
    }

    /// Refuses a call of EC2 that names one that does not show.
    pub(super) fn all_shown(&self, call: &Call) -> Result<(), Refusal> {
        let mut named = (1..).map_while(|i| call.get(&format!("InstanceId.{i}")));
        match named.find(|id| self.is_hidden(id)) {
            Some(id) => {
                let message = format!("The instance ID '{id}' does not exist");
                Err(Refusal::new("InvalidInstanceID.NotFound", message))
            }
            None => Ok(()),
        }
    }

    /// A list of instances without the reservations of those that do not show.
    pub(super) fn without_hidden(&self, mut xml: String) -> Result<String, Stop> {
        let now = Instant::now();
        if lock(&self.shown_at).values().all(|at| *at <= now) {
            return Ok(xml);
        }
        let mut hidden = Vec::new();
        {
            let document = Document::parse(&xml).context(|| "moto's XML")?;
            let named = |node: &Node<'_, '_>, name: &str| node.tag_name().name() == name;
            let lists = document
                .descendants()
                .filter(|node| named(node, "reservationSet"));
            for reservation in lists.flat_map(|list| list.children()).filter(Node::is_element) {
                let mut ids = reservation.descendants().filter(|node| named(node, "instanceId"));
                if ids.any(|id| self.is_hidden(id.text().unwrap_or_default())) {
                    hidden.push(reservation.range());
                }
            }
        }
        for range in hidden.into_iter().rev() {
            xml.replace_range(range, "");
        }
        Ok(xml)
    }
}
