//! Every sequence of answers of the metadata service, and what is said about it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use hollowtrees_agent::{
    decide::{Fact, Observation, Reading, Said},
    document::{Document, Heard, When, Word},
};
use hollowtrees_schemas::names::{certainty, kind};
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

fn word(kind: &'static str, slot: &str, action: &str, when: When) -> Word {
    Word {
        slot: slot.to_owned(),
        kind,
        certainty: certainty::CERTAIN,
        action: action.to_owned(),
        event_id: slot.to_owned(),
        when,
        stamp: None,
        over: false,
        detail: serde_json::Map::new(),
    }
}

fn says(words: Vec<Word>) -> Reading {
    Reading::Says(words.into())
}

fn going(action: &str, time: Option<Timestamp>) -> Reading {
    let when = time.map_or(When::Unknown, When::At);
    says(vec![word(kind::SPOT_INTERRUPTION, "", action, when)])
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
            document: Document::Ec2Spot,
            reading: interruption,
        });
        state = next;
        let told = |fact: Fact| {
            assert_eq!((fact.kind, fact.state), (kind::SPOT_INTERRUPTION, "active"));
            (tenths(fact.noticed_at), fact.action, fact.deadline.map(tenths))
        };
        all.extend(facts.into_iter().map(told));
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
        says(vec![Word {
            stamp: text.parse().ok(),
            ..word(kind::REBALANCE_RECOMMENDATION, "", "", When::Unknown)
        }])
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
            document: Document::Ec2Rebalance,
            reading: rebalance,
        };
        let (next, facts) = state.decide(&seen);
        state = next;
        heard.extend(facts.iter().map(|_| second));
    }
    assert_eq!(heard, [2, 16]);
}

/// What is done to the only event of a document that withdraws, and what is said then: (when, state, deadline).
#[track_caller]
fn event(name: &str, readings: &[(i64, Reading)], expected: &[(i64, &str, Option<i64>)]) {
    let tenths = |time: Timestamp| i64::try_from(time.duration_since(at(0)).as_millis() / 100).unwrap();
    let mut state = Said::default();
    let mut found = Vec::new();
    for (now, reading) in readings {
        let seen = Observation {
            at: at(*now),
            document: Document::AzureEvents,
            reading: reading.clone(),
        };
        let (next, facts) = state.decide(&seen);
        assert_eq!(next.decide(&seen).1, [], "{name}: twice");
        state = next;
        for fact in facts {
            assert_eq!(fact.event_id, "e1", "{name}");
            found.push((tenths(fact.noticed_at), fact.state, fact.deadline.map(tenths)));
        }
    }
    assert_eq!(found, expected, "{name}");
}

#[test]
fn events_that_change_begin_and_go() {
    let with = |when| says(vec![word(kind::SCHEDULED_MAINTENANCE, "e1", "reboot", when)]);
    let scheduled = |tenths| with(When::At(at(tenths)));
    let begun = || with(When::Begun);
    let none = || says(Vec::new());
    let over = |time| {
        let mut word = word(kind::SCHEDULED_MAINTENANCE, "e1", "reboot", time);
        word.over = true;
        says(vec![word])
    };
    let odd = || {
        Reading::Says(Heard {
            odd: hollowtrees_agent::document::azure::events(
                b"",
                "vm",
                hollowtrees_agent::document::Pauses::Ignore,
            )
            .err(),
            ..Heard::default()
        })
    };
    event(
        "vanishes",
        &[(0, scheduled(9000)), (20, none()), (40, none())],
        &[(0, "active", Some(9000)), (20, "cancelled", Some(9000))],
    );
    event(
        "never there",
        &[(0, none()), (20, Reading::Absent), (40, Reading::Unknown)],
        &[],
    );
    event(
        "stands while nothing is known, where the document is gone, and where it cannot be read whole",
        &[
            (0, scheduled(9000)),
            (20, Reading::Unknown),
            (40, Reading::Absent),
            (60, odd()),
            (80, scheduled(9000)),
        ],
        &[(0, "active", Some(9000))],
    );
    event(
        "said to be over",
        &[(0, scheduled(9000)), (20, over(When::Unknown)), (40, none())],
        &[(0, "active", Some(9000)), (20, "cancelled", Some(9000))],
    );
    event(
        "over before it was seen",
        &[(0, over(When::At(at(9000)))), (20, none())],
        &[(0, "cancelled", Some(9000))],
    );
    let twice = || {
        let word = word(kind::SCHEDULED_MAINTENANCE, "e1", "reboot", When::At(at(9000)));
        let mut again = word.clone();
        again.over = true;
        says(vec![word, again])
    };
    event(
        "there twice, once as over",
        &[(0, twice()), (20, twice())],
        &[(0, "active", Some(9000))],
    );
    event(
        "comes back",
        &[(0, scheduled(9000)), (20, none()), (40, scheduled(9900))],
        &[
            (0, "active", Some(9000)),
            (20, "cancelled", Some(9000)),
            (40, "active", Some(9900)),
        ],
    );
    event(
        "tighter, then later",
        &[
            (0, scheduled(9000)),
            (20, scheduled(6000)),
            (40, scheduled(9500)),
            (140, scheduled(9500)),
        ],
        &[
            (0, "active", Some(9000)),
            (20, "active", Some(6000)),
            (140, "active", Some(9500)),
        ],
    );
    event(
        "begins when it was to",
        &[(0, scheduled(300)), (301, begun()), (320, begun()), (340, none())],
        &[(0, "active", Some(300)), (340, "cancelled", Some(300))],
    );
    event(
        "begins early",
        &[(0, scheduled(9000)), (20, begun()), (40, begun())],
        &[(0, "active", Some(9000)), (20, "active", Some(20))],
    );
    event(
        "had begun when it was first seen",
        &[(0, begun()), (20, begun())],
        &[(0, "active", None)],
    );
}

