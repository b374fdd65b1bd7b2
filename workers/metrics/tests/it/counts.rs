//! What a scripted run adds.

use bytes::Bytes;
use hollowtrees_schemas::{
    codec::Wire,
    envelope::{self, DataFormat},
    id::MessageId,
    names::Stream,
    outgoing::{self, Outgoing},
    proto::{self, time::to_proto},
    subject::{IncidentEvent, RunEvent, Subject},
};
use jiff::{SignedDuration, Timestamp};

use crate::world::{World, ended, notice, notice_about, outcome, second, told, value};

const JSON: DataFormat = DataFormat::Json;

/// The series must have these values; written as in a scrape, without the prefix.
fn check(text: &str, expected: &[(&str, f64)]) {
    for (series, expected) in expected {
        let series = format!("hollowtrees_{series}");
        assert_eq!(value(text, &series), Some(*expected), "{series} in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_adds_what_it_says() {
    let world = World::new().await;
    world.send(notice_about("i-1")).await;
    world.send(notice_about("i-2")).await;
    // Told again, it is the same message.
    world.send(notice_about("i-2")).await;
    let test = proto::Notice {
        mode: "test".to_owned(),
        state: "cancelled".to_owned(),
        deadline: second(120),
        ..notice("i-3")
    };
    world.send(told(test)).await;
    let withdrawn = proto::Notice {
        provider: "gcp".to_owned(),
        kind: "preempted".to_owned(),
        state: "cancelled".to_owned(),
        deadline: second(120),
        noticed_at: second(0),
        ..notice("i-5")
    };
    world.send(told(withdrawn)).await;
    let warning = proto::Notice {
        provider: "gcp".to_owned(),
        kind: "preempted".to_owned(),
        deadline: Some(to_proto(Timestamp::now() + SignedDuration::from_secs(25))),
        noticed_at: Some(to_proto(Timestamp::now() - SignedDuration::from_secs(3))),
        ..notice("i-4")
    };
    world.send(told(warning)).await;

    let action = proto::Action {
        id: "a-1".to_owned(),
        cluster: "prod".to_owned(),
        kind: "drain".to_owned(),
        instance: "i-1".to_owned(),
        certainty: "certain".to_owned(),
        target: Some(proto::Target {
            provider: "aws".to_owned(),
            ..proto::Target::default()
        }),
        ..proto::Action::default()
    };
    let action = envelope::action(action, "/hollowtrees/prod/router");
    world.send(outgoing::action(&action, JSON).unwrap()).await;

    let progress = proto::Outcome {
        reason: "cordoned".to_owned(),
        ..outcome("a-1", "progress")
    };
    world.send(ended(progress)).await;
    world.send(ended(outcome("a-1", "succeeded"))).await;
    let late = proto::Outcome {
        late: true,
        ..outcome("a-1", "failed")
    };
    world.send(ended(late)).await;
    let failed = proto::Outcome {
        reason: "deadline".to_owned(),
        deadline: second(75),
        ..outcome("a-2", "failed")
    };
    world.send(ended(failed)).await;
    let rehearsed = proto::Outcome {
        mode: "dry-run".to_owned(),
        ..outcome("a-3", "succeeded")
    };
    world.send(ended(rehearsed)).await;
    let redriven = proto::Outcome {
        redrive: 1,
        ..outcome("a-2", "succeeded")
    };
    world.send(ended(redriven)).await;

    let incident = proto::Incident {
        cluster: "prod".to_owned(),
        instance: "i-1".to_owned(),
        generation: 1,
        ..proto::Incident::default()
    };
    let source = "/hollowtrees/prod/router";
    let opened = envelope::incident(IncidentEvent::Opened, incident, source);
    world
        .send(outgoing::incident(IncidentEvent::Opened, &opened, JSON).unwrap())
        .await;
    let run = proto::Run {
        cluster: "prod".to_owned(),
        instance: "i-1".to_owned(),
        generation: 1,
        rule: "spot".to_owned(),
        started_at: second(0),
        ..proto::Run::default()
    };
    let finished = proto::Run {
        result: "succeeded".to_owned(),
        finished_at: second(81),
        ..run.clone()
    };
    for (event, run) in [(RunEvent::Started, run), (RunEvent::Finished, finished)] {
        let told = envelope::run(event, run, source);
        world.send(outgoing::run(event, &told, JSON).unwrap()).await;
    }

    let replica = world.replica().await;
    for stream in Stream::ALL {
        world.all_taken(stream).await;
    }
    let text = replica.stop().await;
    check(
        &text,
        &[
            (
                "notices_total{cluster=\"prod\",kind=\"spot-interruption\",mode=\"live\",provider=\"aws\",state=\"active\"}",
                2.0,
            ),
            (
                "notices_total{cluster=\"prod\",kind=\"spot-interruption\",mode=\"test\",provider=\"aws\",state=\"cancelled\"}",
                1.0,
            ),
            (
                "notices_total{cluster=\"prod\",kind=\"preempted\",mode=\"live\",provider=\"gcp\",state=\"active\"}",
                1.0,
            ),
            // A test, and one that was taken back, tell nothing of latency.
            (
                "notice_lead_seconds_count{kind=\"preempted\",provider=\"gcp\"}",
                1.0,
            ),
            (
                "notice_lead_seconds_bucket{kind=\"preempted\",provider=\"gcp\",le=\"20\"}",
                0.0,
            ),
            (
                "notice_lead_seconds_bucket{kind=\"preempted\",provider=\"gcp\",le=\"30\"}",
                1.0,
            ),
            (
                "notice_delay_seconds_bucket{kind=\"preempted\",provider=\"gcp\",le=\"2.5\"}",
                0.0,
            ),
            (
                "notice_delay_seconds_bucket{kind=\"preempted\",provider=\"gcp\",le=\"20\"}",
                1.0,
            ),
            (
                "actions_total{action=\"drain\",certainty=\"certain\",cluster=\"prod\",mode=\"live\",provider=\"aws\"}",
                1.0,
            ),
            ("progress_total{action=\"drain\",reason=\"cordoned\"}", 1.0),
            ("outcomes_late_total{action=\"drain\",result=\"failed\"}", 1.0),
            (
                "outcomes_total{action=\"drain\",cluster=\"prod\",mode=\"live\",provider=\"aws\",result=\"succeeded\"}",
                2.0,
            ),
            (
                "outcomes_total{action=\"drain\",cluster=\"prod\",mode=\"live\",provider=\"aws\",result=\"failed\"}",
                1.0,
            ),
            (
                "outcomes_total{action=\"drain\",cluster=\"prod\",mode=\"dry-run\",provider=\"aws\",result=\"succeeded\"}",
                1.0,
            ),
            (
                "outcome_reasons_total{action=\"drain\",reason=\"deadline\",result=\"failed\"}",
                1.0,
            ),
            ("unsuccessful_total{action=\"drain\",result=\"failed\"}", 1.0),
            ("unsuccessful_total{action=\"asg-swap\",result=\"failed\"}", 0.0),
            ("deadlines_missed_total{action=\"drain\"}", 1.0),
            // Neither the redriven one nor the dry run.
            (
                "notice_to_accepted_seconds_sum{action=\"drain\",provider=\"aws\"}",
                2.0,
            ),
            (
                "notice_to_cordoned_seconds_sum{action=\"drain\",provider=\"aws\"}",
                4.0,
            ),
            (
                "notice_to_drained_seconds_sum{provider=\"aws\",result=\"succeeded\"}",
                80.0,
            ),
            (
                "notice_to_drained_seconds_count{provider=\"aws\",result=\"failed\"}",
                1.0,
            ),
            (
                "notice_to_outcome_seconds_sum{action=\"drain\",provider=\"aws\",result=\"succeeded\"}",
                80.0,
            ),
            (
                "time_left_seconds_sum{action=\"drain\",provider=\"aws\",result=\"succeeded\"}",
                40.0,
            ),
            (
                "time_left_seconds_sum{action=\"drain\",provider=\"aws\",result=\"failed\"}",
                -5.0,
            ),
            (
                "time_left_seconds_bucket{action=\"drain\",provider=\"aws\",result=\"failed\",le=\"0\"}",
                1.0,
            ),
            (
                "incident_events_total{cluster=\"prod\",event=\"opened\",mode=\"live\"}",
                1.0,
            ),
            (
                "run_events_total{event=\"started\",mode=\"live\",result=\"none\",rule=\"spot\"}",
                1.0,
            ),
            (
                "run_events_total{event=\"finished\",mode=\"live\",result=\"succeeded\",rule=\"spot\"}",
                1.0,
            ),
            ("run_seconds_sum{result=\"succeeded\"}", 81.0),
            ("metrics_counted_total{stream=\"HT_NOTICES\"}", 5.0),
            ("metrics_counted_total{stream=\"HT_OUTCOMES\"}", 6.0),
            ("metrics_unreadable_total{stream=\"HT_OUTCOMES\"}", 0.0),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_counted_as_such_and_stops_nothing() {
    let world = World::new().await;
    let replica = world.replica().await;
    let names = || ("prod".to_owned(), "i-1".to_owned());
    let (cluster, instance) = names();
    let subjects = [
        Subject::Notice {
            cluster: cluster.clone(),
            kind: "x".to_owned(),
            instance: instance.clone(),
        },
        Subject::Action {
            cluster: cluster.clone(),
            action: "x".to_owned(),
            instance: instance.clone(),
        },
        Subject::Outcome {
            cluster: cluster.clone(),
            action: "x".to_owned(),
            result: "x".to_owned(),
            instance: instance.clone(),
        },
        Subject::Incident {
            cluster: cluster.clone(),
            event: IncidentEvent::Opened,
            instance: instance.clone(),
        },
        Subject::Run {
            cluster: cluster.clone(),
            event: RunEvent::Started,
            instance,
        },
        Subject::Dead {
            cluster,
            origin: "x".to_owned(),
            consumer: "x".to_owned(),
        },
    ];
    let notice = notice_about("i-9").wire;
    let bodies = [
        Wire::default(),
        Wire {
            body: Bytes::from_static(b"\xff\xfe\0garbage"),
            ..Wire::default()
        },
        Wire {
            body: Bytes::from(vec![b'{'; 100_000]),
            ..Wire::default()
        },
        Wire {
            headers: vec![("ce-specversion".to_owned(), "9.9".to_owned())],
            ..Wire::default()
        },
        // An event, but of no stream beside its own.
        Wire {
            body: Bytes::from_static(b"[]"),
            ..notice
        },
    ];
    for subject in &subjects {
        for (number, wire) in bodies.iter().enumerate() {
            let out = Outgoing {
                subject: subject.clone(),
                wire: wire.clone(),
                message_id: MessageId::of(&subject.to_string(), &number.to_string()),
            };
            world.send(out).await;
        }
    }
    for stream in Stream::ALL {
        world.all_taken(stream).await;
    }
    world.send(notice_about("i-1")).await;
    world.all_taken(Stream::Notices).await;
    let text = replica.stop().await;
    check(
        &text,
        &[
            ("metrics_unreadable_total{stream=\"HT_NOTICES\"}", 5.0),
            ("metrics_unreadable_total{stream=\"HT_ACTIONS\"}", 5.0),
            ("metrics_unreadable_total{stream=\"HT_OUTCOMES\"}", 5.0),
            ("metrics_unreadable_total{stream=\"HT_INCIDENTS\"}", 10.0),
            // A dead letter's body is whatever it was.
            (
                "dead_letters_total{class=\"none\",consumer=\"none\",stream=\"other\"}",
                5.0,
            ),
            ("metrics_counted_total{stream=\"HT_NOTICES\"}", 6.0),
            (
                "notices_total{cluster=\"prod\",kind=\"spot-interruption\",mode=\"live\",provider=\"aws\",state=\"active\"}",
                1.0,
            ),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_bounded() {
    let world = World::new().await;
    for number in 0..40 {
        let notice = proto::Notice {
            cluster: format!("c-{number}"),
            kind: format!("kind-{number}"),
            provider: format!("cloud-{number}"),
            ..notice(&format!("i-{number}"))
        };
        world.send(told(notice)).await;
    }
    let url = world.nats.url();
    let few = crate::world::settings(&[("HT_METRICS__CLUSTERS", "2"), ("HT_METRICS__KINDS", "19")]);
    let replica = crate::world::Replica::start(&url, few).await;
    world.all_taken(Stream::Notices).await;
    let text = replica.stop().await;
    let of = |label: &str| {
        let mut values: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("hollowtrees_notices_total{"))
            .filter_map(|line| line.split(&format!("{label}=\"")).nth(1)?.split('"').next())
            .collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    };
    // The bound and `other`; 18 kinds are known from the start.
    assert_eq!((of("cluster"), of("kind"), of("provider")), (3, 2, 17));
}
