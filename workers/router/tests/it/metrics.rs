//! What a router shows to Prometheus.

use hollowtrees_harness::{eventually, promtool::Promtool};
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    outgoing,
};

use crate::support::{BOUND, World, notice, rule, rules};

const STEPS: &str = "  steps: [{ actions: [drain] }]\n";

#[tokio::test]
async fn an_action_the_stream_had_already_is_counted_as_such() {
    // Two rules want one drain of one instance.
    let (mut world, router) =
        World::with_router(&rules(&[rule("a", "alert", STEPS), rule("b", "alert", STEPS)])).await;
    world.send(notice("alert", "i-1")).await;
    let action = world.action("drain", "i-1").await;
    for (stored, count) in [("new", 1.0), ("already", 1.0)] {
        let series =
            format!("hollowtrees_router_actions_published_total{{action=\"drain\",stored=\"{stored}\"}}");
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
    assert!(world.end(&action, "succeeded").await);
    for rule in ["a", "b"] {
        world.finished("i-1", 1, rule, "advisory").await;
    }
    assert!(world.rest(std::time::Duration::from_millis(500)).await.is_empty());
}

#[tokio::test]
async fn promtool_finds_nothing_to_say() {
    let (mut world, router) = World::with_router(&rules(&[rule("r", "alert", STEPS)])).await;
    world.send(notice("alert", "i-1")).await;
    world.send(notice("no-rule-for-it", "i-2")).await;
    let mut garbage = outgoing::notice(
        &envelope::notice(notice("alert", "i-3"), "/aws/1/eu/imds"),
        DataFormat::Json,
    )
    .unwrap();
    garbage.wire.body = b"\xff\xfe not json".as_slice().into();
    world.bus.publish(&garbage, None).await.unwrap();
    let action = world.action("drain", "i-1").await;
    assert!(world.end(&action, "succeeded").await);
    let shown = [
        r#"hollowtrees_router_runs_finished_total{result="succeeded"} 1"#,
        r#"hollowtrees_router_notices_unmatched_total{kind="no-rule-for-it"} 1"#,
        r#"hollowtrees_router_dead_letters_total{class="undecodable",feed="notice"} 1"#,
        r#"hollowtrees_router_handling_seconds_count{feed="outcome"} 1"#,
    ];
    let text = eventually("all of it to be counted", BOUND, || async {
        let text = router.scrape().await;
        match shown.iter().find(|sample| !text.contains(**sample)) {
            None => Ok(text),
            Some(missing) => Err(format!("no {missing} in\n{text}")),
        }
    })
    .await;
    let Some(promtool) = Promtool::find() else {
        return;
    };
    let (content, said) = promtool.run(["check", "metrics"], &text).unwrap();
    assert!(content && said.trim().is_empty(), "{said}");
}
