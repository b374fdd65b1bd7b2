//! What holds for any bytes and any sequence of answers.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use hollowtrees_agent::{
    decide::{Fact, Observation, Reading, Said},
    document::{Identity, InstanceAction, Rebalance},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const START: i64 = 1_767_225_600;

fn reading() -> impl Strategy<Value = Reading<InstanceAction>> {
    let present = (
        prop::sample::select(vec!["terminate", "stop"]),
        prop::option::weighted(0.9, 0..300_i64),
    );
    prop_oneof![
        6 => present.prop_map(|(action, time)| Reading::Present(InstanceAction {
            action: action.to_owned(),
            time: time.map(|after| Timestamp::from_second(START + after).unwrap()),
            detail: serde_json::Map::new(),
        })),
        1 => Just(Reading::Absent),
        1 => Just(Reading::Unknown),
    ]
}

proptest! {
    #[test]
    fn no_bytes_break_a_parser(body in prop::collection::vec(any::<u8>(), 0..400)) {
        drop((InstanceAction::parse(&body), Rebalance::parse(&body), Identity::parse(&body), Identity::from_id(&body)));
    }

    #[test]
    fn no_json_breaks_a_parser(action in ".{0,80}", time in ".{0,40}", extra in any::<f64>()) {
        let body = serde_json::json!({"action": action, "time": time, "noticeTime": extra, "instanceId": action});
        let body = body.to_string().into_bytes();
        let parsed = InstanceAction::parse(&body);
        if let Ok(parsed) = &parsed {
            prop_assert_eq!(&parsed.action, action.trim());
        }
        drop((parsed, Rebalance::parse(&body), Identity::parse(&body)));
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
            let seen = Observation { at: now, interruption, rebalance: Reading::Absent };
            let (next, facts) = said.decide(&seen);
            prop_assert!(facts.len() <= 1);
            // The same answer at the same moment says nothing more.
            prop_assert_eq!(next.decide(&seen).1, vec![]);
            said = next;
            if let Some(Fact::Interruption { action, deadline, noticed_at, .. }) = facts.into_iter().next() {
                prop_assert!(matches!(seen.interruption, Reading::Present(_)));
                if let Some((at, before, standing)) = &last {
                    let tighter = deadline < *standing;
                    let known_now = standing.is_none() && deadline.is_some();
                    let news = *before != action || tighter || known_now;
                    let ten_seconds = noticed_at.duration_since(*at) >= SignedDuration::from_secs(10);
                    prop_assert!(news || ten_seconds, "{at}: {before} {standing:?}, {noticed_at}: {action} {deadline:?}");
                }
                last = Some((noticed_at, action, deadline));
            } else if let Reading::Present(present) = &seen.interruption {
                // What is not said is standing already, or later than what stands.
                let (_, action, standing) = last.clone().unwrap();
                prop_assert_eq!(&action, &present.action);
                if let (Some(standing), Some(given)) = (standing, present.time) {
                    prop_assert!(given >= standing - SignedDuration::from_secs(1));
                }
            }
        }
    }
}
