//! A simulated EC2 metadata service to run beside an agent, for the local stack.
//!
//! `simulated-metadata 0.0.0.0:1338 i-0123456789abcdef0 us-east-1a [node name]` serves it until SIGTERM. A notice is
//! given by `curl -X PUT 'http://localhost:1338/testbed/interrupt?action=terminate&seconds=120'`; `/testbed/rebalance`
//! recommends a rebalance, `/testbed/withdraw` takes both back.
#![allow(clippy::print_stderr, reason = "says at the terminal what it does")]

use hollowtrees_harness::metadata::{Instance, Metadata};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: simulated-metadata ADDRESS:PORT INSTANCE_ID ZONE [NODE_NAME]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (Some(Ok(addr)), Some(id), Some(zone)) =
        (args.first().map(|addr| addr.parse()), args.get(1), args.get(2))
    else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    let mut instance = Instance::new(id, zone);
    if let Some(name) = args.get(3) {
        instance = instance.hostname(name);
    }
    let metadata = match Metadata::start_on(addr, instance).await {
        Ok(metadata) => metadata,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    metadata.allow_control();
    eprintln!("The metadata service of {id} is at {}.", metadata.url());
    // Named, since the first process of a container has no default action for it.
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot wait for SIGTERM: {error}");
            ExitCode::FAILURE
        }
    }
}
