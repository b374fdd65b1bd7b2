use std::{collections::HashSet, time::Duration};

use hollowtrees_e2e::{
    checker::{Books, assert_begun_once, assert_once_in_effect},
    kills::Kills,
    pipeline::interruption,
};
use hollowtrees_schemas::proto;

use crate::support::{BOUND, KINDS, PLAIN, Small, instances};

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_drained_swapped_and_told() {
    // Nobody serves `notify`: its step expires and says so.
    let rules = "
version: 1
rules:
  - name: spot
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain, asg-swap]
      - actions: [{ kind: notify, timeout: 3s }]
";
    let small = Small::start(Some(rules), Duration::from_millis(5)).await;
    small
        .pipeline
        .notify(interruption("i-1", 5), "/aws/1/eu/imds")
        .await;
    let books = Books::when_finished(&small.pipeline.bus, 1, BOUND).await;
    books.assert_sound();
    assert_once_in_effect(
        &small.pipeline.world,
        &["i-1".to_owned()],
        &KINDS,
        &Kills::default(),
    );
    let results = books.results();
    let count = |kind: &str, result: &str| results.get(&(kind.to_owned(), result.to_owned())).copied();
    assert_eq!(
        (
            count("drain", "succeeded"),
            count("asg-swap", "succeeded"),
            count("notify", "expired")
        ),
        (Some(1), Some(1), Some(1)),
        "{results:?}"
    );
    let unserved = books
        .outcomes
        .values()
        .flatten()
        .find(|outcome| outcome.kind == "notify")
        .unwrap();
    assert!(
        unserved.message.contains("notify"),
        "it says that nobody serves it: {unserved:?}"
    );
    assert_eq!(books.incidents.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_work_and_do_it_once() {
    let small = Small::replicated(2, Some(PLAIN), Duration::from_millis(5)).await;
    let pipeline = &small.pipeline;
    let instances = instances(300);
    for instance in &instances {
        pipeline
            .notify(interruption(instance, 120), "/aws/1/eu/imds")
            .await;
    }
    let books = Books::when_finished(&pipeline.bus, instances.len(), BOUND).await;
    books.assert_sound();
    assert_once_in_effect(&pipeline.world, &instances, &KINDS, &Kills::default());
    assert_begun_once(&pipeline.world, 600);
    let deeds = pipeline.world.deeds();
    let processes: HashSet<_> = deeds
        .values()
        .flat_map(|deeds| deeds.effects.iter().map(|(process, _)| process))
        .collect();
    assert_eq!(processes.len(), 2, "both workers had their part");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_interruption_seen_often_is_one_incident_and_one_drain() {
    let rules = "
version: 1
rules:
  - name: first
    match: { exact: { data.kind: spot-interruption } }
    steps: [{ actions: [drain, asg-swap] }]
  - name: second
    match: { prefix: { data.kind: spot } }
    steps: [{ actions: [drain] }]
";
    let small = Small::start(Some(rules), Duration::from_millis(50)).await;
    let pipeline = &small.pipeline;
    let notice = interruption("i-1", 100);
    // From the node and from the queue, twice each, and later a state change.
    for source in [
        "/aws/1/eu/imds",
        "/aws/1/eu/sqs",
        "/aws/1/eu/imds",
        "/aws/1/eu/sqs",
    ] {
        pipeline.notify(notice.clone(), source).await;
    }
    let stopping = proto::Notice {
        kind: "instance-state-change".to_owned(),
        provider_action: "shutting-down".to_owned(),
        deadline: None,
        ..notice.clone()
    };
    pipeline.notify(stopping, "/aws/1/eu/sqs").await;
    let books = Books::when_finished(&pipeline.bus, 1, BOUND).await;
    books.assert_sound();
    assert_eq!(books.incidents.len(), 1);
    let incident = books.incidents.values().next().unwrap();
    assert_eq!(
        (incident.generation, incident.facts.len()),
        (1, 2),
        "{incident:?}"
    );
    assert_eq!(books.runs.len(), 2, "one run a rule");
    assert_once_in_effect(&pipeline.world, &["i-1".to_owned()], &KINDS, &Kills::default());
    assert_eq!(
        pipeline.world.begun(),
        2,
        "the second rule joined the first one's drain"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advisory_that_becomes_certain_is_acted_on_again() {
    let rules = "
version: 1
rules:
  - name: any
    match:
      any:
        - exact: { data.kind: spot-interruption }
        - exact: { data.kind: rebalance-recommendation }
    steps: [{ actions: [drain] }]
";
    let small = Small::start(Some(rules), Duration::from_millis(5)).await;
    let interrupted = interruption("i-1", 100);
    let rebalance = proto::Notice {
        kind: "rebalance-recommendation".to_owned(),
        certainty: "advisory".to_owned(),
        provider_action: String::new(),
        deadline: None,
        ..interrupted.clone()
    };
    small.pipeline.notify(rebalance.clone(), "/aws/1/eu/imds").await;
    let books = Books::when_finished(&small.pipeline.bus, 1, BOUND).await;
    assert_eq!(books.runs.len(), 1);
    small.pipeline.notify(interrupted, "/aws/1/eu/imds").await;
    hollowtrees_harness::eventually("a second run", BOUND, async || {
        let books = Books::read(&small.pipeline.bus).await;
        (books.runs.len() == 2 && books.runs.values().all(|run| run.phase == "finished")).then_some(())
    })
    .await;
    // Told again, the recommendation changes nothing: the incident is certain by now.
    small
        .pipeline
        .notify(
            proto::Notice {
                event_id: "again".to_owned(),
                ..rebalance
            },
            "/aws/1/eu/sqs",
        )
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let books = Books::read(&small.pipeline.bus).await;
    books.assert_sound();
    let certainties: HashSet<_> = books.runs.values().map(|run| run.certainty.as_str()).collect();
    assert_eq!(certainties, HashSet::from(["advisory", "certain"]));
    assert_eq!(books.runs.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_and_a_dry_run_take_the_whole_way_and_touch_nothing() {
    let small = Small::start(Some(PLAIN), Duration::from_millis(5)).await;
    for mode in ["test", "dry-run"] {
        let notice = proto::Notice {
            mode: mode.to_owned(),
            ..interruption("i-1", 100)
        };
        small.pipeline.notify(notice, "/cli").await;
    }
    small
        .pipeline
        .notify(interruption("i-2", 100), "/aws/1/eu/imds")
        .await;
    let books = Books::when_finished(&small.pipeline.bus, 2, BOUND).await;
    hollowtrees_harness::eventually("all three runs", BOUND, async || {
        let books = Books::read(&small.pipeline.bus).await;
        books.runs.values().filter(|run| run.phase == "finished").count() == 3
    })
    .await;
    let books = if books.runs.len() == 3 {
        books
    } else {
        Books::read(&small.pipeline.bus).await
    };
    books.assert_sound();
    assert_eq!(books.incidents.len(), 3, "a test never joins a live incident");
    for outcome in books.outcomes.values().flatten() {
        let expected = if outcome.mode == "live" {
            ("succeeded", "")
        } else {
            ("skipped", outcome.mode.as_str())
        };
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            expected,
            "{outcome:?}"
        );
    }
    assert_eq!(
        small.pipeline.world.begun(),
        2,
        "no handler saw the test or the dry run"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_with_a_second_left_and_one_too_late_are_answered() {
    let small = Small::start(Some(PLAIN), Duration::from_millis(5)).await;
    small
        .pipeline
        .notify(interruption("i-soon", 1), "/aws/1/eu/imds")
        .await;
    small
        .pipeline
        .notify(interruption("i-late", -30), "/aws/1/eu/imds")
        .await;
    let books = Books::when_finished(&small.pipeline.bus, 2, BOUND).await;
    books.assert_sound();
    for outcome in books.outcomes.values().flatten() {
        let expected: &[&str] = if outcome.instance == "i-late" {
            &["expired"]
        } else {
            &["succeeded", "expired"]
        };
        assert!(expected.contains(&outcome.result.as_str()), "{outcome:?}");
    }
    assert_eq!(books.outcomes.len(), 4);
}
