//! Each fault at each provider: the agent lives through it, says and counts what is wrong, believes nothing of it, and gives
//! the one right notice once it is over.

mod cell;
mod cloud;

use std::{collections::HashMap, sync::Arc, time::Duration};

use hollowtrees_harness::{Nats, metadata::When, proxy::Fault};
use jiff::Timestamp;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::rig::Stream;
use cell::{Cell, Heard};
use cloud::Cloud;

/// So many agents at once: more would take the processor from each other, and from the other tests.
const AT_ONCE: usize = 8;
/// How long nobody listens at a service's address.
const REFUSED: Duration = Duration::from_secs(125);

/// Later than anybody waits.
const LATE: Duration = Duration::from_secs(60);

/// What goes wrong.
#[derive(Clone, Copy)]
enum Wrong {
    /// The document that tells of an interruption, by this, made for each provider.
    Document(fn(Cloud) -> Fault),
    /// No token is valid any more, and this happens to who asks for another.
    Token(Option<fn() -> Fault>),
    /// Nobody listens any more, for so long.
    Refused(Duration),
    /// From the start, the first of two addresses is a name that nobody knows, and nobody listens at the second.
    /// (A name that comes to be known would take an `/etc/hosts` of its own, and so a mount namespace. Each attempt resolves
    /// anew, by the system's resolver.)
    Nameless,
    /// The document gives this time.
    Time(fn() -> When),
}

