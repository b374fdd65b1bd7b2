use hollowtrees_harness::supervise::Signal;

use crate::support::{BOUND, World, notice, rule, rules, spot};

#[tokio::test]
async fn changed_rules_are_taken_and_bad_ones_are_not() {
    let drains = rules(&[rule("r", "alert", "  steps: [{ actions: [drain] }]\n")]);
    let (mut world, router) = World::with_router(&drains).await;
    world.send(notice("alert", "i-1")).await;
    world.action("drain", "i-1").await;
    std::fs::write(router.rules_file(), drains.replace("steps", "stepz")).unwrap();
    router.worker.signal(Signal::HUP).unwrap();
    let told =
        "rules[0].stepz: expected one of the keys name, description, match, steps, on_cancel, found `stepz`";
    router.worker.logged(told, BOUND).await.unwrap();
    world.send(notice("alert", "i-2")).await;
    world.action("drain", "i-2").await;
    assert!((router.metric("hollowtrees_router_rules_bad").await - 1.0).abs() < 0.1);
    std::fs::write(router.rules_file(), drains.replace("drain", "cordon")).unwrap();
    hollowtrees_harness::eventually("the new rules", BOUND, || async {
        router
            .metric(r#"hollowtrees_router_rules_reloads_total{result="ok"}"#)
            .await
            > 0.5
    })
    .await;
    world.send(notice("alert", "i-3")).await;
    world.action("cordon", "i-3").await;
}

#[tokio::test]
async fn a_router_does_not_start_with_bad_rules() {
    let world = World::start().await;
    let router = world.router("version: 1\nrules:\n- nam: r\n").await;
    let status = router.worker.exited(BOUND).await.unwrap();
    assert_eq!(status.code(), Some(64));
    router
        .worker
        .logged("rules[0].nam: expected one of the keys", BOUND)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_clean_end_loses_and_repeats_nothing() {
    let (mut world, router) = World::with_router("").await;
    for number in 0..50 {
        world.send(spot(&format!("i-{number}"))).await;
    }
    let status = router.worker.terminate(BOUND).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", router.worker.log().unwrap());
    router.worker.restart().unwrap();
    for number in 0..50 {
        world.action("drain", &format!("i-{number}")).await;
        world.action("asg-swap", &format!("i-{number}")).await;
    }
    assert!(world.rest(std::time::Duration::from_millis(700)).await.is_empty());
}
