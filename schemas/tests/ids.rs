//! Ids: the same content gives the same id, today and in every later version; other content gives another.

#![allow(clippy::expect_used, reason = "test code: to fail is its job")]

use std::collections::HashSet;
use std::str::FromStr as _;

use hollowtrees_schemas::id::{ActionId, Hash, IncidentKey, MessageId, NoticeId, RunId, traceparent};
use hollowtrees_schemas::proto::Notice;
use pbjson_types::Timestamp;
use proptest::prelude::*;

fn notice() -> Notice {
    Notice {
        cluster: "prod".to_owned(),
        provider: "aws".to_owned(),
        account: "001234567890".to_owned(),
        region: "eu-west-1".to_owned(),
        instance: "i-0abc".to_owned(),
        kind: "spot-interruption".to_owned(),
        provider_action: "terminate".to_owned(),
        deadline: Some(Timestamp {
            seconds: 1_767_225_600,
            nanos: 0,
        }),
        ..Notice::default()
    }
}

/// Changing how an id is made makes every message under way a new one: never.
#[test]
fn ids_never_change() {
    let incident = IncidentKey::new("prod", "i-0abc", "live");
    let run = RunId::of(&incident, 1, "spot", "certain");
    let message = MessageId::of("/aws/001234567890/eu-west-1/imds", "x");
    let found = [
        Hash::new("a").field("b").number(1).finish(),
        NoticeId::of(&notice()).to_string(),
        run.to_string(),
        ActionId::per_instance(&incident, 1, "drain", "certain").to_string(),
        ActionId::per_action(&run, 1, 0).to_string(),
        message.to_string(),
        traceparent(&incident, &message),
    ];
    let expected = [
        "28099cf1641b0a42e6afc2733ab2f931",
        "51c588c3f2ebad3c079f3fd78e916f85",
        "1df01d356781fcd6b55ed1f5978c63dc",
        "7dac5f6aa1428f96930c9485915d271a",
        "0aa798296fcb2bdeafa260d3adbc52eb",
        "27c928d9b8e06b85d99a0623f683d0a9",
        "00-b56c7c12866c0f5167a79d22d07b61ca-27c928d9b8e06b85-01",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_notice_is_its_content() {
    let id = NoticeId::of(&notice());
    let check = |what: &str, same: bool, change: fn(&mut Notice)| {
        let mut changed = notice();
        change(&mut changed);
        assert_eq!(NoticeId::of(&changed) == id, same, "{what}");
    };
    check("active is the default", true, |notice| {
        notice.state = "active".to_owned();
    });
    check("live is the default", true, |notice| {
        notice.mode = "live".to_owned();
    });
    check("what else the origin knows", true, |notice| {
        notice.node = "ip-10-0-0-1".to_owned();
        notice.region = "eu-west-2".to_owned();
        notice.noticed_at = Some(Timestamp { seconds: 1, nanos: 0 });
        notice.certainty = "certain".to_owned();
    });
    check("cluster", false, |notice| notice.cluster.push('x'));
    check("provider", false, |notice| notice.provider.push('x'));
    check("account", false, |notice| notice.account.push('x'));
    check("instance", false, |notice| notice.instance.push('x'));
    check("kind", false, |notice| notice.kind.push('x'));
    check("state", false, |notice| notice.state = "cancelled".to_owned());
    check("mode", false, |notice| notice.mode = "test".to_owned());
    check("provider action", false, |notice| {
        notice.provider_action = "stop".to_owned();
    });
    check("an event id of the same word", false, |notice| {
        notice.event_id = "terminate".to_owned();
    });
    check("deadline", false, |notice| {
        notice.deadline = Some(Timestamp {
            seconds: 1_767_225_601,
            nanos: 0,
        });
    });
    check("no deadline", false, |notice| notice.deadline = None);
    let with_event = Notice {
        event_id: "e1".to_owned(),
        ..notice()
    };
    let other_action = Notice {
        provider_action: "stop".to_owned(),
        ..with_event.clone()
    };
    assert_eq!(
        NoticeId::of(&with_event),
        NoticeId::of(&other_action),
        "an event id stands for the action"
    );
}

#[test]
fn only_ids_parse() {
    let id = NoticeId::of(&notice());
    assert_eq!(NoticeId::from_str(id.as_str()), Ok(id.clone()));
    for refused in [
        "",
        "abc",
        &id.as_str().to_uppercase(),
        &format!("{id}0"),
        &id.as_str().replacen(char::is_alphanumeric, "g", 1),
    ] {
        let error = ActionId::from_str(refused).expect_err("no id");
        assert!(error.to_string().contains("no action id"), "{error}");
    }
}

#[test]
fn kinds_of_ids_never_meet() {
    let incident = IncidentKey::new("c", "i", "live");
    let run = RunId::of(&incident, 1, "drain", "certain");
    let ids: HashSet<String> = [
        run.to_string(),
        ActionId::per_instance(&incident, 1, "drain", "certain").to_string(),
        ActionId::per_action(&run, 0, 0).to_string(),
        ActionId::per_action(&run, 0, 1).to_string(),
        ActionId::per_action(&run, 1, 0).to_string(),
        MessageId::of("c", "i").to_string(),
    ]
    .into();
    assert_eq!(ids.len(), 6);
}

proptest! {
    #[test]
    fn fields_never_run_into_each_other(left in prop::collection::vec(any::<String>(), 0..4), right in prop::collection::vec(any::<String>(), 0..4)) {
        let hash = |fields: &[String]| fields.iter().fold(Hash::new("test"), Hash::field).finish();
        prop_assert_eq!(hash(&left) == hash(&right), left == right);
    }

    #[test]
    fn messages_are_told_apart_by_source_and_id(left in any::<(String, String)>(), right in any::<(String, String)>()) {
        prop_assert_eq!(MessageId::of(&left.0, &left.1) == MessageId::of(&right.0, &right.1), left == right);
    }

    #[test]
    fn one_incident_is_one_trace(cluster in any::<String>(), instance in any::<String>(), one in any::<String>(), two in any::<String>()) {
        let incident = IncidentKey::new(cluster, instance, "");
        let [left, right] = [one, two].map(|id| traceparent(&incident, &MessageId::of("/s", &id)));
        prop_assert_eq!(left.get(..36), right.get(..36));
        prop_assert_eq!(left.len(), 55);
        prop_assert!(left.starts_with("00-") && left.ends_with("-01"));
    }
}
