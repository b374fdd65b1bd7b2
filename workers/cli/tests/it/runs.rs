use hollowtrees_bus::{dead::Class, topology::Consumer};
use hollowtrees_domain::words::Outcome;
use hollowtrees_harness::eventually;
use hollowtrees_schemas::proto;

use crate::{
    support::Stage,
    world::{self, Case, interruption},
};

/// The order in which texts appear.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest
            .find(part)
            .unwrap_or_else(|| panic!("{part:?} after what was found before it in\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_an_instance_in_one_command() {
    let (stage, bus) = Stage::set().await;
    let notice = interruption("prod", "i-0abc", 120);
    let mut case = Case::opened(&bus, &notice).await;
    let again = proto::Notice {
        kind: "instance-state-change".to_owned(),
        ..notice.clone()
    };
    world::tell(&bus, &again, "/aws/123456789012/eu-west-1/eventbridge").await;
    case.progress("drain", "cordoned").await;
    case.claims("asg-swap").await;
    let drain = Consumer::actions("drain", Some("prod"), &["drain"]);
    let id = case.action("drain");
    world::bury(&bus, &drain, Class::Poison, "it broke off 5 times", Some(&id)).await;
    case.ends("drain", Outcome::Failed, "poison").await;

    let said = stage.run("runs show i-0abc").ended(0);
    println!("{}", said.out);
    in_order(
        &said.out,
        &[
            "i-0abc in prod: open, certain\n",
            "instance      aws, account 123456789012, eu-west-1a, m5.large, node ip-10-0-0-1, group workers\n",
            "first notice  20",
            "deadline      20",
            "in 11",
            "+0.000s  notice      spot-interruption active, certain, deadline +1",
            "terminate; from /aws/123456789012/eu-west-1/imds\n",
            "incident    opened, certain, deadline +1",
            "run         spot-interruption (certain) started\n",
            "action      drain, deadline +1",
            "] for rule spot-interruption (certain)\n",
            "action      asg-swap, ",
            "notice      instance-state-change active",
            "progress    drain: cordoned (drain/drain-7f)\n",
            "dead        letter 1: poison by drain-prod: it broke off 5 times (ht.action.v1.prod.drain.i-0abc)\n",
            "outcome     drain failed: poison (drain/drain-7f, took 1.5s, 11",
            "before its deadline)\n",
            "run spot-interruption (certain): running, step 1 of 2\n",
            "drain     failed +",
            "poison\n",
            "asg-swap  running since +",
            "on drain/drain-7f, attempt 2, which is gone, and nobody else serves it\n",
            "notify    waits for the step before it\n",
        ],
    );

    let story = stage.json("runs show i-0abc --cluster prod").ended(0).object();
    let episode = &story["episodes"][0];
    assert_eq!(story["instance"], "i-0abc");
    assert_eq!(
        (&episode["cluster"], &episode["mode"], &episode["generation"]),
        (&"prod".into(), &"live".into(), &1.into())
    );
    assert_eq!(episode["incident"]["state"], "open");
    assert_eq!(episode["runs"][0]["rule"], "spot-interruption");
    assert_eq!(episode["atWork"][0]["owner"], "drain/drain-7f");
    let events = episode["events"].as_array().unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "notice", "incident", "run", "action", "action", "notice", "progress", "dead", "outcome"
        ]
    );
    assert_eq!(events[0]["afterSeconds"], 0.0);
    assert_eq!(events[0]["data"]["kind"], "spot-interruption");
    assert_eq!(events[1]["what"], "opened");
    assert!(events[8]["afterSeconds"].as_f64().unwrap() > 0.0);
    assert_eq!(story["loose"], serde_json::json!([]));

    case.ends("asg-swap", Outcome::Succeeded, "").await;
    case.ends("notify", Outcome::Expired, "not-served").await;
    case.closes().await;
    let said = stage.run("runs show i-0abc").ended(0);
    in_order(
        &said.out,
        &[
            "i-0abc in prod: closed",
            "action      notify",
            "run         spot-interruption (certain) finished: failed\n",
            "incident    closed\n",
            "run spot-interruption (certain): failed after ",
            "notify    expired +",
            "not-served",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_tells_of_each_pod_trouble_first_and_no_more_than_a_screen() {
    let (stage, bus) = Stage::set().await;
    let mut case = Case::opened(&bus, &interruption("prod", "i-9", 120)).await;
    let evicted: Vec<_> = (0..30).map(|i| format!("shop/web-{i:02}")).collect();
    let detail = serde_json::json!({
        "node": "ip-10-0-0-1",
        "counts": {"evicted": 30, "forced": 1, "left": 1},
        "evicted": evicted,
        "forced": [{"pod": "shop/db-0", "budgets": ["db"], "refusal": "No room.", "grace_seconds": 12}],
        "left": [{"pod": "shop/slow", "reason": "still ending"}],
    });
    case.ends_with("drain", Outcome::Failed, "deadline", Some(detail))
        .await;

    let said = stage.run("runs show i-9").ended(0);
    println!("{}", said.out);
    in_order(
        &said.out,
        &[
            "    drain     failed +",
            "      POD          RESULT   WHY\n",
            "      shop/slow    left     still ending\n",
            "      shop/db-0    forced   deleted past db with 12 s of grace: No room.\n",
            "      shop/web-00  evicted  -\n",
            "      shop/web-17  evicted  -\n",
            "      and 12 more; `--all-pods` shows them\n",
            "    asg-swap  ",
        ],
    );
    assert!(!said.out.contains("web-18"), "{}", said.out);
    let said = stage.run("runs show i-9 --all-pods").ended(0).says("shop/web-29");
    assert!(!said.out.contains("--all-pods"), "{}", said.out);
    let story = stage.json("runs show i-9").ended(0).object();
    let drain = &story["episodes"][0]["drains"][0];
    assert_eq!(drain["actionId"], case.action("drain").as_str());
    assert_eq!(drain["pods"].as_array().unwrap().len(), 32);
    assert_eq!(
        drain["pods"][0],
        serde_json::json!({"pod": "shop/slow", "result": "left", "why": "still ending"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_episode_cluster_and_mode_is_told_apart() {
    let (stage, bus) = Stage::set().await;
    let mut first = Case::opened(&bus, &interruption("prod", "i-1", 120)).await;
    for kind in ["drain", "asg-swap", "notify"] {
        first.ends(kind, Outcome::Succeeded, "").await;
    }
    first.closes().await;
    let second = proto::Notice {
        event_id: "another".to_owned(),
        ..interruption("prod", "i-1", 300)
    };
    Case::opened(&bus, &second).await;
    let test = proto::Notice {
        mode: "test".to_owned(),
        ..interruption("prod", "i-1", 120)
    };
    Case::opened(&bus, &test).await;
    Case::opened(&bus, &interruption("stage", "i-1", 120)).await;

    let story = stage.json("runs show i-1").ended(0).object();
    let told: Vec<_> = story["episodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|episode| {
            let events = episode["events"].as_array().unwrap();
            let notices = events.iter().filter(|event| event["event"] == "notice").count();
            (
                episode["cluster"].as_str().unwrap().to_owned(),
                episode["mode"].as_str().unwrap().to_owned(),
                episode["generation"].as_u64().unwrap(),
                notices,
                events.first().unwrap()["afterSeconds"].as_f64().unwrap(),
            )
        })
        .collect();
    let expected =
        |cluster: &str, mode: &str, generation| (cluster.to_owned(), mode.to_owned(), generation, 1, 0.0);
    assert_eq!(
        told,
        [
            expected("prod", "live", 1),
            expected("prod", "live", 2),
            expected("prod", "test", 1),
            expected("stage", "live", 1)
        ]
    );
    stage
        .run("runs show i-1")
        .ended(0)
        .says("i-1 in prod (mode test): open")
        .says("i-1 in prod, generation 2: open")
        .says("notify    succeeded +");
    let one = stage.json("runs show i-1 --cluster stage").ended(0).object();
    assert_eq!(one["episodes"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hardly_known_is_told_too() {
    let (stage, bus) = Stage::set().await;
    // Nothing at all.
    stage
        .run("runs show i-0none")
        .ended(1)
        .complains("error: nothing is known of i-0none in any cluster");
    let said = stage.json("runs show i-0none --cluster prod").ended(1);
    assert_eq!(said.out, "");
    let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["error"]["code"], 1);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("in cluster prod")
    );

    // A notice no router has met, which was long on its way.
    let mut late = interruption("prod", "i-2", -5);
    late.noticed_at.as_mut().unwrap().seconds -= 125;
    world::tell(&bus, &late, "/aws").await;
    stage
        .run("runs show i-2")
        .ended(0)
        .says("i-2 in prod: no incident")
        .says("no router has taken it up")
        .says("+0.000s  notice      spot-interruption active, certain, deadline -5.")
        .says("seen 125.0s before it was stored, late; from /aws\n");

    // Garbage on its subject, and its dead letter.
    let mut garbage = hollowtrees_schemas::outgoing::notice(
        &hollowtrees_schemas::envelope::notice(interruption("prod", "i-3", 1), "/aws"),
        hollowtrees_schemas::envelope::DataFormat::Json,
    )
    .unwrap();
    garbage.wire.body = b"\x1b[2Jnot json".to_vec().into();
    bus.publish(&garbage, None).await.unwrap();
    let mut router = Consumer::router_notices();
    router.filters = vec!["ht.notice.v1.*.*.i-3".to_owned()];
    router.name = "router-garbage".to_owned();
    hollowtrees_bus::apply::apply_consumer(&bus, &router, hollowtrees_bus::topology::Profile::LOCAL)
        .await
        .unwrap();
    world::bury(&bus, &router, Class::Undecodable, "no JSON", None).await;
    stage
        .run("runs show i-3")
        .ended(0)
        .says("of i-3, in no incident:")
        .says("unreadable  prod: ht.notice.v1.prod.spot-interruption.i-3: ")
        .says("dead        prod: letter 1: undecodable by router-garbage: no JSON");

    // Only records: the streams have forgotten it.
    let case = Case::opened(&bus, &interruption("prod", "i-4", 120)).await;
    let mut record = proto::Incident::from(&case.incident);
    record.instance = "i-5".to_owned();
    bus.incidents().create("prod.i-5", &record).await.unwrap();
    stage
        .run("runs show i-5")
        .ended(0)
        .says("first known")
        .says("the streams no longer have its messages");

    // No rule applied.
    record.instance = "i-7".to_owned();
    record.runs.clear();
    bus.incidents().create("prod.i-7", &record).await.unwrap();
    stage
        .run("runs show i-7")
        .ended(0)
        .says("  no run: no rule applied; `hollowtrees rules explain` says why");

    // A record of a newer version.
    record.schema = 9;
    bus.incidents().create("prod.i-6", &record).await.unwrap();
    stage
        .run("runs show i-6")
        .ended(0)
        .complains("warning: ht_incidents/prod.i-6 has layout 9");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed() {
    let (stage, bus) = Stage::set().await;
    stage.run("runs list").ended(0).says("no runs");
    stage
        .run("runs list --unfinished")
        .ended(0)
        .says("no unfinished runs");
    assert_eq!(stage.json("runs list").ended(0).out, "");
    let mut done = Case::opened(&bus, &interruption("prod", "i-1", 120)).await;
    for kind in ["drain", "asg-swap", "notify"] {
        done.ends(kind, Outcome::Succeeded, "").await;
    }
    Case::opened(&bus, &interruption("prod", "i-2", 600)).await;
    Case::opened(&bus, &interruption("stage", "i-2", 120)).await;

    let said = stage.run("runs list").ended(0);
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", said.out);
    let column = lines[0].find("ACTIONS").unwrap();
    assert!(lines[0].starts_with("STARTED                   CLUSTER  INSTANCE  MODE"));
    assert_eq!(
        &lines[1][column..],
        "drain: succeeded, asg-swap: succeeded, notify: succeeded"
    );
    assert_eq!(
        &lines[2][column..],
        "drain: published, asg-swap: published, notify: planned"
    );
    assert!(lines[2].contains("step 1 of 2"), "{}", lines[2]);
    assert!(!said.out.contains('\u{1b}'), "no colours");

    let instances = |line: &str| -> Vec<String> {
        stage
            .json(line)
            .ended(0)
            .objects()
            .iter()
            .map(|run| {
                format!(
                    "{}/{}",
                    run["cluster"].as_str().unwrap(),
                    run["instance"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(instances("runs list --unfinished"), ["prod/i-2", "stage/i-2"]);
    assert_eq!(instances("runs list --cluster prod"), ["prod/i-1", "prod/i-2"]);
    assert_eq!(instances("runs list --instance i-2"), ["prod/i-2", "stage/i-2"]);
    assert_eq!(
        instances("runs list --instance i-2 --cluster stage"),
        ["stage/i-2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_sent_and_waited_for() {
    let (stage, bus) = Stage::set().await;
    let router = {
        let bus = bus.clone();
        tokio::spawn(async move {
            // The notice that was sent is on the stream: take it up as a router would.
            let message = eventually("the notice", std::time::Duration::from_secs(30), async || {
                let mut reading = bus
                    .read(
                        hollowtrees_schemas::names::Stream::Notices,
                        &[],
                        hollowtrees_bus::read::From::First,
                        hollowtrees_bus::read::Until::Present,
                    )
                    .await
                    .unwrap();
                reading.next().await.unwrap()
            })
            .await;
            let notice =
                hollowtrees_schemas::envelope::Envelope::<proto::Notice>::decode(&message.wire).unwrap();
            let mut case = Case::opened(&bus, &notice.data).await;
            for kind in ["drain", "asg-swap", "notify"] {
                case.ends(kind, Outcome::Skipped, "test").await;
            }
        })
    };
    let said = stage
        .run("notice send --cluster prod --instance i-7 --in 2m --wait 30s")
        .ended(0);
    router.await.unwrap();
    in_order(
        &said.out,
        &[
            "stored as number 1",
            "i-7 in prod (mode test): open",
            "run spot-interruption (certain): succeeded",
        ],
    );
    stage
        .run("notice send --cluster prod --instance i-8 --wait 1s")
        .ended(1)
        .says("i-8 in prod (mode test): no incident")
        .complains("no router has taken the notice up");
}
