//! Our own interruptions, from the notices on the bus.
//!
//! Nothing is kept: each start reads the stream again, as far back as it reaches, and goes on with what comes.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hollowtrees_bus::{
    Bus, ConnectError, Options,
    read::{From, Message, ReadError, Until},
};
use hollowtrees_domain::{
    notice::Notice,
    recommend::{Interruption, Pool},
    words::{Mode, NoticeState},
};
use hollowtrees_runtime::health::Check;
use hollowtrees_schemas::{
    envelope::Envelope,
    names::{Stream, kind},
    proto,
};
use jiff::{SignedDuration, Timestamp};

use crate::telemetry::Telemetry;

/// Instances that are remembered, and a tenth more; the oldest are forgotten first.
const MOST: usize = 50_000;
/// Wait before the stream is read again after an error.
const AGAIN: Duration = Duration::from_secs(5);

/// An interruption of one instance: the first word of it, and what all origins together know of where it ran.
#[derive(Clone, Debug, PartialEq)]
struct Lost {
    region: String,
    instance_type: String,
    zone: String,
    at: Timestamp,
    /// Notices that stand: each origin may take its own back.
    standing: Vec<String>,
}

#[derive(Debug, Default)]
struct Inner {
    lost: BTreeMap<String, Lost>,
    /// Whether all that was on the stream at the start has been read.
    caught_up: bool,
}

/// Which of our instances were interrupted. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Book(Arc<Mutex<Inner>>);

/// How many interruptions there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In a pool that is known.
    pub placed: usize,
    /// Whose type or zone no origin said.
    pub unplaced: usize,
    /// Whether the stream was read to its end.
    pub caught_up: bool,
}

impl Book {
    /// Takes in one notice. Only interruptions of spot instances of AWS, in earnest.
    pub fn hear(&self, notice: &Notice) {
        let of = &notice.message;
        if of.kind != kind::SPOT_INTERRUPTION || of.provider != "aws" || notice.mode != Mode::Live {
            return;
        }
        let mut inner = self.inner();
        let origin = format!("{}\u{0}{}", notice.source, of.event_id);
        if notice.state != NoticeState::Active {
            if let Some(lost) = inner.lost.get_mut(&of.instance) {
                lost.standing.retain(|known| *known != origin);
                if lost.standing.is_empty() {
                    inner.lost.remove(&of.instance);
                }
            }
            return;
        }
        let lost = inner.lost.entry(of.instance.clone()).or_insert_with(|| Lost {
            region: String::new(),
            instance_type: String::new(),
            zone: String::new(),
            at: notice.noticed_at,
            standing: Vec::new(),
        });
        lost.at = lost.at.min(notice.noticed_at);
        // What one origin does not know another may.
        for (known, said) in [
            (&mut lost.region, &of.region),
            (&mut lost.instance_type, &of.instance_type),
            (&mut lost.zone, &of.zone),
        ] {
            if known.is_empty() {
                known.clone_from(said);
            }
        }
        if !lost.standing.contains(&origin) {
            lost.standing.push(origin);
        }
        if inner.lost.len() > MOST + MOST / 10 {
            let mut times: Vec<Timestamp> = inner.lost.values().map(|lost| lost.at).collect();
            times.sort_unstable();
            if let Some(oldest) = times.get(MOST / 10).copied() {
                inner.lost.retain(|_, lost| lost.at > oldest);
            }
        }
    }

    /// Those of a region, in pools that are known.
    #[must_use]
    pub fn of(&self, region: &str) -> Vec<Interruption> {
        let inner = self.inner();
        let of = inner.lost.values().filter(|lost| lost.is_in(region));
        of.filter_map(Lost::placed).collect()
    }

    /// How many there are of a region.
    #[must_use]
    pub fn tally(&self, region: &str) -> Tally {
        let inner = self.inner();
        let mut tally = Tally {
            caught_up: inner.caught_up,
            ..Tally::default()
        };
        for lost in inner.lost.values().filter(|lost| lost.is_in(region)) {
            match lost.placed() {
                Some(_) => tally.placed += 1,
                None => tally.unplaced += 1,
            }
        }
        tally
    }

