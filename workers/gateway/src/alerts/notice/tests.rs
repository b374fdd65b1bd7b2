//! Labels to fields, identity, clusters.

use hollowtrees_schemas::id::NoticeId;
use proptest::prelude::*;

use super::*;
use crate::auth::{Scope, Tenant};

const START: &str = "2026-10-01T12:00:00Z";

fn now() -> Timestamp {
    "2026-10-01T12:10:00Z".parse().unwrap()
}

fn alert(labels: &[(&str, &str)]) -> Alert {
    let labels = [&[("alertname", "SpotTerminationNotice")], labels].concat();
    Alert {
        labels: labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        starts_at: START.to_owned(),
        ..Alert::default()
    }
}

fn client(clusters: &[&str]) -> Client {
    let mut client = Client::unlimited("c");
    if !clusters.is_empty() {
        client.scope = Scope::Only(clusters.iter().map(|cluster| (*cluster).to_owned()).collect());
    }
    client
}

fn told(alert: &Alert, client: &Client, cluster: &str) -> Result<proto::Notice, Problem> {
    let labels = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    notice(
        alert,
        &Terms {
            client,
            cluster,
            cluster_labels: &labels(&["cluster_name", "cluster", "cluster_id"]),
            instance_labels: &labels(&["instance_id"]),
            correlation: "corr",
            through: &[("receiver", "hollowtrees")],
            now: now(),
        },
    )
}

/// One alert of an unlimited client: its cluster, provider, instance and node.
fn check(labels: &[(&str, &str)], expected: [&str; 4]) {
    let notice = told(&alert(labels), &client(&[]), "home").unwrap();
    let found = [&notice.cluster, &notice.provider, &notice.instance, &notice.node];
    assert_eq!(found, expected, "{labels:?}");
}

#[track_caller]
fn refused(labels: &[(&str, &str)], client: &Client, cluster: &str, field: &str) -> Problem {
    let problem = told(&alert(labels), client, cluster).unwrap_err();
    assert_eq!(problem.field, field, "{problem}");
    problem
}

#[test]
fn labels_name_cluster_provider_instance_and_node() {
    let id = ("instance_id", "i-0d2aab13057917887");
    check(&[id], ["home", "aws", id.1, ""]);
    check(&[id, ("cluster_name", "prod")], ["prod", "aws", id.1, ""]);
    check(&[id, ("cluster", "prod")], ["prod", "aws", id.1, ""]);
    check(
        &[id, ("cluster_id", "42"), ("org_id", "1")],
        ["42", "aws", id.1, ""],
    );
    check(
        &[id, ("cluster_id", "42"), ("cluster_name", "prod")],
        ["prod", "aws", id.1, ""],
    );
    // The original's drain plugin took `instance` for the node.
    check(
        &[("instance", "ip-10-0-0-1")],
        ["home", "", "ip-10-0-0-1", "ip-10-0-0-1"],
    );
    check(
        &[id, ("instance", "ip-10-0-0-1")],
        ["home", "aws", id.1, "ip-10-0-0-1"],
    );
    check(&[id, ("instance", "10.0.0.1:9189")], ["home", "aws", id.1, ""]);
    check(
        &[id, ("instance", "10.0.0.1:9189"), ("node", "n-1")],
        ["home", "aws", id.1, "n-1"],
    );
    check(&[("node", "n-1")], ["home", "", "n-1", "n-1"]);
    check(
        &[("instance_id", "4520031799277581759")],
        ["home", "gcp", "4520031799277581759", ""],
    );
    check(
        &[("instance_id", "02aab8a4-74ef-476e-8182-f6d2ba4166a6")],
        ["home", "azure", "02aab8a4-74ef-476e-8182-f6d2ba4166a6", ""],
    );
    check(&[id, ("provider", "mine")], ["home", "mine", id.1, ""]);
    check(&[("instance_id", "i-xyz")], ["home", "", "i-xyz", ""]);
}

