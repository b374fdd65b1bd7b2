//! Our messages as events: the attributes follow from the content, and every form reads the same.

#![allow(clippy::expect_used, reason = "test code: to fail is its job")]

use cloudevents::{AttributesReader as _, Data};
use hollowtrees_schemas::codec::{DecodeError, Wire, decode, encode_binary};
use hollowtrees_schemas::envelope::{self, DataFormat, Envelope, Message};
use hollowtrees_schemas::id::{ActionId, IncidentKey, MessageId, NoticeId, RunId};
use hollowtrees_schemas::names::{kind, result, when_expired};
use hollowtrees_schemas::outgoing;
use hollowtrees_schemas::proto::time::to_proto;
use hollowtrees_schemas::proto::{Action, Incident, Notice, Outcome, Run, Target, Times};
use hollowtrees_schemas::subject::{IncidentEvent, RunEvent};
use jiff::Timestamp;
use pbjson_types::value::Kind;
use pbjson_types::{Struct, Value};

const SOURCE: &str = "/aws/001234567890/eu-west-1/imds";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn some(text: &str) -> Option<pbjson_types::Timestamp> {
    Some(to_proto(at(text)))
}

fn a_notice() -> Notice {
    Notice {
        cluster: "prod.eu".to_owned(),
        provider: "aws".to_owned(),
        account: "001234567890".to_owned(),
        instance: "i-0abc".to_owned(),
        kind: kind::SPOT_INTERRUPTION.to_owned(),
        provider_action: "terminate".to_owned(),
        noticed_at: some("2026-01-31T11:58:00.123Z"),
        deadline: some("2026-01-31T12:00:00Z"),
        labels: [("team".to_owned(), "örange".to_owned())].into(),
        ..Notice::default()
    }
}

fn an_action() -> Action {
    let incident = IncidentKey::from(&a_notice());
    let strategy = Value {
        kind: Some(Kind::StringValue("swap".to_owned())),
    };
    Action {
        id: ActionId::per_instance(&incident, 1, kind::DRAIN, "certain").to_string(),
        cluster: "prod.eu".to_owned(),
        kind: kind::DRAIN.to_owned(),
        instance: "i-0abc".to_owned(),
        generation: 1,
        certainty: "certain".to_owned(),
        mode: "live".to_owned(),
        effect: "per-instance".to_owned(),
        rule: "spot".to_owned(),
        created_at: some("2026-01-31T11:58:00.2Z"),
        deadline: some("2026-01-31T12:00:00Z"),
        close_at: some("2026-01-31T12:05:00Z"),
        when_expired: when_expired::SKIP.to_owned(),
        params: Some(Struct {
            fields: [("strategy".to_owned(), strategy)].into(),
        }),
        target: Some(Target {
            node: "ip-10-0-0-1".to_owned(),
            ..Target::default()
        }),
        ..Action::default()
    }
}

fn an_outcome() -> Outcome {
    Outcome {
        action_id: an_action().id,
        cluster: "prod.eu".to_owned(),
        kind: kind::DRAIN.to_owned(),
        instance: "i-0abc".to_owned(),
        generation: 1,
        result: result::SUCCEEDED.to_owned(),
        attempt: 1,
        times: Some(Times {
            ended_at: some("2026-01-31T11:59:00Z"),
            ..Times::default()
        }),
        ..Outcome::default()
    }
}

fn an_incident() -> Incident {
    Incident {
        schema: 1,
        cluster: "prod.eu".to_owned(),
        instance: "i-0abc".to_owned(),
        mode: "live".to_owned(),
        generation: 1,
        opened_at: some("2026-01-31T11:58:00Z"),
        closed_at: some("2026-01-31T12:10:00Z"),
        changes: 4,
        ..Incident::default()
    }
}

fn a_run() -> Run {
    Run {
        schema: 1,
        cluster: "prod.eu".to_owned(),
        instance: "i-0abc".to_owned(),
        generation: 1,
        rule: "spot".to_owned(),
        certainty: "certain".to_owned(),
        result: result::SUCCEEDED.to_owned(),
        started_at: some("2026-01-31T11:58:00Z"),
        finished_at: some("2026-01-31T11:59:30Z"),
        ..Run::default()
    }
}

