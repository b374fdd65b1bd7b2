//! Back to spot with just the permissions of `docs/nats-permissions.md` and the rules of the chart's README.

use std::time::Duration;

use hollowtrees_domain::{
    notice::Notice,
    rule::{Candidate, Rules},
    words::OnFailure,
};
use hollowtrees_harness::{
    aws::{Instance, NewGroup, Service},
    helm,
};
use hollowtrees_schemas::{envelope, names::Stream, proto};
use jiff::Timestamp;

use crate::{
    bus::{Raw, server, subjects, violations},
    documents::{find, rendered, with},
    stack::{CLUSTER, Process, Stack},
};

const USER: &str = "asg-swap";
/// The shortest `swap.spot_again`.
const EVERY: Duration = Duration::from_secs(10);

/// The rules of the README's values, as the chart renders them for the router.
async fn rules() -> String {
    let readme = std::fs::read_to_string(helm::chart().join("README.md")).unwrap();
    let section = readme
        .split("\n## Back to spot\n")
        .nth(1)
        .expect("the README says how");
    let values = section.split("```yaml\n").nth(1).expect("its values");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("values.yaml");
    std::fs::write(&file, values.split("```").next().unwrap()).unwrap();
    let objects = rendered(&with("minimal").values(&file)).await;
    let config = &find(&objects, "ConfigMap", "hollowtrees-asg-swap")["data"]["config.toml"];
    assert!(
        config.as_str().unwrap().contains("spot_again = \"1h\""),
        "{config}"
    );
    let rules = &find(&objects, "ConfigMap", "hollowtrees-router-rules")["data"]["rules.yaml"];
    rules.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_rules_of_the_readme_answer_spot_again_apart_from_interruptions() {
    let rules = Rules::parse(&rules().await, "README.md").unwrap();
    let names = |kind: &str| {
        let notice = proto::Notice {
            cluster: CLUSTER.to_owned(),
            provider: "aws".to_owned(),
            instance: "i-1".to_owned(),
            kind: kind.to_owned(),
            certainty: "advisory".to_owned(),
            ..proto::Notice::default()
        };
        let envelope = envelope::notice(notice, "/aws/1/eu/asg-swap");
        let attributes = envelope.attributes();
        let notice = Notice::parse(envelope.data, &envelope.source, Timestamp::now()).unwrap();
        let candidate = Candidate {
            attributes: &attributes,
            notice: &notice,
        };
        let found = rules.matching(&candidate);
        found.map(|rule| rule.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("spot-again"), ["spot-again"]);
    assert_eq!(names("spot-interruption"), ["going"]);
    assert_eq!(names("preempted"), ["going"]);
    // By itself it drains nothing: what the swap cannot replace stays as it is.
    let steps = &rules.get("spot-again").unwrap().steps;
    assert_eq!(steps[0].on_skipped, OnFailure::Stop);
    let kinds = |step: usize| -> Vec<&str> {
        let actions = steps[step].actions.iter();
        actions.map(|action| action.kind.as_str()).collect()
    };
    assert_eq!((kinds(0), kinds(1)), (vec!["asg-swap"], vec!["drain"]));
}

/// A swap worker that looks often.
async fn swapping(stack: &Stack, env: &[(&str, &str)]) -> Process {
    let own = [("HT_SWAP__POLL", "200ms")]
        .into_iter()
        .chain(env.iter().copied());
    stack.worker(USER, &own.collect::<Vec<_>>()).await
}

async fn replacement(stack: &Stack, old: &str) -> Instance {
    let all = stack.aws.instances().await.unwrap();
    let replaces = |found: &Instance| {
        let by_tag = found.tags.get("hollowtrees.io/replaces");
        by_tag.is_some_and(|replaced| replaced == old) && found.state == "running"
    };
    all.into_iter().find(replaces).expect("a replacement")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fell_back_goes_back_by_the_readmes_rules_and_the_pages_permissions() {
    let mut world = Stack::start().await;
    let router = world.router(&rules().await).await;

    // An interrupted instance is replaced on demand, since there is no spot.
    let group = NewGroup::new("blue")
        .zones(&["us-east-1a"])
        .types(&["m5.large", "m4.large"])
        .sizes(1, 1, 2)
        .spot()
        .tag("hollowtrees.io/fallback", "on-demand", false);
    let old = world.aws.create(&group).await.unwrap().members.remove(0).0;
    let no_spot = Service::Ec2
        .fault("InsufficientInstanceCapacity", 500)
        .containing("Action=RunInstances&")
        .containing("MarketType=spot");
    world.aws.inject(no_spot);
    let off = [("HT_SWAP__SPOT_AGAIN", "0s"), ("HT_SWEEP__ORPHANS", "off")];
    let swapper = swapping(&world, &off).await;
    world.interrupt(&old).await;
    let outcome = world.ended("asg-swap").await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let bought = replacement(&world, &old).await;
    assert!(!bought.spot, "{bought:?}");
    swapper.terminate().await;

    // Spot is back; the next process tells of what it was bought for when it is time, and the router's rule answers.
    world.aws.heal();
    tokio::time::sleep(EVERY + Duration::from_secs(1)).await;
    let every = format!("{}s", EVERY.as_secs());
    let on = [
        ("HT_SWAP__SPOT_AGAIN", every.as_str()),
        ("HT_EXPORTER__EVERY", "1s"),
    ];
    let swapper = swapping(&world, &on).await;
    let outcome = world.ended("asg-swap").await;
    assert_eq!(
        (outcome.instance.as_str(), outcome.result.as_str()),
        (bought.id.as_str(), "succeeded"),
        "{outcome:?}"
    );
    assert!(replacement(&world, &bought.id).await.spot);
    let told = format!("ht.notice.v1.blue=2Eeu.spot-again.{}", bought.id);
    let notices = subjects(&world.operator, Stream::Notices).await;
    assert!(notices.contains(&told), "{notices:?}");

    world.puts_aside("asg-swap").await;
    swapper.terminate().await;
    router.terminate().await;
    assert_eq!(violations(&world.nats), Vec::<String>::new());
}

/// The page's permissions are enough for it.
#[tokio::test(flavor = "multi_thread")]
async fn one_replica_works_the_swaps_of_a_region_and_the_other_gives_it_its_own() {
    const MANY: u32 = 8;
    let mut world = Stack::start().await;
    let router = world.router(&rules().await).await;
    let swappers = [swapping(&world, &[]).await, swapping(&world, &[]).await];
    let group = NewGroup::new("blue").sizes(MANY, MANY, MANY);
    let olds = world.aws.create(&group).await.unwrap().members;
    for (old, _) in &olds {
        world.interrupt(old).await;
    }
    world.one_does_all("asg-swap", olds.len(), &swappers).await;
    for swapper in swappers {
        swapper.terminate().await;
    }
    router.terminate().await;
    assert_eq!(violations(&world.nats), Vec::<String>::new());
}

/// What it may do of all that others do.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_worker_tells_of_nothing_else() {
    let nats = server(&[CLUSTER]).await;
    let mut raw = Raw::connect(&nats, USER).await;
    for (subject, may) in [
        ("ht.notice.v1.blue=2Eeu.spot-again.i-1", true),
        ("ht.notice.v1.green.spot-again.i-1", true),
        ("ht.notice.v1.blue=2Eeu.spot-interruption.i-1", false),
        ("ht.outcome.v1.green.asg-swap.succeeded.i-1", true),
        ("ht.outcome.v1.green.drain.succeeded.i-1", false),
        ("ht.action.v1.green.asg-swap.i-1", false),
        ("ht.incident.v1.green.closed.i-1", false),
        ("ht.run.v1.green.finished.i-1", false),
        ("$KV.ht_groups.1.eu.asg", true),
        ("$KV.ht_incidents.green.i-1", false),
        ("$KV.ht_runs.green.i-1.1.r.certain", false),
        ("$KV.ht_workers.drain.1", false),
        ("$JS.API.CONSUMER.MSG.NEXT.HT_ACTIONS.drain-blue=2Eeu", false),
        ("$JS.API.CONSUMER.MSG.NEXT.HT_NOTICES.router-notices", false),
        ("$JS.API.CONSUMER.CREATE.HT_ACTIONS", false),
        ("$JS.API.STREAM.DELETE.HT_NOTICES", false),
    ] {
        assert_eq!(raw.publish(subject, "", "{}").await, may, "{subject}");
    }
    for subject in ["ht.>", "$KV.>", "_INBOX_router.>"] {
        assert!(!raw.subscribe(subject).await, "{subject}");
    }
}
