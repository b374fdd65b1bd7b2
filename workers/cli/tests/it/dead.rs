use hollowtrees_bus::{dead::Class, topology::Consumer};
use hollowtrees_schemas::names::header;

use crate::{
    support::Stage,
    world::{self, Case, interruption},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_shown_redriven_and_discarded() {
    let (stage, bus) = Stage::set().await;
    stage.run("dead list").ended(0).says("no dead letters");
    let case = Case::opened(&bus, &interruption("prod", "i-1", 120)).await;
    let drain = Consumer::actions("drain", Some("prod"), &["drain"]);
    let id = case.action("drain");
    let number = world::bury(&bus, &drain, Class::Rejected, "no such \u{1b}[31mnode", Some(&id)).await;

    let said = stage.run("dead list").ended(0);
    let row = said.out.lines().nth(1).unwrap();
    assert!(row.starts_with("1       20"), "{row}");
    assert!(
        row.ends_with("prod     i-1       HT_ACTIONS  drain-prod  rejected  3      no such  [31mnode"),
        "{row}"
    );
    let listed = stage
        .json("dead list --instance i-1 --since 1h")
        .ended(0)
        .object();
    assert_eq!(
        (
            &listed["sequence"],
            &listed["data"]["errorClass"],
            &listed["data"]["actionId"]
        ),
        (&number.into(), &"rejected".into(), &id.as_str().into())
    );
    for other in [
        "--instance i-2",
        "--cluster stage",
        "--since 2099-01-01T00:00:00Z",
    ] {
        assert_eq!(
            stage.json(&format!("dead list {other}")).ended(0).out,
            "",
            "{other}"
        );
    }

    stage
        .run("dead show 1")
        .ended(0)
        .says("class        rejected\n")
        .says("came from    HT_ACTIONS number 1, by consumer drain-prod\n")
        .says("subject      ht.action.v1.prod.drain.i-1\n")
        .says("    ce-type: io.hollowtrees.action.v1\n")
        .says("      \"kind\": \"drain\"");
    let shown = stage.json("dead show 1").ended(0).object();
    assert_eq!(
        (&shown["errorClass"], &shown["attempts"]),
        (&"rejected".into(), &3.into())
    );

    stage
        .run("dead redrive 1 --deadline 2030-01-02T03:04:05Z")
        .ended(0)
        .says("dead letter 1 is sent again as number 3, deadline 2030-01-02T03:04:05.000Z");
    let again = stage.json("dead redrive 1").ended(0).object();
    assert_eq!(
        (&again["duplicate"], &again["sequence"]),
        (&true.into(), &3.into())
    );
    let mut from = bus.consume(&drain, 1).await.unwrap();
    let redriven = from.next().await;
    assert_eq!(
        redriven.wire.header(header::DEADLINE),
        Some("2030-01-02T03:04:05Z")
    );
    redriven.ack().await;

    stage.run("dead discard 1").ended(0).says("dead letter 1 is gone");
    for line in ["dead show 1", "dead redrive 1 --in 2m", "dead discard 1 2"] {
        stage
            .run(line)
            .ended(1)
            .complains("no dead letter has the number 1; `hollowtrees dead list` shows those there are");
    }
    stage.run("dead show").ended(2);
    stage
        .run("dead show one")
        .ended(2)
        .complains("invalid value 'one'");
}