/// The same event whether written by the envelope or by the SDK's `Event`, in either format and mode.
fn check_round_trips<T: Message>(written: &Envelope<T>) {
    for format in [DataFormat::Json, DataFormat::Protobuf] {
        let wire = written.encode(format).expect("legal");
        assert_eq!(&Envelope::<T>::decode(&wire).expect("what was written"), written);

        let event = decode(&wire).expect("what was written");
        assert_eq!(event.ty(), T::TYPE);
        let by_sdk = encode_binary(&event).expect("legal");
        let sorted = |wire: &Wire| {
            let mut headers = wire.headers.clone();
            headers.sort();
            (headers, wire.body.clone())
        };
        assert_eq!(sorted(&by_sdk), sorted(&wire));

        let structured = serde_json::to_vec(&event).expect("JSON");
        let structured = Wire {
            headers: vec![],
            body: structured.into(),
        };
        assert_eq!(
            &Envelope::<T>::decode(&structured).expect("structured, data_base64"),
            written
        );
    }
    let mut event = decode(&written.encode(DataFormat::Json).expect("legal")).expect("what was written");
    let data = serde_json::to_value(&written.data).expect("JSON");
    event.set_data_unchecked(Data::Json(data));
    let structured = Wire {
        headers: vec![],
        body: serde_json::to_vec(&event).expect("JSON").into(),
    };
    assert_eq!(
        &Envelope::<T>::decode(&structured).expect("structured, data"),
        written
    );
}

#[test]
fn every_message_comes_back() {
    check_round_trips(&envelope::notice(a_notice(), SOURCE));
    check_round_trips(&envelope::action(an_action(), "/hollowtrees/router"));
    check_round_trips(&envelope::outcome(an_outcome(), "/hollowtrees/drain"));
    check_round_trips(&envelope::incident(
        IncidentEvent::Opened,
        an_incident(),
        "/hollowtrees/router",
    ));
    check_round_trips(&envelope::run(RunEvent::Finished, a_run(), "/hollowtrees/router"));
    let mut extended = envelope::notice(a_notice(), SOURCE);
    extended
        .extensions
        .insert("severitytext".to_owned(), "WARN — now".to_owned());
    check_round_trips(&extended);
}

