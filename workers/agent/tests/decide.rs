//! Every sequence of answers of the metadata service, and what is said about it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use hollowtrees_agent::{
    decide::{Fact, Observation, Reading, Said},
    document::{InstanceAction, Rebalance},
};
use jiff::{SignedDuration, Timestamp};

/// Seconds after the first reading, in tenths, so that readings need not be whole seconds.
fn at(tenths: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(tenths * 100)
}

/// One reading of `spot/instance-action`.
#[derive(Clone, Copy)]
enum Answer {
    /// Action and deadline, in tenths of a second after the first reading.
    Going(&'static str, i64),
    /// Action without a time.
    Timeless,
    NotFound,
    Broken,
}
use Answer::{Broken, Going, NotFound, Timeless};

fn going(action: &str, time: Option<Timestamp>) -> Reading<InstanceAction> {
    Reading::Present(InstanceAction {
        action: action.to_owned(),
        time,
        detail: serde_json::Map::new(),
    })
}

/// Feeds readings (at a time in tenths) and returns what was said: (when, action, deadline).
fn said(readings: &[(i64, Answer)]) -> Vec<(i64, String, Option<i64>)> {
    let tenths = |time: Timestamp| i64::try_from(time.duration_since(at(0)).as_millis() / 100).unwrap();
    let mut state = Said::default();
    let mut all = Vec::new();
    for (now, answer) in readings {
        let interruption = match answer {
            Going(action, deadline) => going(action, Some(at(*deadline))),
            Timeless => going("terminate", None),
            NotFound => Reading::Absent,
            Broken => Reading::Unknown,
        };
        let (next, facts) = state.decide(&Observation {
            at: at(*now),
            interruption,
            rebalance: Reading::Absent,
        });
        state = next;
        all.extend(facts.into_iter().map(|fact| match fact {
            Fact::Interruption {
                action,
                deadline,
                noticed_at,
                ..
            } => (tenths(noticed_at), action, deadline.map(tenths)),
            Fact::Rebalance { .. } => panic!("nothing recommended a rebalance"),
        }));
    }
    all
}

#[track_caller]
fn check(name: &str, readings: &[(i64, Answer)], expected: &[(i64, &str, Option<i64>)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(t, a, d)| (*t, (*a).to_owned(), *d))
        .collect();
    assert_eq!(said(readings), expected, "{name}");
}

#[test]
fn what_is_said_once_and_what_again() {
    let first = (0, Going("terminate", 1200));
    check(
        "nothing there",
        &[(0, NotFound), (20, Broken), (40, NotFound)],
        &[],
    );
    check(
        "seen once",
        &[(0, NotFound), (20, Going("stop", 1200))],
        &[(20, "stop", Some(1200))],
    );
    check(
        "still there after errors and absence",
        &[
            first,
            (20, Broken),
            (40, NotFound),
            (60, Going("terminate", 1200)),
        ],
        &[(0, "terminate", Some(1200))],
    );
    check(
        "moved by a second, either way",
        &[
            first,
            (20, Going("terminate", 1210)),
            (40, Going("terminate", 1190)),
        ],
        &[(0, "terminate", Some(1200))],
    );
    check(
        "tighter is said at once",
        &[
            first,
            (20, Going("terminate", 1180)),
            (40, Going("terminate", 600)),
        ],
        &[
            (0, "terminate", Some(1200)),
            (20, "terminate", Some(1180)),
            (40, "terminate", Some(600)),
        ],
    );
    check(
        "later is said when it stands for ten seconds",
        &[
            first,
            (20, Going("terminate", 1300)),
            (100, Going("terminate", 1300)),
            (120, Going("terminate", 1300)),
        ],
        &[(0, "terminate", Some(1200)), (120, "terminate", Some(1300))],
    );
    check(
        "later for a moment only is not said",
        &[
            first,
            (20, Going("terminate", 1300)),
            (40, first.1),
            (140, Going("terminate", 1300)),
            (160, first.1),
        ],
        &[(0, "terminate", Some(1200))],
    );
    check(
        "another action is another notice",
        &[first, (20, Going("stop", 1200))],
        &[(0, "terminate", Some(1200)), (20, "stop", Some(1200))],
    );
    check(
        "a time that becomes known",
        &[
            (0, Timeless),
            (20, Timeless),
            (40, Going("terminate", 1200)),
            (60, Timeless),
        ],
        &[(0, "terminate", None), (40, "terminate", Some(1200))],
    );
    check(
        "a second interruption after a resume",
        &[first, (20, NotFound), (9000, Going("terminate", 10200))],
        &[(0, "terminate", Some(1200)), (9000, "terminate", Some(10200))],
    );
    check(
        "a service that forgets every other reading and moves its time",
        &[
            first,
            (20, NotFound),
            (40, Going("terminate", 1240)),
            (60, NotFound),
            (80, Going("terminate", 1280)),
        ],
        &[(0, "terminate", Some(1200))],
    );
}

#[test]
fn a_hundred_readings_are_one_notice_also_where_the_time_moves_with_each() {
    let standing: Vec<_> = (0..100).map(|i| (i * 20, Going("terminate", 1200))).collect();
    check("standing", &standing, &[(0, "terminate", Some(1200))]);
    for step in [1, 3, 10, 20, 50] {
        let moving: Vec<_> = (0..100)
            .map(|i| (i * 20, Going("terminate", 1200 + i * step)))
            .collect();
        let heard = said(&moving);
        // A tenth of a second at a reading stands for ten seconds, once it is more than a second off.
        let most = if step == 1 { 1 + 100 / 5 } else { 1 };
        assert!(heard.len() <= most, "step {step}: {heard:?}");
        for pair in heard.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= 100, "twice in ten seconds: {heard:?}");
        }
    }
}

#[test]
fn rebalance_is_said_once_an_episode() {
    let recommended = |text: &str| {
        Reading::Present(Rebalance {
            notice_time: text.parse().ok(),
            detail: serde_json::Map::new(),
        })
    };
    let (one, other) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    let mut state = Said::default();
    let mut heard = Vec::new();
    for (second, rebalance) in [
        (0, Reading::Absent),
        (2, recommended(one)),
        (4, recommended(one)),
        (6, recommended(other)),
        (8, Reading::Unknown),
        (10, Reading::Absent),
        (12, recommended(one)),
        (14, Reading::Absent),
        (16, recommended(other)),
    ] {
        let seen = Observation {
            at: at(second * 10),
            interruption: Reading::Absent,
            rebalance,
        };
        let (next, facts) = state.decide(&seen);
        state = next;
        heard.extend(facts.iter().map(|_| second));
    }
    assert_eq!(heard, [2, 16]);
}

#[test]
fn both_may_be_said_in_one_round() {
    let seen = Observation {
        at: at(0),
        interruption: going("terminate", Some(at(1200))),
        rebalance: Reading::Present(Rebalance {
            notice_time: None,
            detail: serde_json::Map::new(),
        }),
    };
    let (state, facts) = Said::default().decide(&seen);
    assert_eq!(facts.len(), 2);
    assert_eq!(state.decide(&seen).1, []);
}
