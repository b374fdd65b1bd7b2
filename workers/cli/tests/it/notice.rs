use hollowtrees_bus::read::{From, Until};
use hollowtrees_schemas::{envelope::Envelope, names::Stream, proto};

use crate::{
    support::Stage,
    world::{interruption, tell},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_sent_for_a_test() {
    let (stage, bus) = Stage::set().await;
    stage
        .run("notice send --cluster prod --instance i-0abc --in 2m --event-id e1 --node n1 --group g1 --label team=a")
        .ended(0)
        .says("spot-interruption of i-0abc in prod, mode test: stored as number 1")
        .says("`hollowtrees runs show i-0abc`");
    let mut reading = bus
        .read(Stream::Notices, &[], From::First, Until::Present)
        .await
        .unwrap();
    let message = reading.next().await.unwrap().unwrap();
    assert_eq!(message.subject, "ht.notice.v1.prod.spot-interruption.i-0abc");
    let sent = Envelope::<proto::Notice>::decode(&message.wire).unwrap();
    assert_eq!(sent.source, "/hollowtrees/prod/cli");
    let data = sent.data;
    assert_eq!(
        (
            data.mode.as_str(),
            data.node.as_str(),
            data.group.as_str(),
            data.event_id.as_str()
        ),
        ("test", "n1", "g1", "e1")
    );
    assert_eq!(data.labels["team"], "a");
    let left = data.deadline.unwrap().seconds - data.noticed_at.unwrap().seconds;
    assert_eq!(left, 120);

    // Said twice it is stored once.
    let line = "notice send --cluster prod --instance i-1 --deadline 2030-01-02T03:04:05Z --mode live \
                --state cancelled --certainty scheduled --kind scheduled-maintenance --provider gcp";
    let first = stage.json(line).ended(0).object();
    assert_eq!(
        (&first["sequence"], &first["duplicate"]),
        (&2.into(), &false.into())
    );
    assert_eq!(first["notice"]["deadline"], "2030-01-02T03:04:05Z");
    assert_eq!(first["subject"], "ht.notice.v1.prod.scheduled-maintenance.i-1");
    let again = stage.json(line).ended(0).object();
    assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &true.into()));
    stage
        .run(line)
        .ended(0)
        .says("the bus has this very notice already")
        .says("mode live: workers act on it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_notice_is_refused_before_the_bus_is_asked() {
    let stage = Stage::bare().await;
    stage.nats.kill();
    for (line, complaint) in [
        ("notice send --instance i-1", "--cluster"),
        (
            "notice send --cluster c --instance i --mode real",
            "invalid value 'real' for '--mode",
        ),
        ("notice send --cluster c --instance i --in 2", "like `30s`, `2m`"),
        (
            "notice send --cluster c --instance i --deadline soon",
            "is no RFC 3339 time",
        ),
        (
            "notice send --cluster c --instance i --in 2m --deadline 2030-01-02T03:04:05Z",
            "cannot be used with",
        ),
        (
            "notice send --cluster c --instance i --label x",
            "write NAME=VALUE",
        ),
    ] {
        stage.run(line).ended(2).complains(complaint);
    }
    let long = "x".repeat(200);
    stage
        .run(&format!("notice send --cluster c --instance {long}"))
        .ended(2)
        .complains("notice field `instance`: has 200 bytes, at most 128");
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_are_listed() {
    let (stage, bus) = Stage::set().await;
    stage
        .run("notice list")
        .ended(0)
        .says("no notices; --since looks further back");
    tell(&bus, &interruption("prod", "i-1", 120), "/aws/1/eu/imds").await;
    tell(&bus, &interruption("prod", "i-2", 120), "/aws/1/eu/imds").await;
    tell(&bus, &interruption("stage", "i-2", 120), "/aws/1/eu/imds").await;
    let said = stage.run("notice list").ended(0);
    assert!(
        said.out
            .starts_with("STORED                    CLUSTER  INSTANCE  KIND               STATE ")
    );
    assert_eq!(said.out.lines().count(), 4, "{}", said.out);
    let listed = |line: &str| stage.json(line).ended(0).objects().len();
    assert_eq!(listed("notice list --since 1h"), 3);
    assert_eq!(listed("notice list --since 2099-01-01T00:00:00Z"), 0);
    assert_eq!(listed("notice list --cluster prod"), 2);
    assert_eq!(listed("notice list --instance i-2"), 2);
    assert_eq!(listed("notice list --instance i-2 --cluster prod"), 1);
    let one = stage.json("notice list --instance i-1").objects().remove(0);
    assert_eq!(
        (&one["event"], &one["source"]),
        (&"notice".into(), &"/aws/1/eu/imds".into())
    );
    assert_eq!(one["data"]["instance"], "i-1");
    stage
        .run("notice list --since yesterday")
        .ended(2)
        .complains("write how long ago");

    let mut following = stage.start("notice list --follow --instance i-3");
    tell(&bus, &interruption("prod", "i-3", 120), "/aws/1/eu/imds").await;
    following.until(&["notice      prod/i-3  spot-interruption active, certain, deadline +1"]);
}
