use hollowtrees_harness::{eventually, supervise::Signal};

use crate::support::{BOUND, Router, World, notice, rule, rules, spot};

fn drains() -> String {
    rules(&[rule("r", "alert", "  steps: [{ actions: [drain] }]\n")])
}

/// Waits until the router has read rules anew, with this result and this often so far.
async fn reloads(router: &Router, result: &str, count: f64) {
    let series = format!("hollowtrees_router_rules_reloads_total{{result=\"{result}\"}}");
    eventually(format!("{series} to be {count}"), BOUND, || async {
        let found = router.metric(&series).await;
        if (found - count).abs() < 0.1 {
            Ok(())
        } else {
            Err(found)
        }
    })
    .await;
}

#[tokio::test]
async fn changed_rules_are_taken_at_a_hangup_and_bad_ones_are_not() {
    let mut world = World::start().await;
    // In this test nothing but the signal can have done it.
    let router = world.router_checking(&drains(), "1h").await;
    std::fs::write(router.rules_file(), drains().replace("steps", "stepz")).unwrap();
    world.send(notice("alert", "i-1")).await;
    world.action("drain", "i-1").await;
    reloads(&router, "bad", 0.0).await;
    router.worker.signal(Signal::HUP).unwrap();
    let told =
        "rules[0].stepz: expected one of the keys name, description, match, steps, on_cancel, found `stepz`";
    router.worker.logged(told, BOUND).await.unwrap();
    reloads(&router, "bad", 1.0).await;
    world.send(notice("alert", "i-2")).await;
    world.action("drain", "i-2").await;
    assert!((router.metric("hollowtrees_router_rules_bad").await - 1.0).abs() < 0.1);

    std::fs::write(router.rules_file(), drains().replace("drain", "cordon")).unwrap();
    world.send(notice("alert", "i-3")).await;
    world.action("drain", "i-3").await;
    reloads(&router, "ok", 0.0).await;
    router.worker.signal(Signal::HUP).unwrap();
    reloads(&router, "ok", 1.0).await;
    world.send(notice("alert", "i-4")).await;
    world.action("cordon", "i-4").await;
    assert!(router.metric("hollowtrees_router_rules_bad").await < 0.1);
}

#[tokio::test]
async fn a_changed_file_is_found_without_a_signal() {
    let mut world = World::start().await;
    let router = world.router_checking(&drains(), "200ms").await;
    std::fs::write(router.rules_file(), drains().replace("drain", "cordon")).unwrap();
    reloads(&router, "ok", 1.0).await;
    world.send(notice("alert", "i-1")).await;
    world.action("cordon", "i-1").await;

    // As Kubernetes changes a file of a ConfigMap: another one takes its name.
    let next = router.rules_file().with_extension("next");
    std::fs::write(&next, drains().replace("steps", "stepz")).unwrap();
    std::fs::rename(next, router.rules_file()).unwrap();
    reloads(&router, "bad", 1.0).await;
    world.send(notice("alert", "i-2")).await;
    world.action("cordon", "i-2").await;
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