    /// Forgets what was before.
    pub fn forget_before(&self, at: Timestamp) {
        self.inner().lost.retain(|_, lost| lost.at >= at);
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lost {
    fn is_in(&self, region: &str) -> bool {
        // Zones are named after their region, local zones too.
        self.region == region || (self.region.is_empty() && self.zone.starts_with(region))
    }

    fn placed(&self) -> Option<Interruption> {
        (!self.instance_type.is_empty() && !self.zone.is_empty()).then(|| Interruption {
            pool: Pool::new(&self.instance_type, &self.zone),
            at: self.at,
        })
    }
}

/// Reads notices for ever: those of the last `back`, then what comes. Whatever is amiss is told and keeps nobody from being
/// ready: prices are enough to answer from.
///
/// # Errors
/// The bus refuses this process.
pub async fn listen(
    options: Options,
    book: Book,
    back: SignedDuration,
    telemetry: Telemetry,
    check: Check,
) -> Result<Infallible, ConnectError> {
    check.tell("not connected yet");
    loop {
        let ended = match Bus::connect(&options).await {
            Ok(bus) => loop {
                let Err(error) = read(&bus, &book, back, &check).await else {
                    continue;
                };
                telemetry.deaf();
                tracing::warn!(%error, "Notices cannot be read; interruptions known before still count.");
                check.tell(error.to_string());
                tokio::time::sleep(AGAIN).await;
            },
            Err(error) if error.is_transient() => error,
            Err(error) => return Err(error),
        };
        telemetry.deaf();
        tracing::warn!(error = %ended, "The bus cannot be reached yet; interruptions are not known.");
        check.tell(ended.to_string());
        tokio::time::sleep(AGAIN).await;
    }
}

async fn read(bus: &Bus, book: &Book, back: SignedDuration, check: &Check) -> Result<(), ReadError> {
    let filters = [format!("ht.notice.v1.*.{}.*", kind::SPOT_INTERRUPTION)];
    let begin = Timestamp::now().checked_sub(back).unwrap_or(Timestamp::MIN);
    // First what is there, so that it is known when there is no more of it; then again with what comes.
    for until in [Until::Present, Until::Stopped] {
        let mut reading = bus
            .read(Stream::Notices, &filters, From::Time(begin), until)
            .await?;
        while let Some(message) = reading.next().await? {
            if let Some(notice) = notice(&message) {
                book.hear(&notice);
            }
        }
        book.inner().caught_up = true;
        check.pass();
    }
    Ok(())
}

/// What cannot be read is the router's to complain about.
fn notice(message: &Message) -> Option<Notice> {
    let envelope: Envelope<proto::Notice> = Envelope::decode(&message.wire).ok()?;
    Notice::parse(envelope.data, &envelope.source, message.stored_at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn of(change: impl FnOnce(&mut proto::Notice), source: &str, seconds: i64) -> Notice {
        let mut message = proto::Notice {
            cluster: "prod".to_owned(),
            provider: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            zone: "eu-west-1a".to_owned(),
            instance: "i-1".to_owned(),
            instance_type: "m5.large".to_owned(),
            kind: kind::SPOT_INTERRUPTION.to_owned(),
            ..proto::Notice::default()
        };
        change(&mut message);
        Notice::parse(message, source, at(seconds)).unwrap()
    }

    fn heard(notices: &[Notice]) -> Book {
        let book = Book::default();
        notices.iter().for_each(|notice| book.hear(notice));
        book
    }

    #[test]
    fn an_instance_is_lost_once_whoever_tells() {
        let book = heard(&[
            // A queue knows the instance only, and is the first to tell.
            of(
                |notice| {
                    notice.instance_type.clear();
                    notice.zone.clear();
                },
                "sqs",
                0,
            ),
            of(|_| {}, "imds", 5),
            of(|_| {}, "imds", 9),
        ]);
        assert_eq!(
            book.of("eu-west-1"),
            [Interruption {
                pool: Pool::new("m5.large", "eu-west-1a"),
                at: at(0)
            }]
        );
        assert_eq!(book.of("us-east-1"), []);
    }

    #[test]
    fn what_is_no_interruption_counts_nothing() {
        let not = |change: fn(&mut proto::Notice)| {
            let book = heard(&[of(change, "imds", 0)]);
            assert_eq!(book.tally("eu-west-1"), Tally::default());
        };
        not(|notice| notice.mode = "test".to_owned());
        not(|notice| notice.mode = "dry-run".to_owned());
        not(|notice| notice.kind = kind::REBALANCE_RECOMMENDATION.to_owned());
        not(|notice| notice.provider = "gcp".to_owned());
    }

    #[test]
    fn what_is_taken_back_by_all_who_said_it_no_longer_counts() {
        let cancelled = |source| of(|notice| notice.state = "cancelled".to_owned(), source, 10);
        let said = [of(|_| {}, "imds", 0), of(|_| {}, "sqs", 1), cancelled("imds")];
        let book = heard(&said);
        assert_eq!(book.tally("eu-west-1").placed, 1);
        book.hear(&cancelled("sqs"));
        assert_eq!(book.tally("eu-west-1").placed, 0);
    }

    #[test]
    fn where_nobody_says_the_pool_it_is_told() {
        let book = heard(&[of(|notice| notice.instance_type.clear(), "sqs", 0)]);
        let tally = book.tally("eu-west-1");
        assert_eq!((tally.placed, tally.unplaced), (0, 1));
        book.forget_before(at(1));
        assert_eq!(book.tally("eu-west-1").unplaced, 0);
    }
}
