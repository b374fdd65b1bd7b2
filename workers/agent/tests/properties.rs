//! What holds for any bytes and any sequence of answers.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use hollowtrees_agent::{
    decide::{Observation, Reading, Said},
    document::{Document, Heard, Pauses, When, Word, alibaba, azure, ec2, gcp},
};
use hollowtrees_schemas::names::{certainty, kind, state};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const START: i64 = 1_767_225_600;

fn word(action: &str, when: When) -> Word {
    Word {
        slot: String::new(),
        kind: kind::SPOT_INTERRUPTION,
        certainty: certainty::CERTAIN,
        action: action.to_owned(),
        event_id: String::new(),
        when,
        stamp: None,
        over: false,
        detail: serde_json::Map::new(),
    }
}

fn reading() -> impl Strategy<Value = Reading> {
    let present = (
        prop::sample::select(vec!["terminate", "stop"]),
        prop::option::weighted(0.9, 0..300_i64),
    );
    let time = |after| When::At(Timestamp::from_second(START + after).unwrap());
    prop_oneof![
        6 => present.prop_map(move |(action, after)| {
            Reading::Says(vec![word(action, after.map_or(When::Unknown, time))].into())
        }),
        1 => Just(Reading::Absent),
        1 => Just(Reading::Unknown),
    ]
}

/// Every parser of a document over the same bytes.
fn parse_all(body: &[u8]) -> Vec<Heard> {
    let parsed = [
        ec2::instance_action(body),
        ec2::termination_time(body),
        ec2::rebalance(body),
        ec2::maintenance(body),
        ec2::lifecycle(body),
        gcp::preempted(body, Some(SignedDuration::from_secs(30))),
        gcp::maintenance_event(body, Some("etag"), Pauses::Advisory),
        azure::events(body, "vm", Pauses::Advisory),
        alibaba::termination_time(body),
    ];
    drop((
        ec2::identity(body),
        ec2::instance_id(body),
        azure::identity(body),
        alibaba::identity(body),
    ));
    let some = Some(bytes::Bytes::copy_from_slice(body));
    drop(gcp::identity(&[
        some.clone(),
        some.clone(),
        some.clone(),
        some.clone(),
        some,
    ]));
    parsed.into_iter().flatten().collect()
}

/// What may go on the bus: bounded, printable words.
fn is_sayable(word: &Word) -> bool {
    let plain = |text: &str, most| text.len() <= most && text.bytes().all(|byte| byte.is_ascii_graphic());
    plain(&word.action, 64) && plain(&word.event_id, 128) && kind::ALL.contains(&word.kind)
}

const EC2_EVENT: &str = r#"[{"NotBefore": "21 Jan 2019 09:00:43 GMT", "Code": "system-reboot", "Description": "x",
    "EventId": "instance-event-0d59937288b749b32", "State": "active"}]"#;
const AZURE_EVENT: &str = r#"{"DocumentIncarnation": 1, "Events": [{"EventId": "C1BF8322", "EventStatus": "Scheduled",
    "EventType": "Preempt", "Resources": ["vm"], "NotBefore": "Tue, 09 Aug 2022 17:07:32 GMT"}]}"#;

