//! `local-cloud serve`

use std::{env, net::SocketAddr, time::Duration};

use hollowtrees_harness::{
    Context as _, Result,
    control_plane::Client,
    metadata::{Instance, Metadata},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use crate::{
    aws::{Aws, Member},
    nodes,
};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 1338);
/// Between two looks at the group: how long a launched instance's node takes to join.
const EVERY: Duration = Duration::from_secs(2);
/// How long the servers may take to come up.
const START: Duration = Duration::from_secs(120);

/// Serves until SIGTERM.
///
/// # Errors
/// If the servers do not come up, or the port is taken.
pub async fn run() -> Result<()> {
    // Named, since the first process of a container has no default action for it.
    let mut terminate = signal(SignalKind::terminate()).context(|| "cannot wait for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        ended = serve() => ended,
    }
}

async fn serve() -> Result<()> {
    let aws = Aws::new(&variable("AWS_ENDPOINT_URL", "http://127.0.0.1:5000"))?;
    let kubernetes = Client::new(&variable("KUBERNETES_URL", "http://127.0.0.1:8080"), "", None)?;
    let until = Instant::now() + START;
    let member = loop {
        match first_in_service(&aws, &kubernetes).await {
            Ok(Some(member)) => break member,
            Ok(None) if Instant::now() < until => {}
            Err(error) if Instant::now() < until => println!("not yet: {error}"),
            Ok(None) => return Err(hollowtrees_harness::Error::new("no instance is in service")),
            Err(error) => return Err(error),
        }
        sleep(EVERY).await;
    };
    let instance = Instance::new(&member.id, &member.zone).hostname(&nodes::name(&member.id));
    let metadata = Metadata::start_on(LISTEN, instance).await?;
    metadata.allow_control();
    println!("serves the metadata of {} at {LISTEN}", member.id);
    loop {
        sleep(EVERY).await;
        if let Err(error) = join(&aws, &kubernetes).await {
            println!("the nodes could not be looked after: {error}");
        }
    }
}

/// Makes the group unless it is there, lets its instances join, and picks one.
async fn first_in_service(aws: &Aws, kubernetes: &Client) -> Result<Option<Member>> {
    if aws.members().await?.is_none() {
        aws.create_group().await?;
    }
    let members = join(aws, kubernetes).await?;
    Ok(members
        .into_iter()
        .find(|member| member.lifecycle_state == "InService"))
}

async fn join(aws: &Aws, kubernetes: &Client) -> Result<Vec<Member>> {
    let members = aws.members().await?.unwrap_or_default();
    nodes::ensure(kubernetes, &members).await?;
    Ok(members)
}

fn variable(name: &str, default: &str) -> String {
    env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| default.to_owned())
}