#[test]
fn a_time_counted_from_when_it_was_seen_is_said_once() {
    let seen = |now, when| Observation {
        at: at(now),
        document: Document::GcpPreempted,
        reading: says(vec![word(kind::PREEMPTED, "", "preempt", when)]),
    };
    let after = When::In(SignedDuration::from_secs(30));
    let (state, facts) = Said::default().decide(&seen(0, after));
    assert_eq!(facts[0].deadline, Some(at(300)));
    assert_eq!(
        state.going(Document::GcpPreempted),
        Some(("preempt", Some(at(300))))
    );
    for (now, when) in [(20, after), (40, When::Unknown), (9000, after)] {
        assert_eq!(state.decide(&seen(now, when)).1, []);
    }
}

#[test]
fn an_event_in_the_place_of_another_takes_that_back() {
    let seen = |now, words: Vec<Word>| Observation {
        at: at(now),
        document: Document::GcpMaintenance,
        reading: says(words),
    };
    let event = |id: &str, action| {
        let mut word = word(kind::SCHEDULED_MAINTENANCE, "", action, When::Unknown);
        word.event_id = id.to_owned();
        vec![word]
    };
    let mut state = Said::default();
    let mut told = Vec::new();
    for (now, words) in [
        (0, event("e1", "migrate")),
        (20, event("e2", "terminate")),
        (40, Vec::new()),
        (60, event("e3", "migrate")),
    ] {
        let (next, facts) = state.decide(&seen(now, words));
        state = next;
        told.extend(
            facts
                .into_iter()
                .map(|fact| (fact.event_id, fact.action, fact.state)),
        );
    }
    let expected = [
        ("e1", "migrate", "active"),
        ("e2", "terminate", "active"),
        ("e1", "migrate", "cancelled"),
        ("e2", "terminate", "cancelled"),
        ("e3", "migrate", "active"),
    ];
    assert_eq!(
        told,
        expected.map(|(id, action, state)| (id.to_owned(), action.to_owned(), state))
    );
}

#[test]
fn documents_do_not_touch_each_other() {
    let seen = |document, reading| Observation {
        at: at(0),
        document,
        reading,
    };
    let (state, first) = Said::default().decide(&seen(Document::Ec2Spot, going("terminate", Some(at(1200)))));
    let reboot = word(
        kind::SCHEDULED_MAINTENANCE,
        "e1",
        "system-reboot",
        When::At(at(99)),
    );
    let (state, second) = state.decide(&seen(Document::Ec2Maintenance, says(vec![reboot])));
    assert_eq!((first.len(), second.len()), (1, 1));
    let (state, facts) = state.decide(&seen(Document::Ec2Lifecycle, says(Vec::new())));
    assert_eq!(facts, []);
    let (state, facts) = state.decide(&seen(Document::Ec2Maintenance, says(Vec::new())));
    assert_eq!(facts.len(), 1);
    assert_eq!(
        state.going(Document::Ec2Spot),
        Some(("terminate", Some(at(1200))))
    );
}
