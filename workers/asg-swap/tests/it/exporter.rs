//! How groups are manned, under the names of the original exporter.

use hollowtrees_harness::{
    Worker,
    aws::{NewGroup, Service},
    eventually, http_get,
    ports::Port,
};

use crate::world::{BOUND, World};

/// The value of a series; none where it is not there.
async fn value(port: &Port, series: &str) -> Option<f64> {
    let (_, body) = http_get::get(&format!("http://{}/metrics", port.addr()))
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

async fn shows(port: &Port, series: &str, expected: Option<f64>) {
    eventually(format!("{series} to be {expected:?}"), BOUND, async || {
        let found = value(port, series).await;
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}

/// A process that reads groups so often, ready.
async fn started(world: &World, every: &str) -> (Worker, Port) {
    let port = Port::reserve().unwrap();
    let process = Worker::builder("asg-swap", env!("CARGO_BIN_EXE_hollowtrees-asg-swap"))
        .env("AWS_ENDPOINT_URL", world.aws.url())
        .env("AWS_ACCESS_KEY_ID", "testbed")
        .env("AWS_SECRET_ACCESS_KEY", "testbed")
        .env("AWS_REGION", "us-east-1")
        .env("HT_EXPORTER__EVERY", every)
        .env("HT_NATS__URL", world.nats.url())
        .env("HT_HEALTH__LISTEN", port.addr().to_string())
        .start()
        .unwrap();
    let ready = format!("http://{}/readyz", port.addr());
    process.ready(&ready, BOUND).await.unwrap();
    (process, port)
}

fn of(name: &str, group: &str) -> String {
    format!("aws_autoscaling_{name}_total{{asg_name=\"{group}\",region=\"us-east-1\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_shown_as_they_are_now_and_what_they_lack() {
    let world = World::new().await;
    let members = world.group(&NewGroup::new("blue").sizes(1, 4, 4)).await;
    world.group(&NewGroup::new("green").sizes(0, 1, 1).spot()).await;
    for (member, state) in [
        (&members[0], "Pending:Wait"),
        (&members[1], "Terminating:Wait"),
        (&members[2], "Standby"),
    ] {
        world.aws.set_member_state(member, Some(state)).await.unwrap();
    }
    let (_process, port) = started(&world, "1s").await;
    for (name, expected) in [
        ("instances", 4.0),
        ("pending_instances", 1.0),
        ("inservice_instances", 1.0),
        ("standby_instances", 1.0),
        ("terminating_instances", 1.0),
    ] {
        shows(&port, &of(name, "blue"), Some(expected)).await;
    }
    shows(&port, &of("inservice_instances", "green"), Some(1.0)).await;
    shows(&port, &of("spot_instances", "green"), Some(1.0)).await;
    shows(&port, &of("spot_instances", "blue"), Some(0.0)).await;

    // Three of four lack, a read a second.
    let dip = "hollowtrees_asg_swap_capacity_dip_seconds_total{asg_name=\"blue\",region=\"us-east-1\"}";
    eventually("a dip", BOUND, async || {
        let found = value(&port, dip).await;
        if found.is_some_and(|found| found >= 9.0) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    let nothing = dip.replace("blue", "green");
    assert_eq!(value(&port, &nothing).await, Some(0.0));

    // What cannot be read stays as it was, and is said.
    let fault = Service::AutoScaling.fault("InternalFailure", 500);
    world
        .aws
        .inject(fault.containing("Action=DescribeAutoScalingGroups&"));
    shows(&port, "aws_autoscaling_scrape_error", Some(1.0)).await;
    shows(&port, &of("instances", "blue"), Some(4.0)).await;
    world.aws.heal();
    shows(&port, "aws_autoscaling_scrape_error", Some(0.0)).await;

    world.aws.delete_group("green").await;
    shows(&port, &of("instances", "green"), None).await;
    shows(&port, &of("instances", "blue"), Some(4.0)).await;
    assert!(value(&port, "aws_autoscaling_scrapes_total").await.unwrap() >= 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_unless_it_is_asked_for() {
    let world = World::new().await;
    let (_process, port) = started(&world, "0s").await;
    assert_eq!(value(&port, "aws_autoscaling_scrapes_total").await, None);
    assert_eq!(world.aws.count("DescribeAutoScalingGroups"), 0);
}
