//! Our own interruptions, from a real bus.

use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Profile},
};
use hollowtrees_harness::Nats;
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    outgoing, proto,
};

use crate::world::{Ground, order, pool, reasons};

const QUERY: &str = "like=m5.xlarge&zones=us-east-1a,us-east-1b&count=4";

fn lost(instance: &str, change: impl FnOnce(&mut proto::Notice)) -> outgoing::Outgoing {
    let mut notice = proto::Notice {
        cluster: "prod".to_owned(),
        provider: "aws".to_owned(),
        region: "us-east-1".to_owned(),
        zone: "us-east-1a".to_owned(),
        instance: instance.to_owned(),
        instance_type: "m5.xlarge".to_owned(),
        kind: "spot-interruption".to_owned(),
        ..proto::Notice::default()
    };
    change(&mut notice);
    outgoing::notice(
        &envelope::notice(notice, "/aws/1/us-east-1/imds"),
        DataFormat::Json,
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_that_lost_instances_lately_come_later_also_after_a_restart() {
    let ground = Ground::new().await;
    let nats = Nats::start().await.unwrap();
    let bus = Bus::connect(&Options::new(nats.url())).await.unwrap();
    apply::apply(&bus, Profile::LOCAL, &topology::consumers())
        .await
        .unwrap();
    let url = nats.url();
    let env = [
        ("HT_SOURCES__INTERRUPTIONS", "true"),
        ("HT_NATS__URL", url.as_str()),
    ];
    let process = ground.recommender(&env).await;
    let before = process
        .until("the stream to be read", QUERY, |body| {
            body["sources"]["interruptions"]["read"] == true
        })
        .await;
    assert_eq!(order(&before)[0], "m5.xlarge us-east-1a");
    bus.publish(&lost("i-1", |_| {}), None).await.unwrap();
    // These count nothing.
    bus.publish(&lost("i-2", |notice| notice.mode = "test".to_owned()), None)
        .await
        .unwrap();
    bus.publish(
        &lost("i-3", |notice| notice.region = "eu-west-1".to_owned()),
        None,
    )
    .await
    .unwrap();
    bus.publish(&lost("i-4", |notice| notice.instance_type.clear()), None)
        .await
        .unwrap();
    let heard = |body: &serde_json::Value| {
        let told = &body["sources"]["interruptions"];
        told["counted"] == 1 && told["of_unknown_pools"] == 1
    };
    let after = process.until("the loss to count", QUERY, heard).await;
    assert_ne!(order(&after)[0], "m5.xlarge us-east-1a");
    let why = reasons(pool(&after, "m5.xlarge", "us-east-1a"));
    assert!(why.contains("1 of ours interrupted there"), "{why}");
    let counted = r#"hollowtrees_recommender_interruptions{pool="known",region="us-east-1"}"#;
    assert_eq!(process.value(counted).await, Some(1.0));
    // Another process reads it all again.
    let other = ground.recommender(&env).await;
    let there = other.until("the loss to count there too", QUERY, heard).await;
    assert_eq!(order(&there), order(&after));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bus_it_answers_from_prices() {
    let ground = Ground::new().await;
    let process = ground
        .recommender(&[
            ("HT_SOURCES__INTERRUPTIONS", "true"),
            ("HT_NATS__URL", "nats://127.0.0.1:1"),
        ])
        .await;
    let body = process.pools(QUERY).await;
    assert_eq!(body["sources"]["interruptions"]["read"], false);
    // Ready, and told.
    hollowtrees_harness::eventually("what is amiss to be told", crate::world::BOUND, async || {
        let ready = process.told("/readyz").await;
        if ready.starts_with("ready\n") && ready.contains("notices: ") {
            Ok(())
        } else {
            Err(ready)
        }
    })
    .await;
}
