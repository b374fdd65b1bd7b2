use hollowtrees_harness::eventually;
use hollowtrees_schemas::{
    codec::Wire,
    envelope::{self, DataFormat},
    id::MessageId,
    key,
    outgoing::{self, Outgoing},
    proto,
    subject::Subject,
};

use crate::support::{BOUND, World, id, in_seconds, spot};

async fn raw(world: &World, subject: Subject, headers: &[(&str, &str)], body: &'static str) {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let out = Outgoing {
        subject,
        wire: Wire {
            headers,
            body: body.into(),
        },
        message_id: MessageId::of("raw", &rand_id()),
    };
    world.bus.publish(&out, None).await.unwrap();
}

fn rand_id() -> String {
    jiff::Timestamp::now().as_nanosecond().to_string()
}

fn notice_subject(cluster: &str) -> Subject {
    Subject::Notice {
        cluster: cluster.to_owned(),
        kind: "spot-interruption".to_owned(),
        instance: "i-9".to_owned(),
    }
}

#[tokio::test]
async fn what_nobody_can_use_is_kept_and_nothing_stops() {
    let (mut world, router) = World::with_router("").await;
    raw(&world, notice_subject("c1"), &[], "garbage").await;
    raw(&world, notice_subject("c1"), &[], "").await;
    let ce = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/x"),
        ("ce-type", "io.hollowtrees.notice.v1"),
        ("ce-datacontenttype", "application/json"),
    ];
    raw(&world, notice_subject("c1"), &ce, "{\"cluster\": 7}").await;
    raw(
        &world,
        notice_subject("c1"),
        &ce,
        "{\"cluster\":\"c1\",\"kind\":\"spot-interruption\",\"instance\":\"i-9\",\"state\":\"odd\"}",
    )
    .await;
    // Says it is of another cluster than it may write to.
    let other = outgoing::notice(&envelope::notice(spot("i-9"), "/x"), DataFormat::Json).unwrap();
    let smuggled = Outgoing {
        subject: notice_subject("c2"),
        ..other
    };
    world.bus.publish(&smuggled, None).await.unwrap();
    let outcome = Subject::Outcome {
        cluster: "c1".to_owned(),
        action: "drain".to_owned(),
        result: "succeeded".to_owned(),
        instance: "i-9".to_owned(),
    };
    raw(&world, outcome, &[], "{}").await;
    eventually("six dead letters", BOUND, || async {
        let range = world.bus.dead_range().await.unwrap();
        if range == Some((1, 6)) {
            Ok(())
        } else {
            Err(format!("{range:?}"))
        }
    })
    .await;
    let mut classes = Vec::new();
    for sequence in 1..=6 {
        let letter = world.bus.dead_show(sequence).await.unwrap();
        assert!(
            !letter.reason.is_empty() && letter.worker.starts_with("router."),
            "{letter:?}"
        );
        classes.push(letter.error_class);
    }
    classes.sort();
    assert_eq!(
        classes,
        [
            "invalid",
            "invalid",
            "undecodable",
            "undecodable",
            "undecodable",
            "undecodable"
        ]
    );
    world.send(spot("i-1")).await;
    world.action("drain", "i-1").await;
    assert!(world.incident("i-9").await.is_none());
    let counted = router
        .metric(r#"hollowtrees_router_dead_letters_total{class="undecodable",feed="notice"}"#)
        .await;
    assert!((counted - 3.0).abs() < 0.1, "{counted}");
}

#[tokio::test]
async fn a_record_of_a_newer_release_is_left_alone() {
    let (mut world, router) = World::with_router("").await;
    let newer = proto::Incident {
        schema: 9,
        cluster: "c1".to_owned(),
        instance: "i-1".to_owned(),
        ..Default::default()
    };
    let key = key::incident(&id("i-1"));
    world.bus.incidents().create(&key, &newer).await.unwrap();
    world.send(spot("i-1")).await;
    router
        .worker
        .logged("newer than the 1 this version knows", BOUND)
        .await
        .unwrap();
    world.send(spot("i-2")).await;
    world.action("drain", "i-2").await;
    let kept = world.bus.incidents().get(&key).await;
    assert!(
        matches!(kept, Err(hollowtrees_bus::StoreError::Newer { found: 9, .. })),
        "{kept:?}"
    );
    let counted = r#"hollowtrees_router_handed_back_total{feed="notice",reason="newer_schema"}"#;
    eventually("the delivery to be handed back and counted", BOUND, || async {
        router.metric(counted).await >= 1.0
    })
    .await;
}

#[tokio::test]
async fn a_run_of_a_newer_release_is_left_alone() {
    let (mut world, router) = World::with_router("").await;
    world.send(spot("i-1")).await;
    let drain = world.action("drain", "i-1").await;
    let swap = world.action("asg-swap", "i-1").await;
    // A newer release took the run over in the midst of a rolling upgrade, and it is due.
    let key = key::run(&id("i-1"), 1, "spot-interruption", "certain");
    let known = eventually("the publication to be noted", BOUND, || async {
        let found = world.bus.runs().get(&key).await.unwrap()?;
        let noted = found
            .value
            .actions
            .iter()
            .filter(|action| action.state == "published");
        (noted.count() == 2).then_some(found)
    })
    .await;
    let newer = proto::Run {
        schema: 9,
        due_at: in_seconds(-1),
        ..known.value
    };
    let revision = world
        .bus
        .runs()
        .update(&key, &newer, known.revision)
        .await
        .unwrap();
    for action in [&drain, &swap] {
        world.end(action, "succeeded").await;
    }
    let counted = r#"hollowtrees_router_handed_back_total{feed="outcome",reason="newer_schema"}"#;
    eventually("both outcomes to be handed back", BOUND, || async {
        router.metric(counted).await >= 2.0
    })
    .await;
    world.send(spot("i-2")).await;
    world.action("drain", "i-2").await;
    // Still the one that was written; with it gone the outcomes belong to nobody.
    world
        .bus
        .runs()
        .remove(&key, Some(revision))
        .await
        .expect("nobody wrote it meanwhile");
}
