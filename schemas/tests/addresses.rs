//! Tokens, subjects, filters and keys: whatever the names are, what is written is legal, unique, and read back.

#![allow(clippy::expect_used, clippy::panic, reason = "test code: to fail is its job")]

use std::collections::HashSet;
use std::str::FromStr as _;

use hollowtrees_schemas::id::{ActionId, IncidentKey, RunId};
use hollowtrees_schemas::names::{Bucket, Stream};
use hollowtrees_schemas::subject::{IncidentEvent, RunEvent, Subject, SubjectError};
use hollowtrees_schemas::{filter, key, token};
use proptest::prelude::*;

/// Any name: anything at all, and much of what is near the borders of the escape.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-A-Za-z0-9_.*>=% /ü\u{0}]{0,12}",
        "i-[0-9a-f]{17}"
    ]
}

fn subject() -> impl Strategy<Value = Subject> {
    let incident = prop::sample::select(IncidentEvent::ALL.to_vec());
    let run = prop::sample::select(RunEvent::ALL.to_vec());
    let names = || (name(), name(), name());
    prop_oneof![
        names().prop_map(|(cluster, kind, instance)| Subject::Notice {
            cluster,
            kind,
            instance
        }),
        names().prop_map(|(cluster, action, instance)| Subject::Action {
            cluster,
            action,
            instance
        }),
        (names(), name()).prop_map(|((cluster, action, instance), result)| Subject::Outcome {
            cluster,
            action,
            result,
            instance
        }),
        (name(), incident, name()).prop_map(|(cluster, event, instance)| Subject::Incident {
            cluster,
            event,
            instance
        }),
        (name(), run, name()).prop_map(|(cluster, event, instance)| Subject::Run {
            cluster,
            event,
            instance
        }),
        names().prop_map(|(cluster, origin, consumer)| Subject::Dead {
            cluster,
            origin,
            consumer
        }),
    ]
}

/// Whether a NATS subject matches a filter.
fn matches(filter: &str, subject: &str) -> bool {
    let (mut filter, mut subject) = (filter.split('.'), subject.split('.'));
    loop {
        match (filter.next(), subject.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) => return true,
            (Some("*"), Some(_)) => {}
            (Some(left), Some(right)) if left == right => {}
            _ => return false,
        }
    }
}

/// What KV accepts (ADR-8): no empty part, `[-/_=.a-zA-Z0-9]` only.
fn is_kv_key(key: &str) -> bool {
    key.split('.').all(|part| !part.is_empty())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-/_=.".contains(&byte))
}

proptest! {
    #[test]
    fn a_token_gives_its_name_back(name in name()) {
        let token = token::escape(&name);
        prop_assert!(!token.is_empty());
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte)), "{}", token);
        prop_assert_eq!(token::unescape(&token), Ok(name));
    }

    #[test]
    fn only_the_one_token_of_a_name_is_read(text in prop_oneof![any::<String>(), "[=0-9A-Fa-f]{0,9}"]) {
        if let Ok(name) = token::unescape(&text) {
            prop_assert_eq!(token::escape(&name), text);
        }
    }

    #[test]
    fn a_subject_gives_its_names_back(subject in subject()) {
        let text = subject.to_string();
        prop_assert_eq!(Subject::from_str(&text), Ok(subject.clone()));
        let stored: Vec<_> = Stream::ALL
            .into_iter()
            .filter(|stream| stream.subjects().iter().any(|pattern| matches(pattern, &text)))
            .collect();
        prop_assert_eq!(stored, vec![subject.stream()], "{} is stored once", text);
    }

    #[test]
    fn no_text_brings_the_subject_parser_down(text in prop_oneof![any::<String>(), "ht\\.[a-z]{3,8}\\.v[0-9]\\.[-=.A-Z0-9]{0,40}"]) {
        if let Ok(subject) = Subject::from_str(&text) {
            prop_assert_eq!(subject.to_string(), text);
        }
    }

    #[test]
    fn filters_pick_what_they_name(subject in subject(), other in name()) {
        let text = subject.to_string();
        let (mine, all, others) = match &subject {
            Subject::Notice { cluster, .. } =>
                (filter::notices(Some(cluster)), filter::notices(None), filter::notices(Some(&other))),
            Subject::Action { cluster, action, .. } =>
                (filter::actions(Some(cluster), action), filter::actions(None, action), filter::actions(Some(&other), action)),
            Subject::Outcome { cluster, action, result, .. } => (
                filter::outcomes(Some(cluster), Some(action), Some(result)),
                filter::outcomes(None, None, None),
                filter::outcomes(Some(&other), None, Some(result)),
            ),
            Subject::Incident { cluster, .. } =>
                (filter::incidents(Some(cluster)), filter::incidents(None), filter::incidents(Some(&other))),
            Subject::Run { cluster, .. } => (filter::runs(Some(cluster)), filter::runs(None), filter::runs(Some(&other))),
            Subject::Dead { cluster, origin, .. } =>
                (filter::dead(Some(cluster), Some(origin)), filter::dead(None, None), filter::dead(Some(&other), None)),
        };
        prop_assert!(matches(&mine, &text), "{} picks {}", mine, text);
        prop_assert!(matches(&all, &text), "{} picks {}", all, text);
        prop_assert_eq!(matches(&others, &text), other == subject.cluster(), "{} and {}", others, text);
    }

    #[test]
    fn keys_are_legal_and_one_for_each_record(
        left in (name(), name(), name(), 0_u64..20, name(), name()),
        right in (name(), name(), name(), 0_u64..20, name(), name()),
    ) {
        let keys = |(cluster, instance, mode, generation, rule, certainty): &(String, String, String, u64, String, String)| {
            let incident = IncidentKey::new(cluster, instance, mode);
            let run = RunId::of(&incident, *generation, rule, certainty);
            let action = ActionId::per_action(&run, 0, 0);
            (
                vec![key::incident(&incident), key::run(&incident, *generation, rule, certainty), key::ledger(cluster, &action)],
                vec![key::worker(cluster, instance), key::group(cluster, instance, rule)],
            )
        };
        let (left_keys, more) = keys(&left);
        for key in left_keys.iter().chain(&more) {
            prop_assert!(is_kv_key(key), "{} is no KV key", key);
        }
        for key in left_keys.iter().chain(&more) {
            prop_assert!(matches(&key::all_of(&left.0), key));
        }
        if left != right {
            let (right_keys, _) = keys(&right);
            let same_mode = left.2 == right.2 || [&left.2, &right.2].iter().all(|mode| mode.is_empty() || *mode == "live");
            let same_incident = left.0 == right.0 && left.1 == right.1 && same_mode;
            prop_assert_eq!(left_keys.first() == right_keys.first(), same_incident);
            let same_run = same_incident && left.3 == right.3 && left.4 == right.4 && left.5 == right.5;
            prop_assert_eq!(left_keys.get(1) == right_keys.get(1), same_run);
            prop_assert_eq!(left_keys.get(2) == right_keys.get(2), same_run);
        }
    }
}

