//! Whose instances are whose, over accounts, regions and clusters.

use hollowtrees_harness::{aws::Service, eventually};

use super::ground::{Ground, LONG, R, body, changed, spot};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_goes_to_the_cluster_of_its_instance() {
    let ground = Ground::new().await;
    let aws = &ground.aws;
    let launch = async |tags: &[(&str, &str)]| aws.launch(R, 1, tags).await.unwrap().remove(0);
    let own = launch(&[("hollowtrees.io/cluster", "own")]).await;
    let named = launch(&[("kubernetes.io/cluster/prod-eu-1", "owned")]).await;
    let shared = launch(&[
        ("kubernetes.io/cluster/x", "shared"),
        ("kubernetes.io/cluster/y", "shared"),
    ])
    .await;
    let foreign = launch(&[("kubernetes.io/cluster/elsewhere", "owned")]).await;
    let bare = launch(&[]).await;
    let half = launch(&[
        ("kubernetes.io/cluster/x", "shared"),
        ("kubernetes.io/cluster/elsewhere", "shared"),
    ])
    .await;
    let ended = launch(&[("kubernetes.io/cluster/x", "owned")]).await;
    aws.interrupt(&ended).await.unwrap();
    let grouped = changed(
        &body("hook-terminate"),
        &[("/detail/EC2InstanceId", "i-0aaaaaaaaaaaaaaa1"), ("/region", R)],
    );
    let accounted = changed(&spot("i-0aaaaaaaaaaaaaaa2"), &[("/account", "999988887777")]);
    ground
        .send(&[
            spot(&own),
            spot(&named),
            spot(&shared),
            spot(&foreign),
            spot(&bare),
            spot(&half),
            spot(&ended),
            grouped,
            accounted,
        ])
        .await;
    aws.forget_calls();
    let gateway = ground
        .gateway(&[
            ("HT_SQS__CLUSTERS", "own,prod,x,y,grouped,accounted"),
            ("HT_SQS__NAMES", "prod-eu-1=prod"),
            ("HT_SQS__GROUPS", "workers-*=grouped"),
            ("HT_SQS__ACCOUNTS", "999988887777=accounted"),
        ])
        .await;
    ground.empty().await;
    let mut told: Vec<_> = ground
        .world
        .notices()
        .await
        .into_iter()
        .map(|notice| (notice.data.instance, notice.data.cluster))
        .collect();
    told.sort();
    let mut expected: Vec<_> = [
        (own.as_str(), "own"),
        (&named, "prod"),
        (&shared, "x"),
        (&shared, "y"),
        (&half, "x"),
        (&ended, "x"),
        ("i-0aaaaaaaaaaaaaaa1", "grouped"),
        ("i-0aaaaaaaaaaaaaaa2", "accounted"),
    ]
    .map(|(instance, cluster)| (instance.to_owned(), cluster.to_owned()))
    .into();
    expected.sort();
    assert_eq!(told, expected);
    for (series, wanted) in [
        (
            "hollowtrees_sqs_messages_total{queue=\"events\",result=\"foreign\"}",
            1.0,
        ),
        (
            "hollowtrees_sqs_messages_total{queue=\"events\",result=\"unrouted\"}",
            1.0,
        ),
    ] {
        ground.counted(&gateway, series, wanted).await;
    }
    gateway
        .worker
        .logged("Nothing says whose instance an event is about", LONG)
        .await
        .unwrap();
    // Kept whole, each with what is missing and the remedy.
    let mut letters: Vec<_> = ground
        .world
        .letters()
        .await
        .into_iter()
        .map(|letter| (String::from_utf8(letter.body.clone()).unwrap(), letter))
        .collect();
    letters.sort_by_key(|(body, _)| [&foreign, &half, &bare].map(|id| !body.contains(id)));
    let found: Vec<_> = letters.iter().map(|(body, _)| body.clone()).collect();
    assert_eq!(found, [spot(&foreign), spot(&half), spot(&bare)]);
    for ((_, letter), (class, said)) in letters.iter().zip([
        ("rejected", ["`elsewhere`", "HT_SQS__CLUSTERS"]),
        ("rejected", ["`elsewhere`", "HT_SQS__CLUSTERS"]),
        ("invalid", ["hollowtrees.io/cluster", "sqs.accounts"]),
    ]) {
        assert_eq!(
            (letter.stream.as_str(), letter.subject.as_str()),
            ("sqs/events", ground.queue.as_str())
        );
        assert_eq!(letter.error_class, class, "{letter:?}");
        for word in said {
            assert!(letter.reason.contains(word), "{letter:?}");
        }
    }
    // It is gone from the queue with that, and nothing was sent to any.
    assert_eq!(aws.count("SendMessage") + aws.count("SendMessageBatch"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_another_gateway_gets_them_too_events_of_other_clusters_are_only_counted() {
    let ground = Ground::new().await;
    let tags = [("kubernetes.io/cluster/elsewhere", "owned")];
    let foreign = ground.aws.launch(R, 1, &tags).await.unwrap().remove(0);
    // A group's word of a hook says no more of whose it is.
    let hook = |id: &str| {
        let of = [("/detail/EC2InstanceId", id), ("/region", R)];
        changed(&body("hook-terminate"), &of)
    };
    let nobodys = [spot("i-0aaaaaaaaaaaaaaa1"), hook("i-0aaaaaaaaaaaaaaa2")];
    ground.send(&[spot(&foreign), hook(&foreign)]).await;
    ground.send(&nobodys).await;
    let gateway = ground
        .gateway(&[("HT_SQS__CLUSTERS", "own"), ("HT_SQS__FOREIGN", "ignore")])
        .await;
    ground.empty().await;
    ground
        .counted(
            &gateway,
            "hollowtrees_sqs_messages_total{queue=\"events\",result=\"foreign\"}",
            2.0,
        )
        .await;
    // What nobody claims is nobody else's either.
    let letters = ground.world.letters().await;
    let mut kept: Vec<&[u8]> = letters.iter().map(|letter| letter.body.as_ref()).collect();
    let mut due = nobodys.each_ref().map(|body| body.as_bytes());
    kept.sort_unstable();
    due.sort_unstable();
    assert_eq!(kept, due, "{letters:?}");
    assert!(ground.notices().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_events_of_other_clusters_so_many_are_kept_and_all_are_deleted() {
    let ground = Ground::new().await;
    let tags = [("kubernetes.io/cluster/elsewhere", "owned")];
    let ids = ground.aws.launch(R, 40, &tags).await.unwrap();
    let own = ground
        .aws
        .launch(R, 5, &[("hollowtrees.io/cluster", "own")])
        .await
        .unwrap();
    let bodies: Vec<_> = ids.iter().chain(&own).map(|id| spot(id)).collect();
    ground.send(&bodies).await;
    let gateway = ground
        .gateway(&[
            ("HT_SQS__CLUSTERS", "own"),
            ("HT_INGEST__DEAD_LETTERS_PER_MINUTE", "10"),
        ])
        .await;
    ground.empty().await;
    assert_eq!(ground.notices().await.len(), own.len());
    let kept = ground.world.letters().await.len();
    // Ten at once, and what comes free while it lasts.
    assert!((10..40).contains(&kept), "{kept}");
    let series = "hollowtrees_sqs_messages_total{queue=\"events\",result=\"foreign\"}";
    ground.counted(&gateway, series, 40.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_queues_in_several_regions_by_roles_and_the_default_cluster() {
    let ground = Ground::new().await;
    let aws = &ground.aws;
    let there = "eu-central-1";
    let second = aws.create_queue(there, "second").await.unwrap();
    let here = aws.launch(R, 1, &[]).await.unwrap().remove(0);
    let far = aws.launch(there, 1, &[]).await.unwrap().remove(0);
    // Direct notifications name no region: it is the queue's.
    let hook = changed(&body("hook-direct"), &[("/EC2InstanceId", &far)]);
    ground.send(&[spot(&here)]).await;
    aws.send(there, &second, &[hook]).await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("gateway.toml");
    let settings = format!(
        "cluster = \"main\"\n[sqs]\nqueues = [\"{}\", {{ url = \"{second}\", region = \"{there}\", role = \
         \"arn:aws:iam::123456789012:role/reader\", cluster = \"far\" }}]\n",
        ground.queue
    );
    std::fs::write(&file, settings).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let gateway = ground
        .gateway(&[("HT_CONFIG", path.as_str()), ("HT_SQS__QUEUES", "")])
        .await;
    ground.empty().await;
    ground.stored_at_least(2).await;
    let notices = ground.notices().await;
    let of = |id: &str| {
        let notice = &notices[id].data;
        (notice.cluster.as_str(), notice.region.as_str())
    };
    assert_eq!((of(&here), of(&far)), (("main", R), ("far", there)));
    assert!(aws.count("AssumeRole") >= 1);
    let regions: std::collections::BTreeSet<_> = aws
        .calls()
        .into_iter()
        .filter(|call| call.action == "ReceiveMessage")
        .map(|call| call.region)
        .collect();
    assert_eq!(regions, [there.to_owned(), R.to_owned()].into());
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_up_waits_or_goes_where_it_is_bound_to() {
    let ground = Ground::new().await;
    let id = ground
        .aws
        .launch(R, 1, &[("hollowtrees.io/cluster", "blue")])
        .await
        .unwrap()
        .remove(0);
    ground.aws.inject(
        Service::Ec2
            .fault("UnauthorizedOperation", 403)
            .containing("DescribeInstances"),
    );
    ground.send(&[spot(&id)]).await;
    let gateway = ground.gateway(&[]).await;
    gateway
        .worker
        .logged("A message cannot be told now; it comes again.", LONG)
        .await
        .unwrap();
    assert_eq!(ground.stored().await, 0);
    ground.aws.heal();
    ground.empty().await;
    assert_eq!(ground.notices().await[&id].data.cluster, "blue");
    gateway.worker.terminate(LONG).await.unwrap();

    // With a cluster of its own the gateway needs no look-up.
    ground.aws.inject(
        Service::Ec2
            .fault("UnauthorizedOperation", 403)
            .containing("DescribeInstances"),
    );
    ground.send(&[spot("i-0cafe")]).await;
    let _gateway = ground.gateway(&[("HT_CLUSTER", "only")]).await;
    ground.empty().await;
    assert_eq!(ground.notices().await["i-0cafe"].data.cluster, "only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_named_and_the_gateway_is_not_ready() {
    let ground = Ground::new().await;
    let missing = format!("{}/123456789012/missing", ground.aws.url());
    let both = format!("{},{missing}", ground.queue);
    let gateway = ground.begun(&[("HT_SQS__QUEUES", &both)]);
    eventually("the trouble in /readyz", LONG, async || {
        let text = gateway.readyz().await;
        if text.contains("the queue missing cannot be read") {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
    // The other queue is read all the same.
    let id = ground
        .aws
        .launch(R, 1, &[("hollowtrees.io/cluster", "blue")])
        .await
        .unwrap()
        .remove(0);
    ground.send(&[spot(&id)]).await;
    ground.empty().await;
    assert_eq!(ground.notices().await.len(), 1);
    // Made, it is read without a restart.
    ground.aws.create_queue(R, "missing").await.unwrap();
    eventually("the gateway to be ready", LONG, async || {
        let text = gateway.readyz().await;
        if text.contains("cannot be read") {
            Err(text)
        } else {
            Ok(())
        }
    })
    .await;
}
