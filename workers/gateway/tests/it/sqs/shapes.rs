//! Each kind of event, with what is known of its instance.

use std::time::Duration;

use hollowtrees_bus::dead::Class;
use hollowtrees_domain::{incident, notice::Notice};
use hollowtrees_schemas::{
    envelope,
    id::NoticeId,
    proto::{self, time::to_proto},
};
use jiff::Timestamp;

use super::ground::{Ground, R, body, changed, spot};

fn at(text: &str) -> Option<pbjson_types::Timestamp> {
    Some(to_proto(text.parse::<Timestamp>().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_told_with_what_is_known_of_its_instance() {
    let ground = Ground::new().await;
    let tags = [("kubernetes.io/cluster/blue", "owned"), ("team", "a")];
    let ids = ground.aws.launch(R, 6, &tags).await.unwrap();
    ground
        .aws
        .put_hook("workers-blue", "drain", Duration::from_secs(300));
    let in_region = ("/region", R);
    let state = |state, id: &str| {
        changed(
            &body(&format!("state-{state}")),
            &[("/detail/instance-id", id), in_region],
        )
    };
    ground
        .send(&[
            spot(&ids[0]),
            changed(&body("rebalance"), &[("/detail/instance-id", &ids[1]), in_region]),
            state("stopping", &ids[2]),
            state("running", &ids[2]),
            changed(
                &body("hook-terminate"),
                &[("/detail/EC2InstanceId", &ids[3]), in_region],
            ),
            changed(
                &body("health-closed"),
                &[
                    ("/detail/affectedEntities/0/entityValue", &ids[4]),
                    ("/detail/eventRegion", R),
                ],
            ),
            changed(
                &body("reservation"),
                &[("/detail/instance-id", &ids[5]), in_region],
            ),
            body("hook-test"),
            body("cloudtrail"),
            "this is <no> JSON \u{1f332}".to_owned(),
            body("unknown-type"),
            body("pipes-one-bad")
                .replace("i-0b662ef9931388ba0", &ids[0])
                .replace("eu-west-1", R),
        ])
        .await;
    let gateway = ground.gateway(&[]).await;
    ground.empty().await;

    let notices = ground.notices().await;
    let told: Vec<_> = ids
        .iter()
        .map(|id| {
            let notice = &notices[id].data;
            assert_eq!(notice.cluster, "blue");
            assert_eq!(notice.labels["team"], "a");
            assert_eq!(notice.provider, "aws");
            assert_eq!(notice.instance_type, "m5.large");
            assert!(notice.node.starts_with("ip-"), "{}", notice.node);
            assert!(notice.zone.starts_with(R), "{}", notice.zone);
            assert!(notice.detail.is_some());
            assert_eq!(notices[id].source, "/aws/111122223333/us-east-1/sqs");
            (
                notice.kind.as_str(),
                notice.state.as_str(),
                notice.provider_action.as_str(),
                notice.deadline,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "spot-interruption",
                "active",
                "terminate",
                at("2026-03-02T08:22:00Z")
            ),
            ("rebalance-recommendation", "active", "", None),
            ("instance-state-change", "active", "stop", None),
            // The hook waits for five minutes.
            (
                "asg-terminating",
                "active",
                "terminate",
                at("2026-03-02T09:05:00Z")
            ),
            (
                "scheduled-maintenance",
                "cancelled",
                "instance-retirement",
                at("2026-03-13T15:10:09Z")
            ),
            (
                "capacity-reservation-interruption",
                "active",
                "terminate",
                at("2026-03-02T10:02:30Z")
            ),
        ]
    );
    assert_eq!(notices.len(), ids.len());
    assert_eq!(notices[&ids[3]].data.group, "workers-blue");

    let mut letters = ground.world.letters().await;
    letters.sort_by(|a, b| a.body.cmp(&b.body));
    let found: Vec<_> = letters
        .iter()
        .map(|letter| {
            (
                letter.error_class.as_str(),
                letter.stream.as_str(),
                letter.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found.iter().all(|(_, stream, _)| *stream == "sqs/events"),
        "{found:#?}"
    );
    let of = |class: Class| {
        letters
            .iter()
            .filter(|letter| letter.error_class == class.as_str())
            .count()
    };
    assert_eq!((of(Class::Undecodable), of(Class::Invalid)), (1, 2), "{found:#?}");
    let unread = letters
        .iter()
        .find(|letter| letter.error_class == "undecodable")
        .unwrap();
    assert_eq!(unread.body, "this is <no> JSON \u{1f332}".as_bytes());
    let mixed = found
        .iter()
        .find(|(_, _, reason)| reason.contains("and 1 more"))
        .unwrap();
    assert!(mixed.2.contains("`Order Placed` of `shop`"), "{mixed:?}");

    for (series, wanted) in [
        (
            "hollowtrees_sqs_messages_total{queue=\"events\",result=\"told\"}",
            6.0,
        ),
        (
            "hollowtrees_sqs_messages_total{queue=\"events\",result=\"idle\"}",
            3.0,
        ),
        (
            "hollowtrees_sqs_messages_total{queue=\"events\",result=\"unusable\"}",
            3.0,
        ),
        ("hollowtrees_sqs_idle_events_total{kind=\"cloudtrail\"}", 1.0),
        (
            "hollowtrees_gateway_put_aside_total{class=\"invalid\",source=\"sqs\"}",
            2.0,
        ),
        ("hollowtrees_gateway_notices_stored_total{source=\"sqs\"}", 6.0),
    ] {
        ground.counted(&gateway, series, wanted).await;
    }
    let log = gateway.worker.log().unwrap();
    assert!(!log.contains("no> JSON"), "a body is in the log");
    assert_eq!(ground.aws.count("DescribeLifecycleHooks"), 1);
}

/// What the agent says of the same interruption, from the metadata service.
fn seen_by_the_agent(instance: &str, deadline: &str) -> proto::Notice {
    proto::Notice {
        cluster: "blue".to_owned(),
        provider: "aws".to_owned(),
        account: "111122223333".to_owned(),
        region: R.to_owned(),
        instance: instance.to_owned(),
        node: "node-1".to_owned(),
        kind: "spot-interruption".to_owned(),
        state: "active".to_owned(),
        certainty: "certain".to_owned(),
        mode: "live".to_owned(),
        provider_action: "terminate".to_owned(),
        noticed_at: at("2026-03-02T08:20:01Z"),
        deadline: at(deadline),
        ..proto::Notice::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seen_by_the_agent_too_it_is_one_incident() {
    let ground = Ground::new().await;
    let tags = [("hollowtrees.io/cluster", "blue")];
    let id = ground.aws.launch(R, 1, &tags).await.unwrap().remove(0);
    ground.send(&[spot(&id)]).await;
    let _gateway = ground.gateway(&[]).await;
    ground.empty().await;
    let by_queue = ground.notices().await.remove(&id).unwrap();
    // The same second: the same word.
    let same = seen_by_the_agent(&id, "2026-03-02T08:22:00Z");
    assert_eq!(by_queue.id, NoticeId::of(&same).to_string());
    // Another second: another word of the same fact, which only tightens.
    let other = seen_by_the_agent(&id, "2026-03-02T08:21:58Z");
    let now: Timestamp = "2026-03-02T08:20:02Z".parse().unwrap();
    for order in [[&by_queue.data, &other], [&other, &by_queue.data]] {
        let mut known: Option<incident::Incident> = None;
        for message in order {
            let source = envelope::source(&["aws"]);
            let notice = Notice::parse(message.clone(), &source, now).unwrap();
            known = Some(incident::merge(known.as_ref(), &notice, now).incident);
        }
        let known = known.unwrap();
        assert_eq!((known.generation, known.facts.standing().count()), (1, 1));
        assert_eq!(
            known.deadline.map(to_proto),
            at("2026-03-02T08:21:58Z"),
            "the tighter one"
        );
    }
}