#[test]
fn tokens_by_example() {
    let check = |name: &str, token: &str| {
        assert_eq!(token::escape(name), token);
        assert_eq!(token::unescape(token).as_deref(), Ok(name));
    };
    check("i-0abc_1", "i-0abc_1");
    check("", "=");
    check("=", "=3D");
    check("prod.eu", "prod=2Eeu");
    check("a b*>", "a=20b=2A=3E");
    check("ü", "=C3=BC");
    for refused in ["", "==", "=2e", "=2", "a=", "=41", "a.b", "=C3", "ü", "=3D="] {
        let error = token::unescape(refused).expect_err(refused).to_string();
        assert!(!error.is_empty());
    }
}

#[test]
fn subjects_by_example() {
    let text = "ht.outcome.v1.prod=2Eeu.drain.succeeded.i-0abc";
    let subject = Subject::Outcome {
        cluster: "prod.eu".to_owned(),
        action: "drain".to_owned(),
        result: "succeeded".to_owned(),
        instance: "i-0abc".to_owned(),
    };
    assert_eq!(subject.to_string(), text);
    assert_eq!(text.parse(), Ok(subject));

    let check = |text: &str, expected: &str| {
        let error = Subject::from_str(text).expect_err(text);
        assert!(error.to_string().contains(expected), "{text}: {error}");
    };
    check("", "none of Hollowtrees'");
    check("ht.notice.v1", "none of Hollowtrees'");
    check("ht.letter.v1.a.b.c", "none of Hollowtrees'");
    check("xx.notice.v1.a.b.c", "none of Hollowtrees'");
    check("ht.notice.v2.a.b.c", "version `v2`");
    check(
        "ht.notice.v1.a.b",
        "has 5 tokens, `ht.notice.v1.<cluster>.<kind>.<instance>` has 6",
    );
    check("ht.notice.v1.a.b.c.d", "has 7 tokens");
    check("ht.notice.v1.a..c", "a token is empty");
    check("ht.notice.v1.a.*.c", "holds '*' unescaped");
    check("ht.incident.v1.a.reopened.c", "event `reopened`");
    check("ht.run.v1.a.opened.c", "known are started, finished");
    assert!(matches!(
        Subject::from_str("ht.run.v1.a.=2e.c"),
        Err(SubjectError::Token { .. })
    ));
}

#[test]
fn keys_by_example() {
    let live = IncidentKey::new("prod", "i-0abc", "");
    let test = IncidentKey::new("prod", "i-0abc", "test");
    assert_eq!(key::incident(&live), "prod.i-0abc");
    assert_eq!(key::incident(&test), "prod.i-0abc.test");
    assert_eq!(
        key::run(&live, 3, "spot", "certain"),
        "prod.i-0abc.3.spot.certain"
    );
    assert_eq!(
        key::run(&test, 3, "spot", "certain"),
        "prod.i-0abc.3-test.spot.certain"
    );
    assert_eq!(key::worker("drain", "a/1"), "drain.a=2F1");
    assert_eq!(
        key::group("123", "eu-west-1", "web.blue"),
        "123.eu-west-1.web=2Eblue"
    );
    assert_eq!(key::all_of("prod"), "prod.>");
}

#[test]
fn names_are_told_apart() {
    let streams: HashSet<_> = Stream::ALL.into_iter().map(Stream::name).collect();
    let buckets: HashSet<_> = Bucket::ALL.into_iter().map(Bucket::name).collect();
    assert_eq!(
        (streams.len(), buckets.len()),
        (Stream::ALL.len(), Bucket::ALL.len())
    );
    for stream in Stream::ALL {
        assert_eq!(Stream::of_name(stream.name()), Some(stream));
    }
    assert_eq!(Stream::of_name("ht_notices"), None);
}
