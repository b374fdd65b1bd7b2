//! Messages of streams: those that are there, or as they come.

use std::time::Duration;

use futures::future::try_join_all;
use hollowtrees_bus::{
    Bus,
    read::{From, Reading, Until},
};
use hollowtrees_schemas::{filter, names::Stream, token};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::{event::Event, exit::Failure};

/// A stream that is silent for so long in the middle of what it has does not answer.
const SILENCE: Duration = Duration::from_secs(30);
/// Pause before a stream that broke off is followed again.
const AGAIN: Duration = Duration::from_secs(1);
/// Events on their way to the screen.
const AHEAD: usize = 256;

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of one cluster.
    pub cluster: Option<String>,
    /// Of one instance.
    pub instance: Option<String>,
}

impl Wanted {
    /// Subject filters for a stream. Dead letters do not have the instance in their subject: see
    /// [`Wanted::includes`].
    pub fn filters(&self, stream: Stream) -> Vec<String> {
        let cluster = self.cluster.as_deref();
        let filters = match stream {
            Stream::Notices => vec![filter::notices(cluster)],
            Stream::Actions => vec![filter::all_actions(cluster)],
            Stream::Outcomes => vec![filter::outcomes(cluster, None, None)],
            Stream::Incidents => vec![filter::incidents(cluster), filter::runs(cluster)],
            Stream::Dead => return vec![filter::dead(cluster, None)],
        };
        filters.into_iter().map(|filter| self.narrowed(filter)).collect()
    }

    /// The instance is the last token of every subject that has one.
    fn narrowed(&self, filter: String) -> String {
        match (&self.instance, filter.strip_suffix('*')) {
            (Some(instance), Some(head)) => format!("{head}{}", token::escape(instance)),
            _ => filter,
        }
    }

    /// Whether an event is wanted, beyond what the server filtered.
    pub fn includes(&self, event: &Event) -> bool {
        self.instance
            .as_ref()
            .is_none_or(|instance| *instance == event.instance)
    }
}

/// All messages of `streams` that are there, in the order of the server's clock.
///
/// # Errors
/// A stream cannot be read, or falls silent.
pub async fn present(
    bus: &Bus,
    streams: &[Stream],
    wanted: &Wanted,
    from: From,
) -> Result<Vec<Event>, Failure> {
    let each = streams.iter().map(|&stream| async move {
        let mut reading = bus
            .read(stream, &wanted.filters(stream), from, Until::Present)
            .await?;
        let mut events = Vec::new();
        while let Some(event) = next(&mut reading, stream).await? {
            if wanted.includes(&event) {
                events.push(event);
            }
        }
        Ok::<_, Failure>(events)
    });
    let mut events: Vec<_> = try_join_all(each).await?.into_iter().flatten().collect();
    events.sort_by_key(|event| (event.stored_at, event.stream, event.sequence));
    Ok(events)
}

async fn next(reading: &mut Reading, stream: Stream) -> Result<Option<Event>, Failure> {
    let message = tokio::time::timeout(SILENCE, reading.next())
        .await
        .map_err(|_| {
            Failure::unavailable(format!(
                "{stream} sent nothing for {} s; is NATS overloaded?",
                SILENCE.as_secs()
            ))
        })??;
    Ok(message.map(|message| Event::read(stream, &message)))
}

/// What comes of following.
#[derive(Debug)]
pub enum Followed {
    /// The next event of some stream.
    Event(Box<Event>),
    /// A stream broke off and is followed again from where it was.
    Again(String),
}

/// Messages of `streams` from `from` on, for ever. Events of one stream are in order; streams are not held
/// back for each other.
///
/// # Errors
/// A stream cannot be read at the start. Later troubles are told and outlived.
pub async fn follow(
    bus: &Bus,
    streams: &[Stream],
    wanted: &Wanted,
    from: From,
) -> Result<mpsc::Receiver<Followed>, Failure> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    for &stream in streams {
        let filters = wanted.filters(stream);
        let reading = bus.read(stream, &filters, from, Until::Stopped).await?;
        let follower = Follower {
            bus: bus.clone(),
            stream,
            filters,
            again_from: match from {
                From::Next => From::Time(Timestamp::now()),
                From::First | From::Time(_) => from,
            },
            last: None,
        };
        tokio::spawn(follower.run(reading, wanted.clone(), sender.clone()));
    }
    Ok(receiver)
}

struct Follower {
    bus: Bus,
    stream: Stream,
    filters: Vec<String>,
    /// Where to begin again before anything was seen.
    again_from: From,
    last: Option<(u64, Timestamp)>,
}

impl Follower {
    async fn run(mut self, mut reading: Reading, wanted: Wanted, sender: mpsc::Sender<Followed>) {
        loop {
            let told = match reading.next().await {
                Ok(Some(message)) => {
                    if self
                        .last
                        .is_some_and(|(sequence, _)| message.sequence <= sequence)
                    {
                        continue;
                    }
                    self.last = Some((message.sequence, message.stored_at));
                    let event = Event::read(self.stream, &message);
                    if !wanted.includes(&event) {
                        continue;
                    }
                    Followed::Event(Box::new(event))
                }
                Ok(None) => return,
                Err(error) => {
                    let told = Followed::Again(error.to_string());
                    reading = self.again().await;
                    told
                }
            };
            if sender.send(told).await.is_err() {
                return;
            }
        }
    }

    /// A new reading from where the last one was, however long that takes.
    async fn again(&self) -> Reading {
        let from = self
            .last
            .map_or(self.again_from, |(_, stored_at)| From::Time(stored_at));
        loop {
            tokio::time::sleep(AGAIN).await;
            if let Ok(reading) = self
                .bus
                .read(self.stream, &self.filters, from, Until::Stopped)
                .await
            {
                return reading;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_name_cluster_and_instance() {
        let all = Wanted::default();
        assert_eq!(all.filters(Stream::Notices), ["ht.notice.v1.*.*.*"]);
        let one = Wanted {
            cluster: Some("prod.eu".to_owned()),
            instance: Some("i-0abc".to_owned()),
        };
        assert_eq!(
            one.filters(Stream::Outcomes),
            ["ht.outcome.v1.prod=2Eeu.*.*.i-0abc"]
        );
        assert_eq!(
            one.filters(Stream::Incidents),
            [
                "ht.incident.v1.prod=2Eeu.*.i-0abc",
                "ht.run.v1.prod=2Eeu.*.i-0abc"
            ]
        );
        assert_eq!(one.filters(Stream::Dead), ["ht.dead.v1.prod=2Eeu.*.*"]);
    }
}
