//! Every way an action can end, and that it ends once.

use std::time::Duration;

use hollowtrees_runtime::worker::{Failure, Report, Settings};
use hollowtrees_schemas::{
    id::ActionId,
    proto::{
        self,
        time::{from_proto, to_proto},
    },
};
use jiff::SignedDuration;

use crate::support::{
    Outcomes, Scripted, action, at, done, incident, prepared, run, send, settings, settled,
};

/// One action through one worker: its outcome and the starts it took.
async fn outcome_of(handler: &Scripted, action: &proto::Action) -> (proto::Outcome, usize) {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let worker = run(&bus, handler, settings());
    send(&bus, action).await;
    let outcome = outcomes.next().await;
    let entry = done(&bus, action).await;
    assert_eq!(
        entry.outcome.as_ref(),
        Some(&outcome),
        "the ledger and the stream say the same"
    );
    worker.stop().await;
    (outcome, handler.starts().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_decides_the_outcome() {
    let check = async |handler: Scripted, result: &str, reason: &str| {
        let (outcome, starts) = outcome_of(&handler, &action("i-1")).await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str(), starts),
            (result, reason, 1)
        );
        let times = outcome.times.unwrap();
        assert!(times.published_at.is_some() && times.accepted_at.is_some() && times.started_at.is_some());
        assert!(times.ended_at.is_some() && outcome.attempt == 1 && outcome.worker.unwrap().kind == "work");
    };
    check(Scripted::succeeds(), "succeeded", "").await;
    check(
        Scripted::new(async |_| Ok(Report::failed("left", "Two pods are left."))),
        "failed",
        "left",
    )
    .await;
    check(
        Scripted::new(async |_| Ok(Report::skipped("no-node", "No such node."))),
        "skipped",
        "no-node",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_and_what_does_not_is_a_dead_letter() {
    let flaky = Scripted::new(async |job| {
        // The attempt counts starts that broke off; a retry is the same one.
        assert_eq!(job.attempt(), 1);
        if job.checkpoint().await.is_none() {
            job.save(pbjson_types::Struct::default()).await?;
            return Err(Failure::transient("the API server answered 503"));
        }
        Ok(Report::succeeded("At last."))
    });
    let (outcome, starts) = outcome_of(&flaky, &action("i-1")).await;
    assert_eq!((outcome.result.as_str(), starts), ("succeeded", 2));

    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let refuses =
        Scripted::new(async |_| Err(Failure::rejected("no-such-parameter", "params.foo is unknown")));
    let worker = run(&bus, &refuses, settings());
    send(&bus, &action("i-2")).await;
    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "no-such-parameter")
    );
    let (first, _) = bus.dead_range().await.unwrap().expect("a dead letter");
    let letter = bus.dead_show(first).await.unwrap();
    assert_eq!(
        (letter.error_class.as_str(), letter.action_id.as_str()),
        ("rejected", outcome.action_id.as_str())
    );
    assert_eq!(
        worker.count("hollowtrees_worker_dead_letters_total{action=\"work\",class=\"rejected\"}"),
        1
    );

    // Redriven, it is done once more, by the ledger's next generation.
    bus.dead_redrive(first, None).await.unwrap();
    let again = outcomes.next().await;
    assert_eq!((again.redrive, again.result.as_str()), (1, "failed"));
    assert_eq!(refuses.starts().len(), 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_dies_of_an_action_does_not_take_the_worker_with_it() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let dies = Scripted::new(async |job| {
        assert_ne!(job.action().instance, "i-poison", "this handler dies of it");
        Ok(Report::succeeded("Done."))
    });
    let worker = run(&bus, &dies, settings());
    send(&bus, &action("i-poison")).await;
    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "poison")
    );
    assert_eq!(dies.starts().len(), 5);
    let (first, _) = bus.dead_range().await.unwrap().expect("a dead letter");
    assert_eq!(bus.dead_show(first).await.unwrap().error_class, "poison");
    send(&bus, &action("i-fine")).await;
    assert_eq!(outcomes.next().await.result, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_decides_what_is_started() {
    let late = proto::Action {
        deadline: at(-1),
        ..action("i-1")
    };
    let (outcome, starts) = outcome_of(&Scripted::succeeds(), &late).await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str(), starts),
        ("expired", "deadline", 0)
    );

    let whatever = proto::Action {
        when_expired: "run".to_owned(),
        ..late
    };
    let (outcome, starts) = outcome_of(&Scripted::succeeds(), &whatever).await;
    assert_eq!((outcome.result.as_str(), starts), ("succeeded", 1));

    let hopeless = Scripted::new(async |_| Err(Failure::transient("nobody answers")));
    let soon = proto::Action {
        deadline: at(2),
        ..action("i-1")
    };
    let (outcome, starts) = outcome_of(&hopeless, &soon).await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "deadline")
    );
    assert!(
        starts > 1 && outcome.message.contains("nobody answers"),
        "{outcome:?}"
    );

    let hangs = Scripted::new(async |_| std::future::pending().await);
    let due = proto::Action {
        close_at: at(2),
        ..action("i-1")
    };
    let (outcome, _) = outcome_of(&hangs, &due).await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "deadline")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_takes_longer_than_it_may_is_stopped() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let hangs = Scripted::new(async |job| match job.action().instance.as_str() {
        "i-hangs" => std::future::pending().await,
        _ => Ok(Report::succeeded("Done.")),
    });
    let short = Settings {
        time_limit: Duration::from_secs(1),
        running: 1,
        ..settings()
    };
    let worker = run(&bus, &hangs, short);
    let action = action("i-hangs");
    send(&bus, &action).await;
    let outcome = outcomes.next().await;
    assert_eq!(
        (
            outcome.result.as_str(),
            outcome.reason.as_str(),
            outcome.message.as_str()
        ),
        (
            "failed",
            "deadline",
            "The handler did not come to an end within 1 s."
        )
    );
    assert_eq!(done(&bus, &action).await.outcome.as_ref(), Some(&outcome));
    settled(&bus).await;
    assert_eq!(bus.dead_range().await.unwrap(), None);
    assert_eq!(hangs.starts().len(), 1, "it is not tried again");

    // Its slot, the only one, is free again.
    send(&bus, &crate::support::action("i-next")).await;
    assert_eq!(outcomes.next().await.result, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_touches_nothing_and_a_dry_run_only_where_it_is_known() {
    let check = async |kind: &str, mode: &str, result: &str, reason: &str, starts: usize| {
        let handler = Scripted::new(async |job| {
            assert!(job.is_dry_run(), "only a dry run gets here");
            Ok(Report::succeeded("It would be done."))
        });
        let asked = proto::Action {
            kind: kind.to_owned(),
            mode: mode.to_owned(),
            ..action("i-1")
        };
        let (outcome, started) = outcome_of(&handler, &asked).await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str(), started),
            (result, reason, starts),
            "{kind} {mode}"
        );
        assert_eq!(outcome.mode, mode);
    };
    check("work", "test", "skipped", "test", 0).await;
    check("careful", "test", "skipped", "test", 0).await;
    check("work", "dry-run", "skipped", "dry-run", 0).await;
    check("careful", "dry-run", "succeeded", "", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_action_is_kept_and_stops_nothing() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::succeeds();
    let worker = run(&bus, &handler, settings());
    let broken = [
        proto::Action {
            mode: "livelier".to_owned(),
            ..action("i-1")
        },
        proto::Action {
            id: "not an id".to_owned(),
            ..action("i-2")
        },
        proto::Action {
            when_expired: "perhaps".to_owned(),
            ..action("i-3")
        },
    ];
    for action in &broken {
        send(&bus, action).await;
    }
    // Data of one cluster on the subject of another: permissions are given by subject.
    let foreign = proto::Action {
        cluster: "c2".to_owned(),
        ..action("i-6")
    };
    let envelope = hollowtrees_schemas::envelope::action(foreign, "/x");
    let mut on_ours =
        hollowtrees_schemas::outgoing::action(&envelope, hollowtrees_schemas::envelope::DataFormat::Json)
            .unwrap();
    on_ours.subject = hollowtrees_schemas::subject::Subject::Action {
        cluster: "c1".to_owned(),
        action: "work".to_owned(),
        instance: "i-6".to_owned(),
    };
    bus.publish(&on_ours, None).await.unwrap();
    let envelope = hollowtrees_schemas::envelope::action(action("i-4"), "/x");
    let mut garbage =
        hollowtrees_schemas::outgoing::action(&envelope, hollowtrees_schemas::envelope::DataFormat::Json)
            .unwrap();
    garbage.wire.body = b"\xff\xfe not json".as_slice().into();
    bus.publish(&garbage, None).await.unwrap();
    send(&bus, &action("i-5")).await;

    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.instance.as_str(), outcome.result.as_str()),
        ("i-5", "succeeded")
    );
    let letters = hollowtrees_harness::eventually("five dead letters", crate::support::BOUND, async || {
        bus.dead_range()
            .await
            .ok()
            .flatten()
            .filter(|(first, last)| last - first == 4)
    })
    .await;
    let mut reasons = Vec::new();
    for number in letters.0..=letters.1 {
        let letter = bus.dead_show(number).await.unwrap();
        assert_eq!(letter.cluster, "c1");
        reasons.push(format!("{} {}", letter.error_class, letter.reason));
    }
    for word in [
        "invalid the action's mode is \"livelier\"",
        "invalid the action's id",
        "invalid the action's when_expired",
        "invalid the action's subject",
        "undecodable",
    ] {
        assert!(
            reasons.iter().any(|reason| reason.starts_with(word)),
            "{word}: {reasons:?}"
        );
    }
    assert_eq!(handler.starts().len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_action_from_two_rules_is_done_once() {
    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let handler = Scripted::succeeds();
    let worker = run(&bus, &handler, settings());
    let first = action("i-1");
    // The same id in another message: past the duplicate window, or by another rule's hand.
    let second = proto::Action {
        redrive: 0,
        ..first.clone()
    };
    let told = |stored: &str| {
        worker.count(&format!(
            "hollowtrees_worker_outcomes_published_total{{action=\"work\",stored=\"{stored}\"}}"
        ))
    };
    send(&bus, &first).await;
    outcomes.next().await;
    settled(&bus).await;
    assert_eq!((told("new"), told("already")), (1, 0));
    let envelope = hollowtrees_schemas::envelope::action(second, "/hollowtrees/c1/another");
    let out =
        hollowtrees_schemas::outgoing::action(&envelope, hollowtrees_schemas::envelope::DataFormat::Json)
            .unwrap();
    assert!(!bus.publish(&out, None).await.unwrap().duplicate);
    hollowtrees_harness::eventually(
        "the second message to be settled",
        crate::support::BOUND,
        async || {
            (worker.count("hollowtrees_worker_outcomes_total{action=\"work\",result=\"succeeded\"}") == 2)
                .then_some(())
        },
    )
    .await;
    // Told twice, it is one message on the stream, and one duplicate in the count.
    assert_eq!((told("new"), told("already")), (1, 1));
    outcomes.none_within(Duration::from_millis(500)).await;
    assert_eq!(handler.starts().len(), 1);
    assert_eq!(first.id.parse::<ActionId>().unwrap().as_str(), first.id);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_moves_later_leaves_a_handler_more_time() {
    let works = Scripted::new(async |mut job| {
        let at_first = job.ends_by();
        while job.now() < at_first + SignedDuration::from_secs(2) {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
                () = job.changed() => {}
            }
        }
        let moved = job.ends_by().duration_since(at_first);
        Ok(Report::succeeded(format!("{} s", moved.as_secs())))
    });
    let due = proto::Action {
        deadline: at(2),
        close_at: at(4),
        ..action("i-1")
    };
    let (outcome, _) = outcome_of(&works, &due).await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "deadline"),
        "nothing was moved"
    );

    let (_nats, bus) = prepared().await;
    let mut outcomes = Outcomes::of(&bus).await;
    let worker = run(&bus, &works, settings());
    let due = proto::Action {
        deadline: at(3),
        close_at: at(5),
        ..action("i-1")
    };
    let pinned = from_proto(due.deadline.as_ref().unwrap()).unwrap();
    incident(&bus, "i-1", "open", due.deadline).await;
    send(&bus, &due).await;
    works.started(2).await;
    let later = to_proto(pinned + SignedDuration::from_secs(30));
    incident(&bus, "i-1", "open", Some(later)).await;
    let outcome = outcomes.next().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.message.as_str()),
        ("succeeded", "30 s"),
        "{outcome:?}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_too_large_for_the_ledger_is_told_without_its_detail() {
    let talks = Scripted::new(async |_| {
        let text = pbjson_types::Value {
            kind: Some(pbjson_types::value::Kind::StringValue("x".repeat(400 * 1024))),
        };
        let detail = pbjson_types::Struct {
            fields: [("log".to_owned(), text)].into(),
        };
        Ok(Report::succeeded("Done.").with_detail(detail))
    });
    let (outcome, starts) = outcome_of(&talks, &action("i-1")).await;
    assert_eq!((outcome.result.as_str(), starts), ("succeeded", 1));
    assert_eq!((outcome.message.as_str(), outcome.detail), ("Done.", None));

    let keeps = Scripted::new(async |job| {
        let text = pbjson_types::Value {
            kind: Some(pbjson_types::value::Kind::StringValue("x".repeat(400 * 1024))),
        };
        job.save(pbjson_types::Struct {
            fields: [("log".to_owned(), text)].into(),
        })
        .await?;
        Ok(Report::succeeded("Never said."))
    });
    let (outcome, _) = outcome_of(&keeps, &action("i-1")).await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "checkpoint-too-large")
    );
}