#[test]
fn a_notice_on_the_wire() {
    let envelope = envelope::notice(a_notice(), SOURCE);
    let out = outgoing::notice(&envelope, DataFormat::Json).expect("legal");
    assert_eq!(
        out.subject.to_string(),
        "ht.notice.v1.prod=2Eeu.spot-interruption.i-0abc"
    );
    let id = NoticeId::of(&a_notice());
    assert_eq!(out.message_id, MessageId::of(SOURCE, id.as_str()));
    let traceparent = envelope.traceparent.expect("a trace");
    let expected = [
        ("ce-specversion", "1.0"),
        ("ce-id", id.as_str()),
        ("ce-source", SOURCE),
        ("ce-type", "io.hollowtrees.notice.v1"),
        ("ce-datacontenttype", "application/json"),
        ("ce-dataschema", "https://hollowtrees.io/schemas/v1/notice"),
        ("ce-subject", "i-0abc"),
        ("ce-time", "2026-01-31T11:58:00.123Z"),
        ("ce-expirytime", "2026-01-31T12:00:00Z"),
        ("ce-partitionkey", "i-0abc"),
        ("ce-traceparent", &traceparent),
    ];
    assert_eq!(
        out.wire.headers,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(
        std::str::from_utf8(&out.wire.body).expect("UTF-8"),
        concat!(
            r#"{"cluster":"prod.eu","provider":"aws","account":"001234567890","instance":"i-0abc","#,
            r#""kind":"spot-interruption","providerAction":"terminate","noticedAt":"2026-01-31T11:58:00.123Z","#,
            r#""deadline":"2026-01-31T12:00:00Z","labels":{"team":"örange"}}"#
        )
    );
}

#[test]
fn ids_follow_from_content() {
    let action = |redrive| {
        envelope::action(
            Action {
                redrive,
                ..an_action()
            },
            "/r",
        )
        .id
    };
    let id = an_action().id;
    assert_eq!(action(0), id);
    assert_eq!(action(2), format!("{id}.r2"));

    let outcome = |change: fn(&mut Outcome)| {
        let mut changed = an_outcome();
        change(&mut changed);
        envelope::outcome(changed, "/d").id
    };
    assert_eq!(outcome(|_| ()), format!("{id}.succeeded"));
    assert_eq!(
        outcome(|outcome| outcome.late = true),
        format!("{id}.succeeded.late")
    );
    assert_eq!(
        outcome(|outcome| outcome.redrive = 1),
        format!("{id}.r1.succeeded")
    );
    let progress = outcome(|outcome| {
        outcome.result = result::PROGRESS.to_owned();
        outcome.reason = "cordoned".to_owned();
        outcome.attempt = 3;
    });
    assert_eq!(progress, format!("{id}.progress.cordoned.3"));

    let run_id = RunId::of(&IncidentKey::from(&a_run()), 1, "spot", "certain");
    assert_eq!(
        envelope::run(RunEvent::Started, a_run(), "/r").id,
        format!("{run_id}.started")
    );
    assert_eq!(
        envelope::run(RunEvent::Finished, a_run(), "/r").id,
        format!("{run_id}.finished.succeeded")
    );

    let incident = |event, changes| {
        envelope::incident(
            event,
            Incident {
                changes,
                ..an_incident()
            },
            "/r",
        )
        .id
    };
    assert_eq!(
        incident(IncidentEvent::Changed, 4),
        incident(IncidentEvent::Changed, 4)
    );
    assert_ne!(
        incident(IncidentEvent::Changed, 4),
        incident(IncidentEvent::Changed, 5)
    );
    assert_ne!(
        incident(IncidentEvent::Changed, 4),
        incident(IncidentEvent::Closed, 4)
    );
}

#[test]
fn an_action_expires_when_no_one_should_start_it() {
    let expiry = |change: fn(&mut Action)| {
        let mut changed = an_action();
        change(&mut changed);
        envelope::action(changed, "/r").expirytime
    };
    assert_eq!(expiry(|_| ()), Some(at("2026-01-31T12:00:00Z")));
    let run = expiry(|action| action.when_expired = when_expired::RUN.to_owned());
    assert_eq!(run, Some(at("2026-01-31T12:05:00Z")));
    assert_eq!(
        expiry(|action| action.deadline = None),
        Some(at("2026-01-31T12:05:00Z"))
    );
    let none = expiry(|action| {
        action.deadline = None;
        action.close_at = None;
    });
    assert_eq!(none, None);
}

#[test]
fn all_messages_of_an_incident_share_its_trace() {
    let traces = [
        envelope::notice(a_notice(), SOURCE).traceparent,
        envelope::notice(a_notice(), "/other/origin").traceparent,
        envelope::action(an_action(), "/r").traceparent,
        envelope::outcome(an_outcome(), "/d").traceparent,
        envelope::incident(IncidentEvent::Closed, an_incident(), "/r").traceparent,
        envelope::run(RunEvent::Started, a_run(), "/r").traceparent,
    ];
    let [first, ..] = &traces;
    let trace = |traceparent: &Option<String>| {
        traceparent
            .as_deref()
            .and_then(|text| text.get(..36))
            .map(str::to_owned)
    };
    assert!(
        traces
            .iter()
            .all(|traceparent| trace(traceparent).is_some() && trace(traceparent) == trace(first))
    );
    let test = envelope::notice(
        Notice {
            mode: "test".to_owned(),
            ..a_notice()
        },
        SOURCE,
    );
    assert_ne!(
        trace(&test.traceparent),
        trace(first),
        "a test is no part of the live story"
    );
}

#[test]
fn subjects_follow_from_content() {
    let check = |out: outgoing::Outgoing, expected: &str| assert_eq!(out.subject.to_string(), expected);
    let json = DataFormat::Json;
    let action = outgoing::action(&envelope::action(an_action(), "/r"), json).expect("legal");
    check(action, "ht.action.v1.prod=2Eeu.drain.i-0abc");
    let outcome = outgoing::outcome(&envelope::outcome(an_outcome(), "/d"), json).expect("legal");
    check(outcome, "ht.outcome.v1.prod=2Eeu.drain.succeeded.i-0abc");
    let closed = IncidentEvent::Closed;
    let incident =
        outgoing::incident(closed, &envelope::incident(closed, an_incident(), "/r"), json).expect("legal");
    check(incident, "ht.incident.v1.prod=2Eeu.closed.i-0abc");
    let run = outgoing::run(
        RunEvent::Started,
        &envelope::run(RunEvent::Started, a_run(), "/r"),
        json,
    )
    .expect("legal");
    check(run, "ht.run.v1.prod=2Eeu.started.i-0abc");
}

#[test]
fn what_is_not_the_message_is_refused() {
    let wire = envelope::notice(a_notice(), SOURCE)
        .encode(DataFormat::Json)
        .expect("legal");
    let with = |name: &str, value: &str| {
        let mut changed = wire.clone();
        changed.headers.retain(|(found, _)| found != name);
        changed.headers.push((name.to_owned(), value.to_owned()));
        changed
    };
    let refused = |wire: &Wire| Envelope::<Notice>::decode(wire).expect_err("refused");

    assert!(matches!(
        Envelope::<Action>::decode(&wire),
        Err(DecodeError::Type { .. })
    ));
    assert!(matches!(
        refused(&with("ce-type", "io.hollowtrees.notice.v2")),
        DecodeError::Type { .. }
    ));
    assert!(matches!(
        refused(&with("ce-datacontenttype", "text/plain")),
        DecodeError::DataFormat { .. }
    ));
    assert!(matches!(
        refused(&with("ce-datacontenttype", "application/protobuf")),
        DecodeError::DataProtobuf { .. }
    ));
    assert!(matches!(
        refused(&with("ce-expirytime", "later")),
        DecodeError::Attribute { .. }
    ));
    let body = |body: &'static str| Wire {
        body: body.into(),
        ..wire.clone()
    };
    assert!(matches!(refused(&body("")), DecodeError::NoData { .. }));
    assert!(matches!(refused(&body("[]")), DecodeError::DataJson { .. }));
    assert!(matches!(
        refused(&body(r#"{"deadline":"soon"}"#)),
        DecodeError::DataJson { .. }
    ));
}

#[test]
fn tolerant_reading() {
    let envelope = envelope::notice(a_notice(), SOURCE);
    let mut wire = envelope.encode(DataFormat::Json).expect("legal");
    wire.headers
        .retain(|(name, _)| name != "ce-datacontenttype" && name != "ce-dataschema");
    assert_eq!(
        Envelope::<Notice>::decode(&wire).expect("JSON is the default"),
        envelope
    );
    wire.headers.push((
        "content-type".to_owned(),
        "Application/JSON; charset=utf-8".to_owned(),
    ));
    assert_eq!(
        Envelope::<Notice>::decode(&wire).expect("a plain content type"),
        envelope
    );
    let mut wire = envelope.encode(DataFormat::Protobuf).expect("legal");
    for (name, value) in &mut wire.headers {
        if name == "ce-datacontenttype" {
            *value = "application/x-protobuf".to_owned();
        }
    }
    assert_eq!(
        Envelope::<Notice>::decode(&wire).expect("another name of protobuf"),
        envelope
    );
}

#[test]
fn illegal_envelopes_are_not_written() {
    let mut nowhere = envelope::notice(a_notice(), "");
    assert!(
        nowhere
            .encode(DataFormat::Json)
            .expect_err("no source")
            .to_string()
            .contains("`source`: it is empty")
    );
    nowhere.source = envelope::source(&["aws", "my account", "eu/west"]);
    assert_eq!(nowhere.source, "/aws/my%20account/eu%2Fwest");
    assert!(nowhere.encode(DataFormat::Json).is_ok());
    nowhere.data.deadline = Some(pbjson_types::Timestamp {
        seconds: i64::MAX,
        nanos: 0,
    });
    assert!(
        nowhere
            .encode(DataFormat::Json)
            .expect_err("no time")
            .to_string()
            .contains("out of range")
    );
}
