//! Looks at streams and consumers from time to time, and shows what is there.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use hollowtrees_bus::{
    Bus, Store, StoreError, Versioned, WriteError,
    lag::{ConsumerState, LagError, StreamState},
    liveness::Lease,
    topology::Consumer,
};
use hollowtrees_schemas::names::Stream;
use jiff::Timestamp;

use crate::{
    labels::Labels,
    losses::{self, Losses, Sight},
    telemetry::{Shown, Telemetry},
};

/// After this long without a look nothing is shown any more: an old number is worse than none.
const STALE: Duration = Duration::from_secs(30);

/// Looks, and shows.
pub(crate) struct Lag {
    bus: Bus,
    lease: Lease,
    losses: Store<Losses>,
    shown: Shown,
    /// Consumers that are shown, to take away those that are gone.
    consumers: BTreeSet<(Stream, String)>,
    looked_at: Instant,
}

/// A stream as it was seen, with its consumers and their oldest messages.
struct Look {
    stream: Stream,
    state: StreamState,
    consumers: Vec<(ConsumerState, Option<(u64, Timestamp)>)>,
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Look(#[from] LagError),
    #[error(transparent)]
    Read(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Lag {
    pub(crate) fn new(bus: &Bus, lease: Lease, shown: Shown) -> Self {
        Self {
            bus: bus.clone(),
            lease,
            losses: bus.metrics(),
            shown,
            consumers: BTreeSet::new(),
            looked_at: Instant::now(),
        }
    }

    /// Goes on for ever.
    pub(crate) async fn keep(mut self, telemetry: &Telemetry, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.shown
                .clock_offset
                .set(self.lease.clock_offset().as_secs_f64());
            match self.look_once(&telemetry.labels).await {
                Ok(()) => {}
                Err(trouble) => {
                    self.shown.errors.error("look", "lag");
                    tracing::warn!(error = %trouble, "Streams and consumers could not be looked at.");
                    if self.looked_at.elapsed() > STALE {
                        self.show_nothing();
                    }
                }
            }
        }
    }

    async fn look_once(&mut self, labels: &Labels) -> Result<(), Trouble> {
        // Before the look: what is written below is newer than what it replaces.
        let before = self.losses.get(losses::KEY).await?;
        let mut looks = Vec::new();
        for stream in Stream::ALL {
            looks.push(self.look(stream).await?);
        }
        let now = Timestamp::now();
        let now = now.checked_sub(self.lease.clock_offset()).unwrap_or(now);
        let mut present = BTreeSet::new();
        for look in &looks {
            self.show_stream(look, now);
            for (consumer, oldest) in &look.consumers {
                if !labels.has_durable(&consumer.name) {
                    continue;
                }
                self.show_consumer(look, consumer, *oldest, now);
                present.insert((look.stream, consumer.name.clone()));
            }
        }
        for gone in self.consumers.difference(&present) {
            self.forget(gone);
        }
        self.consumers = present;
        self.shown.polled.set(now.as_duration().as_secs_f64());
        self.looked_at = Instant::now();
        self.tell_losses(before, &looks).await
    }

    async fn look(&self, stream: Stream) -> Result<Look, LagError> {
        let state = self.bus.stream_state(stream).await?;
        let mut consumers = Vec::new();
        for consumer in self.bus.consumer_states(stream).await? {
            let oldest = self.bus.oldest_unhandled(stream, &consumer).await?;
            consumers.push((consumer, oldest));
        }
        Ok(Look {
            stream,
            state,
            consumers,
        })
    }

    fn show_stream(&self, look: &Look, now: Timestamp) {
        let Look { stream, state, .. } = look;
        let name = [stream.name()];
        self.shown.stream_messages.set(name, number(state.messages));
        self.shown.stream_bytes.set(name, number(state.bytes));
        match state.limit_bytes {
            Some(limit) => self.shown.stream_limit.set(name, number(limit)),
            None => self.shown.stream_limit.remove(name),
        }
        match stream {
            Stream::Dead => self.shown.dead_held.set([], number(state.messages)),
            Stream::Notices => {
                let router = Consumer::router_notices().name;
                let known = look
                    .consumers
                    .iter()
                    .find(|(consumer, _)| consumer.name == router);
                match known {
                    Some((_, oldest)) => self.shown.oldest_notice.set([], age(*oldest, now)),
                    // Nobody can say.
                    None => self.shown.oldest_notice.clear(),
                }
            }
            Stream::Actions | Stream::Outcomes | Stream::Incidents => {}
        }
    }

    fn show_consumer(
        &self,
        look: &Look,
        consumer: &ConsumerState,
        oldest: Option<(u64, Timestamp)>,
        now: Timestamp,
    ) {
        let shown = &self.shown;
        let name = [look.stream.name(), consumer.name.as_str()];
        let sight = Sight {
            stream: &look.state,
            consumer,
            oldest: None,
        };
        shown.pending.set(name, number(consumer.pending));
        shown.ack_pending.set(name, number(consumer.ack_pending));
        shown.redelivered.set(name, number(consumer.redelivered));
        shown.waiting.set(name, number(consumer.waiting));
        shown.oldest.set(name, age(oldest, now));
        if may_lose(look.stream) {
            shown.gone.set(name, number(losses::gone(sight)));
            shown.behind.set(name, number(losses::behind(sight)));
            shown.lost.add(name, 0);
        }
    }

    fn forget(&self, (stream, consumer): &(Stream, String)) {
        let shown = &self.shown;
        for gauges in [
            &shown.pending,
            &shown.ack_pending,
            &shown.redelivered,
            &shown.waiting,
            &shown.oldest,
            &shown.gone,
            &shown.behind,
        ] {
            gauges.remove([stream.name(), consumer]);
        }
    }

    fn show_nothing(&mut self) {
        for consumer in std::mem::take(&mut self.consumers) {
            self.forget(&consumer);
        }
        let shown = &self.shown;
        for gauges in [&shown.stream_messages, &shown.stream_bytes, &shown.stream_limit] {
            gauges.clear();
        }
        shown.dead_held.clear();
        shown.oldest_notice.clear();
    }

    /// Writes what was lost, unless another replica wrote since: it saw the same, and is asked the next time.
    async fn tell_losses(&self, before: Option<Versioned<Losses>>, looks: &[Look]) -> Result<(), Trouble> {
        let mut after = before
            .as_ref()
            .map_or_else(Losses::default, |before| before.value.clone());
        let mut found = Vec::new();
        for look in looks.iter().filter(|look| may_lose(look.stream)) {
            for (consumer, oldest) in &look.consumers {
                let sight = Sight {
                    stream: &look.state,
                    consumer,
                    oldest: oldest.map(|(sequence, _)| sequence),
                };
                let loss = after.note(look.stream.name(), sight);
                found.push((look.stream, &consumer.name, loss));
            }
        }
        let written = match &before {
            Some(before) if before.value == after => Ok(()),
            Some(before) => {
                let written = self.losses.update(losses::KEY, &after, before.revision).await;
                written.map(|_| ())
            }
            None => self.losses.create(losses::KEY, &after).await.map(|_| ()),
        };
        match written {
            Ok(()) => {}
            Err(error) if error.is_conflict() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for (stream, consumer, loss) in found {
            if loss.news > 0 {
                tracing::error!(
                    %stream,
                    consumer,
                    lost = loss.news,
                    "Messages left a stream before their consumer was given them; give the stream more room, and see why the consumer is behind."
                );
            }
            // What is not shown has no counter of its own.
            if self.consumers.contains(&(stream, consumer.clone()))
                && let Some(counter) = self.shown.lost.with([stream.name(), consumer])
            {
                counter.inc_by(loss.total.saturating_sub(counter.get()));
            }
        }
        Ok(())
    }
}

/// Dead letters leave their stream when somebody discards them.
fn may_lose(stream: Stream) -> bool {
    stream != Stream::Dead
}

fn age(oldest: Option<(u64, Timestamp)>, now: Timestamp) -> f64 {
    oldest.map_or(0.0, |(_, stored_at)| {
        now.duration_since(stored_at).as_secs_f64().max(0.0)
    })
}

/// As a gauge's value: exact up to 2^53, which no stream reaches.
fn number(value: u64) -> f64 {
    value as f64
}