#[test]
fn the_rest_of_a_notice_comes_from_labels_too() {
    let labels = [
        ("instance_id", "i-0d2aab13057917887"),
        ("account_id", "012345678901"),
        ("region", "eu-west-1"),
        ("availability_zone", "eu-west-1b"),
        ("asg_name", "workers"),
        ("instance_type", "m5.large"),
        (CERTAINTY, "certain"),
        (MODE, "dry-run"),
    ];
    let mut alert = alert(&labels);
    alert
        .annotations
        .insert("summary".to_owned(), "It goes.".to_owned());
    let notice = told(&alert, &client(&[]), "home").unwrap();
    let found = [
        &notice.account,
        &notice.region,
        &notice.zone,
        &notice.group,
        &notice.instance_type,
        &notice.certainty,
        &notice.mode,
        &notice.kind,
        &notice.provider_action,
        &notice.state,
    ];
    assert_eq!(
        found,
        [
            "012345678901",
            "eu-west-1",
            "eu-west-1b",
            "workers",
            "m5.large",
            "certain",
            "dry-run",
            "alert",
            "SpotTerminationNotice",
            "active"
        ]
    );
    assert_eq!(notice.labels["asg_name"], "workers");
    let detail = serde_json::to_value(notice.detail.unwrap()).unwrap();
    assert_eq!(detail["annotations"]["summary"], "It goes.");
    assert_eq!(detail["receiver"], "hollowtrees");
    assert_eq!(detail["correlationId"], "corr");
}

#[test]
fn without_a_word_on_certainty_an_alert_is_advice() {
    let notice = told(&alert(&[("instance_id", "i-1")]), &client(&[]), "home").unwrap();
    let parsed = hollowtrees_domain::notice::Notice::parse(notice, "/alerts/home", now()).unwrap();
    assert_eq!(parsed.certainty.as_str(), "advisory");
    assert_eq!(parsed.deadline, None);
}

#[test]
fn what_is_missing_is_named() {
    let anyone = client(&[]);
    let problem = refused(&[], &anyone, "home", "labels.instance_id");
    assert!(problem.problem.contains("alerts.names"), "{problem}");
    let problem = refused(
        &[("instance", "10.0.0.1:9189")],
        &anyone,
        "home",
        "labels.instance_id",
    );
    assert!(problem.problem.contains("port"), "{problem}");
    refused(&[("instance_id", "i-1")], &anyone, "", "labels.cluster_name");
    let mut nameless = alert(&[("instance_id", "i-1")]);
    nameless.labels.remove("alertname");
    assert_eq!(
        told(&nameless, &anyone, "home").unwrap_err().field,
        "labels.alertname"
    );
    for (field, starts_at, ends_at) in [("startsAt", "today", ""), ("endsAt", START, "tomorrow")] {
        let mut wrong = alert(&[("instance_id", "i-1")]);
        (wrong.starts_at, wrong.ends_at) = (starts_at.to_owned(), ends_at.to_owned());
        assert_eq!(told(&wrong, &anyone, "home").unwrap_err().field, field);
    }
}

#[test]
fn a_client_speaks_for_no_cluster_but_its_own() {
    let id = ("instance_id", "i-1");
    let (one, two) = (client(&["prod"]), client(&["prod", "dev"]));
    let cluster =
        |labels: &[(&str, &str)], client: &Client| told(&alert(labels), client, "home").unwrap().cluster;
    assert_eq!(cluster(&[id, ("cluster", "prod")], &one), "prod");
    // Who speaks for one alone need not name it.
    assert_eq!(cluster(&[id], &one), "prod");
    assert!(refused(&[id, ("cluster", "dev")], &one, "home", "labels.cluster_name").forbidden);
    assert!(refused(&[id], &two, "home", "labels.cluster_name").forbidden);
    assert_eq!(cluster(&[id, ("cluster", "dev")], &two), "dev");
}

