//! The cloud of the local stack.
//!
//! The AWS server of the stack knows instances but runs none, and its Kubernetes API server has no nodes of its own.
//! `local-cloud serve` ties the two together, again and again: it makes an auto-scaling group, gives each of its
//! instances a node and the nodes some pods, and serves the metadata of one instance to the agent.
//! `local-cloud interrupt` gives that instance notice, `local-cloud healthy` asks whether all is there.
#![allow(
    clippy::print_stdout,
    reason = "a program that says at the terminal what it does"
)]

pub mod aws;
pub mod nodes;
pub mod serve;

use std::process::ExitCode;

use hollowtrees_harness::{Error, Result, http_client::Client};
use http::Method;

const USAGE: &str = "\
usage: local-cloud serve               make the group and its nodes, serve the metadata of one instance
       local-cloud interrupt [SECONDS] give that instance notice (120 s)
       local-cloud withdraw            take the notice back
       local-cloud healthy             whether all is there
environment: AWS_ENDPOINT_URL (http://127.0.0.1:5000), KUBERNETES_URL (http://127.0.0.1:8080)";

/// Where the metadata are served, as this program asks for them.
const HERE: &str = "http://127.0.0.1:1338";

/// The whole program.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("the scheduler cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match arguments.as_slice() {
            ["serve"] => serve::run().await,
            ["interrupt"] => interrupt("120").await,
            ["interrupt", seconds] => interrupt(seconds).await,
            ["withdraw"] => ask(Method::PUT, "/testbed/withdraw", &[]).await.map(drop),
            ["healthy"] => instance().await.map(|id| println!("serves the metadata of {id}")),
            _ => Err(Error::new(USAGE)),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupt(seconds: &str) -> Result<()> {
    let id = instance().await?;
    let order = format!("/testbed/interrupt?action=terminate&seconds={seconds}");
    ask(Method::PUT, &order, &[]).await?;
    println!(
        "{id} is taken back in {seconds} s. What becomes of it: docker compose run --rm cli runs show {id}"
    );
    Ok(())
}

/// The instance whose metadata are served.
async fn instance() -> Result<String> {
    let life = ("x-aws-ec2-metadata-token-ttl-seconds", "60".to_owned());
    let token = ask(Method::PUT, "/latest/api/token", &[life]).await?;
    let token = ("x-aws-ec2-metadata-token", token);
    ask(Method::GET, "/latest/meta-data/instance-id", &[token]).await
}

async fn ask(method: Method, path: &str, headers: &[(&str, String)]) -> Result<String> {
    let url = format!("{HERE}{path}");
    let answer = Client::plain()?
        .send(method, &url, headers, bytes::Bytes::new())
        .await?;
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    if answer.status().is_success() {
        Ok(text)
    } else {
        Err(Error::new(format!("{url}: {text}")))
    }
}
