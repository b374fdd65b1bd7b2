use hollowtrees_bus::{
    apply,
    topology::{self, Consumer, Profile},
};
use hollowtrees_harness::NatsCluster;

use crate::support::{Stage, program, run};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_made_once() {
    let stage = Stage::bare().await;
    stage
        .run("bus check --cluster prod")
        .ended(1)
        .says("HT_NOTICES: missing")
        .says("22 differences; `hollowtrees bus apply`");
    stage
        .run("bus apply --cluster prod --worker page=page,call --worker mine@prod=x")
        .ended(0)
        .says("made     HT_NOTICES\n")
        .says("made     KV_ht_runs\n")
        .says("made     HT_NOTICES/router-notices\n")
        .says("made     HT_ACTIONS/drain-prod\n")
        .says("made     HT_ACTIONS/asg-swap\n")
        .says("made     HT_ACTIONS/notify\n")
        .says("made     HT_ACTIONS/page\n")
        .says("made     HT_ACTIONS/mine-prod\n")
        .says("11 streams and buckets (one copy each) and 13 consumers are as declared; 24 changes");
    stage
        .run("bus apply --cluster prod")
        .ended(0)
        .says("nothing was changed");
    stage
        .run("bus check --cluster prod")
        .ended(0)
        .says("everything is as declared");
    // What the drain worker of that cluster will look for.
    let bus = stage.bus().await;
    let drain = Consumer::actions(
        "drain",
        Some("prod"),
        &["cordon", "drain", "remove-node", "uncordon"],
    );
    assert_eq!(apply::check(&bus, Profile::LOCAL, &[drain]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_told_and_removed() {
    let stage = Stage::bare().await;
    let bus = stage.bus().await;
    // An operator's own sizes, and a consumer with another filter.
    let roomy = Profile {
        stream_bytes: 64 * 1024 * 1024,
        ..Profile::LOCAL
    };
    let mut consumers = topology::consumers();
    consumers.push(Consumer::actions("notify", None, &["notify", "tell"]));
    consumers.push(Consumer::actions("asg-swap", None, &["asg-swap"]));
    apply::apply(&bus, roomy, &consumers).await.unwrap();

    let found = stage.json("bus check").ended(1).object();
    let differences = found["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 6, "{found}");
    let notify = differences
        .iter()
        .find(|found| found["what"] == "HT_ACTIONS/notify")
        .unwrap();
    assert_eq!(
        (&notify["setting"], &notify["weight"]),
        (&"filter_subjects".into(), &"meaning".into())
    );
    stage
        .run("bus check --ignore-sizing")
        .ended(1)
        .says("HT_ACTIONS/notify: filter_subjects is [")
        .says("1 difference;");
    stage
        .run("bus apply")
        .ended(0)
        .says("changed  HT_NOTICES: max_bytes from 67108864 to 134217728\n")
        .says("changed  HT_ACTIONS/notify: filter_subjects from [")
        .says("; 6 changes");
    let applied = stage.json("bus apply").ended(0).object();
    assert_eq!(applied, serde_json::json!({ "changed": [], "replicas": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_stay_as_they_are_unless_told_otherwise() {
    let cluster = NatsCluster::start(3).await.unwrap();
    let url = cluster.urls().join(",");
    let ask = |arguments: &[&str]| {
        let mut command = program(arguments);
        command
            .env("HT_NATS__URL", &url)
            .env("HT_NATS__REQUEST_TIMEOUT", "10s");
        run(command)
    };
    ask(&["bus", "apply", "--replicas", "3"])
        .ended(0)
        .says("(3 copies each)");
    ask(&["bus", "apply"])
        .ended(0)
        .says("(3 copies each)")
        .says("nothing was changed");
    ask(&["bus", "check"]).ended(0);
    ask(&["bus", "check", "--replicas", "1"])
        .ended(1)
        .says("num_replicas is 3, declared 1");
    ask(&["bus", "apply", "--replicas", "2"])
        .ended(2)
        .complains("copies are 1 (one server) or 3 (a cluster)");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_a_bus_that_is_not_there_yet() {
    let stage = Stage::bare().await;
    stage.nats.kill();
    stage
        .run("bus apply --wait 1s")
        .ended(69)
        .complains("cannot reach NATS");
    let mut waiting = stage.start("bus apply --wait 1m");
    stage.nats.restart().await.unwrap();
    waiting.until(&["consumers are as declared; 21 changes"]);
}