#[test]
fn a_token_of_the_original_speaks_for_the_cluster_in_it_whatever_the_labels_say() {
    let mut holder = client(&["42"]);
    holder.tenant = Tenant::parse("clusters/1/42");
    let labels = [
        ("instance_id", "i-1"),
        ("org_id", "1"),
        ("cluster_id", "42"),
        ("cluster_name", "somebody-elses"),
    ];
    assert_eq!(told(&alert(&labels), &holder, "").unwrap().cluster, "42");
    for (field, name, value) in [
        ("labels.org_id", "org_id", "2"),
        ("labels.cluster_id", "cluster_id", "43"),
        ("labels.org_id", "org_id", ""),
        ("labels.cluster_id", "cluster_id", ""),
    ] {
        let mut labels = labels.to_vec();
        labels.retain(|(known, _)| *known != name);
        labels.push((name, value));
        assert!(refused(&labels, &holder, "42", field).forbidden);
    }
}

#[test]
fn a_repetition_is_the_same_notice_and_an_end_is_another_of_the_same_event() {
    let firing = alert(&[("instance_id", "i-1")]);
    let id = |alert: &Alert| NoticeId::of(&told(alert, &client(&[]), "home").unwrap());
    let ends = |at: &str| Alert {
        ends_at: at.to_owned(),
        ..firing.clone()
    };
    assert_eq!(id(&firing), id(&ends("2026-10-01T12:14:00Z")));
    assert_eq!(id(&firing), id(&ends("0001-01-01T00:00:00Z")));
    assert_eq!(
        id(&firing),
        id(&Alert {
            starts_at: "2026-10-01T14:00:00.000+02:00".to_owned(),
            generator_url: "http://another/graph".to_owned(),
            ..firing.clone()
        }),
        "the same moment, written otherwise"
    );
    // Prometheus by the older API, and by today's.
    let at = |starts_at: &str| {
        id(&Alert {
            starts_at: starts_at.to_owned(),
            ..firing.clone()
        })
    };
    assert_eq!(
        at("2026-10-01T12:00:00.983543872Z"),
        at("2026-10-01T12:00:00.983Z")
    );
    assert_ne!(at("2026-10-01T12:00:00.983Z"), at("2026-10-01T12:00:00.984Z"));
    let over = ends("2026-10-01T12:05:00Z");
    let resolved = told(&over, &client(&[]), "home").unwrap();
    assert_eq!(resolved.state, "resolved");
    assert_eq!(resolved.event_id, identity(&firing));
    assert_ne!(id(&firing), id(&over));
    let said = Alert {
        status: "resolved".into(),
        ..firing.clone()
    };
    assert_eq!(told(&said, &client(&[]), "home").unwrap().state, "resolved");
    let again = Alert {
        starts_at: "2026-10-01T12:08:00Z".to_owned(),
        ..firing.clone()
    };
    assert_ne!(id(&firing), id(&again), "it fires anew");
}

proptest! {
    /// Whatever is in the labels: a notice the router takes or a problem, and the same for the same.
    #[test]
    fn labels_of_any_kind_are_a_notice_or_a_problem(
        labels in proptest::collection::btree_map(
            prop_oneof![Just("instance_id".to_owned()), Just("instance".to_owned()), Just("cluster".to_owned()),
                Just("alertname".to_owned()), Just(CERTAINTY.to_owned()), Just(MODE.to_owned()), "[a-z_]{1,8}"],
            ".{0,300}", 0..8),
        starts_at in prop_oneof![Just(START.to_owned()), ".{0,20}"],
        ends_at in prop_oneof![Just(START.to_owned()), ".{0,20}"],
    ) {
        let alert = Alert { labels, starts_at, ends_at, ..Alert::default() };
        let (first, second) = (told(&alert, &client(&[]), "home"), told(&alert, &client(&[]), "home"));
        prop_assert_eq!(&first, &second);
        if let Ok(notice) = first {
            let made = crate::ingest::message(notice.clone(), &source(&notice.cluster), now());
            if let Ok(made) = made {
                prop_assert_eq!(made.subject.to_string().split('.').count(), 6);
            }
        }
    }
}
