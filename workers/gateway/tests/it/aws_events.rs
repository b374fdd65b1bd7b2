//! What a queue would deliver, posted.

use data_encoding::BASE64;
use hollowtrees_harness::{aws::Service, scratch};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    posts::Posts,
    process::{Answered, Process},
    sqs::ground::{R, body, changed, spot},
    world::{World, value},
};

const PATH: &str = "/aws/events";
const BLUE: [(&str, &str); 1] = [("kubernetes.io/cluster/blue", "owned")];

/// Counts of an answer: stored, repeated, ignored.
fn counts(answered: &Answered) -> (StatusCode, u64, u64, u64) {
    let (status, body) = answered;
    let count = |name: &str| body[name].as_u64().unwrap_or_default();
    (*status, count("stored"), count("repeated"), count("ignored"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrapping_is_told_as_from_a_queue_and_what_is_of_no_interest_is_counted() {
    let posts = Posts::new().await;
    let process = posts.gateway(&[]).await;
    let ids = posts.launched(4, &BLUE).await;
    let post = async |body: String| counts(&process.post(PATH, &[], body).await);
    // As an API destination posts it, again and again.
    let json = [("content-type", "application/json; charset=utf-8")];
    let answered = process.post(PATH, &json, spot(&ids[0])).await;
    assert_eq!(counts(&answered), (StatusCode::OK, 1, 0, 0), "{answered:?}");
    assert_eq!(post(spot(&ids[0])).await, (StatusCode::OK, 0, 1, 0));
    // By a topic of SNS before it: the signature is not looked at, who posts is known.
    let wrapped = json!({
        "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:111122223333:t",
        "Message": spot(&ids[1]), "Timestamp": "2026-03-02T08:20:01.000Z",
    });
    assert_eq!(post(wrapped.to_string()).await, (StatusCode::OK, 1, 0, 0));
    // By Pipes: a list, one of which is of no interest and one that was told already.
    let list = format!(
        "[{}, {}, {}]",
        spot(&ids[2]),
        body("state-running"),
        spot(&ids[0])
    );
    assert_eq!(post(list).await, (StatusCode::OK, 1, 1, 1));
    // A hook's own notification names no region; it is that of the gateway.
    let hook = changed(&body("hook-direct"), &[("/EC2InstanceId", &ids[3])]);
    assert_eq!(post(hook).await, (StatusCode::OK, 1, 0, 0));
    for of_no_interest in ["cloudtrail", "hook-test", "sns-confirmation", "spot-request"] {
        assert_eq!(
            post(body(of_no_interest)).await,
            (StatusCode::OK, 0, 0, 1),
            "{of_no_interest}"
        );
    }
    let notices = posts.world.notices().await;
    assert_eq!(notices.len(), 4);
    for (notice, id) in notices.iter().zip(&ids) {
        assert_eq!(
            (&notice.data.instance, notice.data.cluster.as_str()),
            (id, "blue")
        );
        assert_eq!(notice.source, "/aws/111122223333/us-east-1/eventbridge");
    }
    assert!(posts.world.letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_said_and_kept_once_and_of_a_redriven_letter_not_again() {
    let posts = Posts::new().await;
    let process = posts.gateway(&[]).await;
    let id = posts.launched(1, &BLUE).await.remove(0);
    for (body, expected) in [
        (b"this is <no> JSON".to_vec(), "no JSON"),
        (vec![0xff, 0xfe], "no text"),
        (body("unknown-type").into_bytes(), "are unknown here"),
        // Nothing says whose it is.
        (spot("i-0aaaaaaaaaaaaaaa9").into_bytes(), "`cluster`"),
    ] {
        for headers in [&[][..], &[("ht-redrive", "1")]] {
            let (status, said) = process.post(PATH, headers, body.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
            assert!(said["error"].as_str().unwrap().contains(expected), "{said}");
        }
    }
    // Of a list the others are taken.
    let list = format!("[{}, {}]", body("unknown-type"), spot(&id));
    let (status, said) = process.post("/aws/events?cluster=blue", &[], list.clone()).await;
    assert_eq!(
        (status, &said["stored"]),
        (StatusCode::BAD_REQUEST, &json!(1)),
        "{said}"
    );
    let letters = posts.world.letters().await;
    let found: Vec<_> = letters
        .iter()
        .map(|letter| {
            (
                letter.stream.as_str(),
                letter.subject.as_str(),
                letter.error_class.as_str(),
            )
        })
        .collect();
    let of = |class| ("eventbridge/anyone", PATH, class);
    let with_cluster = ("eventbridge/anyone", "/aws/events?cluster=blue", "invalid");
    assert_eq!(
        found,
        [
            of("undecodable"),
            of("undecodable"),
            of("invalid"),
            of("invalid"),
            with_cluster
        ]
    );
    assert_eq!(letters[4].body, list.as_bytes());
    // Nor was one tried: the stream itself would have taken it for a repetition.
    let scrape = process.scrape().await;
    for (class, expected) in [("undecodable", 2.0), ("invalid", 3.0)] {
        let series =
            format!("hollowtrees_gateway_put_aside_total{{class=\"{class}\",source=\"eventbridge\"}}");
        assert_eq!(value(&scrape, &series), Some(expected), "{series}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_cluster_that_is_not_spoken_for_is_kept_and_a_letter_of_it_is_not_taken_for_told() {
    let posts = Posts::new().await;
    let shared = [
        ("kubernetes.io/cluster/blue", "shared"),
        ("kubernetes.io/cluster/green", "shared"),
    ];
    let shared = posts.launched(1, &shared).await.remove(0);
    let green = posts
        .launched(1, &[("hollowtrees.io/cluster", "green")])
        .await
        .remove(0);
    let redriven = [("ht-redrive", "1")];
    for (handling, kept) in [("keep", true), ("ignore", false)] {
        let process = posts
            .gateway(&[("HT_SQS__CLUSTERS", "blue"), ("HT_SQS__FOREIGN", handling)])
            .await;
        let first = u64::from(kept);
        let (status, said) = process.post(PATH, &[], spot(&shared)).await;
        assert_eq!(status.is_success(), !kept, "{said}");
        assert_eq!(
            (&said["stored"], &said["repeated"]),
            (&json!(first), &json!(1 - first))
        );
        let (status, said) = process.post(PATH, &[], spot(&green)).await;
        assert_eq!(status.is_success(), !kept, "{said}");
        // Sent again it is refused either way, or it would be gone untold.
        let (status, said) = process.post(PATH, &redriven, spot(&green)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
        let error = said["error"].as_str().unwrap();
        assert!(
            error.contains("`green`") && error.contains("HT_SQS__CLUSTERS"),
            "{said}"
        );
    }
    let letters = posts.world.letters().await;
    let found: Vec<_> = letters.iter().map(|letter| letter.body.clone()).collect();
    assert_eq!(found, [spot(&shared).into_bytes(), spot(&green).into_bytes()]);
    assert!(
        letters.iter().all(|letter| letter.error_class == "rejected"),
        "{letters:?}"
    );
    // Mended, both are told.
    let process = posts.gateway(&[("HT_SQS__CLUSTERS", "blue,green")]).await;
    for (letter, expected) in letters.iter().zip([(1, 1), (1, 0)]) {
        let answered = process.post(PATH, &redriven, letter.body.clone()).await;
        let (stored, repeated) = expected;
        assert_eq!(
            counts(&answered),
            (StatusCode::OK, stored, repeated, 0),
            "{answered:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_posts_speaks_for_its_own_clusters_and_by_its_own_ways() {
    let posts = Posts::new().await;
    let directory = scratch::directory("clients").unwrap();
    let clients = directory.path().join("clients.yaml");
    std::fs::write(
        &clients,
        "version: 1\nclients:\n\
         - {name: bridge, user: bridge, password: of-the-bridge, clusters: [blue], sources: [eventbridge]}\n\
         - {name: topic, token: of-the-topic, clusters: ['*'], sources: [sns]}\n\
         - {name: both, token: of-both-clusters, clusters: [blue, green]}\n",
    )
    .unwrap();
    let process = posts
        .gateway(&[("HT_AUTH__CLIENTS", clients.to_str().unwrap())])
        .await;
    let blue = posts.launched(1, &BLUE).await.remove(0);
    let green = posts
        .launched(1, &[("hollowtrees.io/cluster", "green")])
        .await
        .remove(0);
    let basic = format!("Basic {}", BASE64.encode(b"bridge:of-the-bridge"));
    let nobody = "i-0aaaaaaaaaaaaaaa9";
    let both = "Bearer of-both-clusters";
    for (authorization, path, instance, expected) in [
        (basic.as_str(), PATH, &*blue, StatusCode::OK),
        (&basic, PATH, &green, StatusCode::FORBIDDEN),
        (&basic, "/aws/events?cluster=blue", &green, StatusCode::FORBIDDEN),
        // Its one cluster is that of what nothing else names; another's it may not name.
        (&basic, PATH, nobody, StatusCode::OK),
        (&basic, "/aws/events?cluster=green", nobody, StatusCode::FORBIDDEN),
        (both, PATH, &green, StatusCode::OK),
        (both, PATH, nobody, StatusCode::BAD_REQUEST),
        (both, "/aws/events?cluster=red", nobody, StatusCode::FORBIDDEN),
        ("Bearer of-the-topic", PATH, &blue, StatusCode::FORBIDDEN),
        ("Bearer nobody's", PATH, &blue, StatusCode::UNAUTHORIZED),
        ("", PATH, &blue, StatusCode::UNAUTHORIZED),
        (
            "",
            "/aws/events?token=of-both-clusters",
            &blue,
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        let headers = [("authorization", authorization)];
        let headers = if authorization.is_empty() {
            &[][..]
        } else {
            &headers
        };
        let (status, said) = process.post(path, headers, spot(instance)).await;
        assert_eq!(status, expected, "{authorization} {path} {instance}: {said}");
    }
    let told = posts.world.notices().await.into_iter();
    let told: Vec<_> = told
        .map(|notice| (notice.data.instance, notice.data.cluster))
        .collect();
    let expected = [(&*blue, "blue"), (nobody, "blue"), (&*green, "green")];
    assert_eq!(
        told,
        expected.map(|(instance, cluster)| (instance.to_owned(), cluster.to_owned()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn as_from_a_queue_what_that_queue_is_configured_with_counts() {
    let posts = Posts::new().await;
    let queue = posts.aws.create_queue(R, "events").await.unwrap();
    let directory = scratch::directory("queues").unwrap();
    let file = directory.path().join("gateway.toml");
    std::fs::write(
        &file,
        format!("[sqs]\nqueues = [{{ url = \"{queue}\", cluster = \"queued\", region = \"{R}\" }}]\n"),
    )
    .unwrap();
    let process = posts
        .gateway(&[("HT_SQS__POSTS", "false"), ("HT_CONFIG", file.to_str().unwrap())])
        .await;
    let named = |url: &str| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("queue", url);
        format!("{PATH}?{}", query.finish())
    };
    let hook = |instance: &str| changed(&body("hook-direct"), &[("/EC2InstanceId", instance)]);
    let answered = process
        .post(&named(&queue), &[], hook("i-0aaaaaaaaaaaaaaa1"))
        .await;
    assert_eq!(counts(&answered), (StatusCode::OK, 1, 0, 0), "{answered:?}");
    // Of a queue that is not read any more its address tells the region.
    let other = "https://sqs.eu-north-1.amazonaws.com/111122223333/gone";
    let path = format!("{}&cluster=told", named(other));
    let answered = process.post(&path, &[], hook("i-0aaaaaaaaaaaaaaa2")).await;
    assert_eq!(counts(&answered), (StatusCode::OK, 1, 0, 0), "{answered:?}");
    let notices = posts.world.notices().await;
    let told: Vec<_> = notices
        .iter()
        .map(|notice| (notice.data.cluster.as_str(), notice.data.region.as_str()))
        .collect();
    assert_eq!(told, [("queued", R), ("told", "eu-north-1")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_aws_cannot_be_asked_whose_it_is_the_sender_is_told_to_post_again() {
    let posts = Posts::new().await;
    let process = posts.gateway(&[("HT_SQS__LOOKUP__PATIENCE", "1s")]).await;
    let id = posts.launched(1, &BLUE).await.remove(0);
    posts.aws.inject(
        Service::Ec2
            .fault("InternalError", 500)
            .containing("Action=DescribeInstances"),
    );
    let answer = process.send(Method::POST, PATH, &[], spot(&id)).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(posts.world.letters().await.is_empty());
    posts.aws.heal();
    let answered = process.post(PATH, &[], spot(&id)).await;
    assert_eq!(counts(&answered), (StatusCode::OK, 1, 0, 0), "{answered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_aws_is_spoken_to_nothing_is_taken_and_the_remedy_is_named() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let (status, said) = process.post(PATH, &[], body("spot")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(said["error"].as_str().unwrap().contains("sqs.posts"), "{said}");
    assert_eq!(said.get("stored"), None::<&Value>);
}
