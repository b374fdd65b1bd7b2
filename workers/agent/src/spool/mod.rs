//! Notices that the bus has not stored yet: in memory and, where that is asked for, on disk; bounded, none of them lost
//! to its age.

mod store;

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hollowtrees_schemas::id::MessageId;
use tokio::{sync::Notify, time::Instant};

pub use store::{Store, Unreadable};

use crate::{
    notice::{Fate, Message},
    telemetry::Telemetry,
};

/// A bounded queue. Cheap to clone; all clones share it.
#[derive(Debug, Clone)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    waiting: Mutex<VecDeque<Waiting>>,
    changed: Notify,
    disk: Option<(Store, Telemetry)>,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    since: Instant,
}

impl Waiting {
    fn is(&self, id: &MessageId) -> bool {
        self.message.outgoing.message_id == *id
    }
}

impl From<Message> for Waiting {
    fn from(message: Message) -> Self {
        Self {
            message,
            since: Instant::now(),
        }
    }
}

/// What became of an offered notice.
#[derive(Debug)]
pub enum Offered {
    /// It waits.
    Kept,
    /// The same one waits already.
    Known,
    /// It waits, and the oldest had to go: a newer notice is worth more than an older one.
    InPlaceOf(Box<Message>),
}

impl Spool {
    /// Holds at most `most` notices, at least one.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner {
            most: most.max(1),
            waiting: Mutex::default(),
            changed: Notify::new(),
            disk: None,
        }))
    }

    /// As [`Spool::new`], on disk too, with what an earlier process left there.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn on_disk(most: usize, store: Store, telemetry: &Telemetry) -> io::Result<Self> {
        let (left, unreadable) = store.load()?;
        for unreadable in &unreadable {
            telemetry.unreadable(unreadable);
        }
        let spool = Self(Arc::new(Inner {
            most: most.max(1),
            waiting: Mutex::new(left.into_iter().map(Waiting::from).collect()),
            changed: Notify::new(),
            disk: Some((store, telemetry.clone())),
        }));
        telemetry.taken_over(spool.len());
        Ok(spool)
    }

    /// What happens in memory counts; the disk follows as well as it can.
    fn disk(&self, act: impl Fn(&Store) -> io::Result<()>) {
        if let Some((store, telemetry)) = &self.0.disk
            && let Err(error) = act(store)
        {
            telemetry.disk(&error);
        }
    }

    /// Takes a notice in.
    pub fn offer(&self, message: Message) -> Offered {
        let mut waiting = self.waiting();
        if waiting.iter().any(|known| known.is(&message.outgoing.message_id)) {
            return Offered::Known;
        }
        let gone = if waiting.len() >= self.0.most {
            waiting.pop_front().map(|gone| gone.message)
        } else {
            None
        };
        self.disk(|store| store.put(&message));
        waiting.push_back(message.into());
        drop(waiting);
        if let Some(gone) = &gone {
            self.disk(|store| store.remove(&gone.outgoing.message_id));
        }
        self.0.changed.notify_waiters();
        gone.map_or(Offered::Kept, |gone| Offered::InPlaceOf(Box::new(gone)))
    }

    /// The notice to publish next, which stays in until [`Spool::remove`]. Waits for one.
    pub async fn next(&self) -> Message {
        loop {
            let changed = self.0.changed.notified();
            if let Some(first) = self.waiting().front() {
                return first.message.clone();
            }
            changed.await;
        }
    }

    /// It is stored, or never will be.
    pub fn remove(&self, id: &MessageId) {
        self.waiting().retain(|waiting| !waiting.is(id));
        self.disk(|store| store.remove(id));
        self.0.changed.notify_waiters();
    }

    /// It could not be stored this time: the others first.
    pub fn postpone(&self, id: &MessageId) {
        let mut waiting = self.waiting();
        if waiting.front().is_some_and(|first| first.is(id)) {
            waiting.rotate_left(1);
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Since when the bus has kept a notice waiting that says that the instance goes, and that none after it takes back.
    pub fn cut_off_since(&self) -> Option<Instant> {
        let waiting = self.waiting();
        let goes = |one: &&Waiting| match &one.message.fate {
            Fate::Goes(event) => !waiting.iter().any(|other| {
                other.since >= one.since && matches!(&other.message.fate, Fate::Stays(of) if of == event)
            }),
            Fate::Stays(_) | Fate::Open => false,
        };
        waiting.iter().filter(goes).map(|one| one.since).min()
    }

    /// Ends when [`Spool::cut_off_since`] is something else than this; returns it.
    pub async fn cut_off_changed(&self, from: Option<Instant>) -> Option<Instant> {
        loop {
            let changed = self.0.changed.notified();
            let now = self.cut_off_since();
            if now != from {
                return now;
            }
            changed.await;
        }
    }

    /// Ends when none waits any more.
    pub async fn emptied(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_schemas::{codec::Wire, names::kind, outgoing::Outgoing, subject::Subject};

    use super::*;

    fn message(name: &str) -> Message {
        let subject = Subject::Notice {
            cluster: "c".into(),
            kind: "k".into(),
            instance: name.into(),
        };
        let wire = Wire {
            headers: Vec::new(),
            body: bytes::Bytes::new(),
        };
        let outgoing = Outgoing {
            subject,
            wire,
            message_id: MessageId::of("test", name),
        };
        Message {
            kind: kind::SPOT_INTERRUPTION,
            outgoing,
            fate: Fate::Open,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cut_off_since_the_oldest_notice_that_stands() {
        let second = std::time::Duration::from_secs(1);
        let of = |name: &str, fate: Fate| Message {
            fate,
            ..message(name)
        };
        let (goes, stays) = (
            |of: &str| Fate::Goes(of.to_owned()),
            |of: &str| Fate::Stays(of.to_owned()),
        );
        let spool = Spool::new(8);
        let began = Instant::now();
        spool.offer(of("advice", Fate::Open));
        assert_eq!(spool.cut_off_since(), None);
        tokio::time::advance(second).await;
        let one = of("one", goes("E1"));
        spool.offer(one.clone());
        tokio::time::advance(second).await;
        let two = of("two", goes("E2"));
        spool.offer(two.clone());
        assert_eq!(spool.cut_off_changed(None).await, Some(began + second));
        // Tried in another order, it has waited as long.
        spool.postpone(&message("advice").outgoing.message_id);
        assert_eq!(spool.cut_off_since(), Some(began + second));
        spool.offer(of("back", stays("E1")));
        assert_eq!(spool.cut_off_since(), Some(began + 2 * second));
        tokio::time::advance(second).await;
        spool.offer(of("again", goes("E1")));
        spool.remove(&two.outgoing.message_id);
        assert_eq!(
            spool.cut_off_changed(Some(began + 2 * second)).await,
            Some(began + 3 * second)
        );
    }

    async fn next(spool: &Spool) -> Subject {
        spool.next().await.outgoing.subject
    }

    #[tokio::test]
    async fn the_oldest_goes_first_and_is_the_first_to_be_given_up() {
        let spool = Spool::new(2);
        assert!(matches!(spool.offer(message("a")), Offered::Kept));
        assert!(matches!(spool.offer(message("a")), Offered::Known));
        assert!(matches!(spool.offer(message("b")), Offered::Kept));
        let Offered::InPlaceOf(gone) = spool.offer(message("c")) else {
            panic!("three do not fit")
        };
        assert_eq!(gone.outgoing.subject, message("a").outgoing.subject);
        assert_eq!(next(&spool).await, message("b").outgoing.subject);
        assert_eq!(spool.len(), 2);
    }

    #[tokio::test]
    async fn one_that_cannot_be_stored_does_not_hold_up_the_others() {
        let spool = Spool::new(9);
        for name in ["a", "b"] {
            spool.offer(message(name));
        }
        let first = spool.next().await.outgoing.message_id;
        spool.postpone(&first);
        spool.postpone(&first);
        assert_eq!(next(&spool).await, message("b").outgoing.subject);
        spool.remove(&message("b").outgoing.message_id);
        assert_eq!(next(&spool).await, message("a").outgoing.subject);
    }

    #[tokio::test]
    async fn waiting_for_one_and_for_none() {
        let spool = Spool::new(9);
        spool.emptied().await;
        let taker = {
            let spool = spool.clone();
            tokio::spawn(async move {
                let message = spool.next().await;
                spool.remove(&message.outgoing.message_id);
            })
        };
        tokio::task::yield_now().await;
        spool.offer(message("a"));
        spool.emptied().await;
        taker.await.unwrap();
    }
}