proptest! {
    #[test]
    fn no_bytes_break_a_parser(body in prop::collection::vec(any::<u8>(), 0..400)) {
        for heard in parse_all(&body) {
            prop_assert!(heard.words.iter().all(is_sayable), "{heard:?}");
        }
    }

    #[test]
    fn no_json_breaks_a_parser(action in ".{0,80}", time in ".{0,40}", extra in any::<f64>()) {
        let event = serde_json::json!({
            "action": action, "time": time, "noticeTime": extra, "instanceId": action, "vmId": time, "Code": action,
            "EventId": time, "EventType": action, "NotBefore": time, "Resources": [action], "State": time,
        });
        for body in [event.clone(), serde_json::json!([event]), serde_json::json!({"Events": [event]})] {
            let body = body.to_string().into_bytes();
            for heard in parse_all(&body) {
                prop_assert!(heard.words.iter().all(is_sayable), "{heard:?}");
            }
            if let Ok(heard) = ec2::instance_action(&body) {
                prop_assert_eq!(&heard.words[0].action, action.trim());
            }
        }
    }

    /// Of a document with a byte changed or its end cut off nothing is silently lost: the event is read, or the document
    /// is said to be no good, or it still is one and says something else.
    #[test]
    fn a_damaged_list_of_events_is_read_or_told(
        at in any::<prop::sample::Index>(), byte in prop::option::of(any::<u8>()), azure in any::<bool>(),
    ) {
        let mut body = if azure { AZURE_EVENT } else { EC2_EVENT }.as_bytes().to_vec();
        let at = at.index(body.len());
        match byte {
            Some(byte) => body[at] = byte,
            None => body.truncate(at),
        }
        let read = if azure { azure::events(&body, "vm", Pauses::Ignore) } else { ec2::maintenance(&body) };
        if byte.is_none() {
            prop_assert!(read.is_err(), "half a document: {read:?}");
        } else if let Ok(heard) = read {
            // Only another machine's name, or a type that is ignored, hides an event.
            let named = serde_json::from_slice::<serde_json::Value>(&body).unwrap();
            let of_another = azure && named["Events"][0]["Resources"][0] != "vm";
            prop_assert!(!heard.words.is_empty() || heard.odd.is_some() || of_another, "{heard:?}");
        }
    }

    /// Whatever a list of events says and when it fails: each event is active or not, by turns.
    #[test]
    fn an_event_is_taken_back_once_and_only_where_it_stood(
        readings in prop::collection::vec(prop::option::weighted(0.8, prop::collection::btree_set(0..4_u8, 0..4)), 1..40),
    ) {
        let mut said = Said::default();
        let mut standing = std::collections::BTreeSet::new();
        for (second, reading) in readings.into_iter().enumerate() {
            let events = reading.clone();
            let reading = reading.map_or(Reading::Unknown, |events| {
                let words = events.into_iter().map(|event| Word {
                    slot: event.to_string(),
                    event_id: event.to_string(),
                    ..word("reboot", When::Unknown)
                });
                Reading::Says(words.collect::<Vec<_>>().into())
            });
            let at = Timestamp::from_second(START + i64::try_from(second).unwrap()).unwrap();
            let (next, facts) = said.decide(&Observation { at, document: Document::AzureEvents, reading });
            said = next;
            for fact in facts {
                let event: u8 = fact.event_id.parse().unwrap();
                if fact.state == state::ACTIVE {
                    prop_assert!(standing.insert(event));
                } else {
                    prop_assert!(standing.remove(&event));
                }
            }
            if let Some(events) = events {
                prop_assert_eq!(&standing, &events);
            }
        }
    }

    #[test]
    fn nothing_is_said_twice_and_no_more_than_once_in_ten_seconds_unless_it_is_news(
        readings in prop::collection::vec((1..4_i64, reading()), 1..60),
    ) {
        let mut said = Said::default();
        let mut now = Timestamp::from_second(START).unwrap();
        let mut last: Option<(Timestamp, String, Option<Timestamp>)> = None;
        for (pause, interruption) in readings {
            now += SignedDuration::from_secs(pause);
            let seen = Observation { at: now, document: Document::Ec2Spot, reading: interruption };
            let (next, facts) = said.decide(&seen);
            prop_assert!(facts.len() <= 1);
            // The same answer at the same moment says nothing more.
            prop_assert_eq!(next.decide(&seen).1, vec![]);
            said = next;
            let present = match &seen.reading {
                Reading::Says(heard) => heard.words.first(),
                Reading::Absent | Reading::Unknown => None,
            };
            if let Some(fact) = facts.into_iter().next() {
                let (action, deadline, noticed_at) = (fact.action, fact.deadline, fact.noticed_at);
                prop_assert!(present.is_some());
                if let Some((at, before, standing)) = &last {
                    let tighter = deadline < *standing;
                    let known_now = standing.is_none() && deadline.is_some();
                    let news = *before != action || tighter || known_now;
                    let ten_seconds = noticed_at.duration_since(*at) >= SignedDuration::from_secs(10);
                    prop_assert!(news || ten_seconds, "{at}: {before} {standing:?}, {noticed_at}: {action} {deadline:?}");
                }
                last = Some((noticed_at, action, deadline));
            } else if let Some(present) = present {
                // What is not said is standing already, or later than what stands.
                let (_, action, standing) = last.clone().unwrap();
                prop_assert_eq!(&action, &present.action);
                if let (Some(standing), When::At(given)) = (standing, present.when) {
                    prop_assert!(given >= standing - SignedDuration::from_secs(1));
                }
            }
        }
    }
}