/// What becomes of it.
#[derive(Clone, Copy)]
enum Fate {
    /// Errors of this type are counted, and it is not ready.
    Trouble(&'static str),
    /// It is no trouble: the service may well say so.
    Calm,
    /// It cannot happen there, for this reason.
    Never(&'static str),
}

use Fate::{Calm, Never, Trouble};

const NO_TOKENS: Fate = Never("its service wants no tokens");
const NO_TIME: Fate = Never("its document gives no time");

struct Row {
    name: &'static str,
    wrong: Wrong,
    /// In the order of [`Cloud::ALL`]: EC2, Google, Azure, Alibaba.
    fates: [Fate; 4],
}

const fn row(name: &'static str, wrong: Wrong, fates: [Fate; 4]) -> Row {
    Row { name, wrong, fates }
}

const TABLE: [Row; 20] = [
    // There is nothing to be told, as EC2 and Alibaba say on most days.
    row("404", Wrong::Document(|cloud| cloud.answers(404)), [Calm; 4]),
    row(
        "401",
        Wrong::Document(|_| Fault::status(401)),
        [Trouble("metadata_unauthorized"); 4],
    ),
    row(
        "403",
        Wrong::Document(|_| Fault::status(403)),
        [Trouble("metadata_forbidden"); 4],
    ),
    row(
        "500",
        Wrong::Document(|_| Fault::status(500)),
        [Trouble("metadata_status"); 4],
    ),
    row(
        "503",
        Wrong::Document(|_| Fault::status(503)),
        [Trouble("metadata_status"); 4],
    ),
    row(
        "late",
        Wrong::Document(|_| Fault::slow(LATE)),
        [Trouble("metadata_timeout"); 4],
    ),
    row(
        "stalled",
        Wrong::Document(|_| Fault::stalled()),
        [Trouble("metadata_timeout"); 4],
    ),
    row(
        "truncated",
        Wrong::Document(|_| Fault::truncated()),
        [Trouble("metadata_broken"); 4],
    ),
    row(
        "no-answer",
        Wrong::Document(|_| Fault::no_answer()),
        [Trouble("metadata_broken"); 4],
    ),
    row(
        "binary",
        Wrong::Document(|_| Fault::garbage()),
        // Google's answers bear its mark; this one does not, and is not looked at.
        [
            Trouble("metadata_garbage"),
            Trouble("metadata_foreign"),
            Trouble("metadata_garbage"),
            Trouble("metadata_garbage"),
        ],
    ),
    row(
        "half-a-document",
        Wrong::Document(half),
        [Trouble("metadata_garbage"); 4],
    ),
    row(
        "another-shape",
        Wrong::Document(another_shape),
        [Trouble("metadata_garbage"); 4],
    ),
    row(
        "token-expired",
        Wrong::Token(None),
        [Calm, NO_TOKENS, NO_TOKENS, Calm],
    ),
    row(
        "token-503",
        Wrong::Token(Some(|| Fault::status(503))),
        [
            Trouble("metadata_status"),
            NO_TOKENS,
            NO_TOKENS,
            Trouble("metadata_status"),
        ],
    ),
    row(
        "token-stalled",
        Wrong::Token(Some(Fault::stalled)),
        [
            Trouble("metadata_no_token"),
            NO_TOKENS,
            NO_TOKENS,
            Trouble("metadata_no_token"),
        ],
    ),
    row(
        "refused",
        Wrong::Refused(REFUSED),
        [Trouble("metadata_unreachable"); 4],
    ),
    row(
        "no-such-name",
        Wrong::Nameless,
        [Trouble("metadata_unreachable"); 4],
    ),
    row(
        "time-long-past",
        Wrong::Time(long_past),
        [Calm, NO_TIME, Calm, Calm],
    ),
    row("time-far-off", Wrong::Time(far_off), [Calm, NO_TIME, Calm, Calm]),
    row("time-moving", Wrong::Time(moving), [Calm, NO_TIME, Calm, Calm]),
];

fn moving() -> When {
    When::After(Duration::from_secs(300))
}

fn long_past() -> When {
    When::At(Timestamp::now() - Duration::from_secs(3 * 365 * 86_400))
}

fn far_off() -> When {
    When::At("2100-01-01T00:00:00Z".parse().unwrap())
}

/// Whole answers that were written by halves.
fn half(cloud: Cloud) -> Fault {
    cloud.answers(200).body(match cloud {
        Cloud::Ec2 => r#"{"action": "terminate", "time": "2026-0"#,
        Cloud::Gcp => "TRU",
        Cloud::Azure => r#"{"DocumentIncarnation": 9, "Events": [{"EventId": "C1BF"#,
        Cloud::Alibaba => "2026-04-07T17:0",
    })
}

/// Well-formed, and not what the provider's documents say.
fn another_shape(cloud: Cloud) -> Fault {
    cloud.answers(200).body(match cloud {
        Cloud::Ec2 => r#"{"action": {"terminate": true}, "time": 1}"#,
        Cloud::Gcp => r#"{"preempted": true}"#,
        Cloud::Azure => r#"{"DocumentIncarnation": 9, "Events": {"EventId": "C1BF8322"}}"#,
        Cloud::Alibaba => r#"{"termination-time": "2026-04-07T17:03:00Z"}"#,
    })
}

#[tokio::test]
async fn every_fault_at_every_provider() {
    let nats = Nats::start().await.unwrap();
    let heard = Heard::of(Stream::of(&nats).await);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let (mut cells, mut names) = (JoinSet::new(), HashMap::new());
    for row in &TABLE {
        for (cloud, fate) in Cloud::ALL.into_iter().zip(row.fates) {
            if let Never(why) = fate {
                println!("{} at {cloud:?}: {why}", row.name);
                continue;
            }
            let name = format!("{}-{}", cloud.provider(), row.name);
            let (bus, heard, permits) = (nats.url(), heard.clone(), Arc::clone(&permits));
            let cell = {
                let name = name.clone();
                async move {
                    // Who waits for a minute has begun before.
                    let _permit = match row.wrong {
                        Wrong::Refused(_) => None,
                        _ => Some(permits.acquire().await.unwrap()),
                    };
                    Cell::start(cloud, &name, &bus, heard, matches!(row.wrong, Wrong::Nameless))
                        .play(row.wrong, fate)
                        .await;
                }
            };
            names.insert(cells.spawn(cell).id(), name);
        }
    }
    let mut broken = Vec::new();
    while let Some(ended) = cells.join_next().await {
        broken.extend(ended.err().map(|error| names[&error.id()].clone()));
    }
    assert_eq!(broken, Vec::<String>::new(), "see above");
    // What was on its way when a cell ended has come by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let counts = heard.counts();
    let expected = |name: &String| 1 + usize::from(name.contains("-time-"));
    let wrong: Vec<_> = names
        .values()
        .filter(|name| counts.get(*name) != Some(&expected(name)))
        .map(|name| (name, counts.get(name)))
        .collect();
    assert_eq!(wrong, [], "notices of each");
}
