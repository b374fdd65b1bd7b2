//! Where the surroundings say that AWS is.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use aws_sdk_autoscaling::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef,
};

use super::*;

/// Notes where a call would go, and lets none go.
#[derive(Clone, Debug, Default)]
struct Stop {
    uri: Arc<Mutex<String>>,
}

impl Intercept for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), aws_sdk_autoscaling::error::BoxError> {
        *lock(&self.uri) = context.request().uri().to_owned();
        Err("it is not to be sent".into())
    }
}

/// Set in a process of the test, whose surroundings are what it is about.
const ASKS: &str = "HOLLOWTREES_ASKS";

async fn ask() {
    let aws = Aws::connect(&Options::default()).await.unwrap();
    let region = aws.region("us-east-1");
    let stop = Stop::default();
    let call = region.ec2().describe_instances().customize();
    call.interceptor(stop.clone()).send().await.unwrap_err();
    let ec2 = lock(&stop.uri).clone();
    let call = region.autoscaling().describe_auto_scaling_groups().customize();
    call.interceptor(stop.clone()).send().await.unwrap_err();
    let autoscaling = lock(&stop.uri).clone();
    let call = region.balancing().describe_target_groups().customize();
    call.interceptor(stop.clone()).send().await.unwrap_err();
    let balancing = lock(&stop.uri).clone();
    let call = region.classic_balancing().describe_load_balancers().customize();
    call.interceptor(stop.clone()).send().await.unwrap_err();
    let classic = lock(&stop.uri).clone();
    let call = region.sqs().receive_message().queue_url(QUEUE).customize();
    call.interceptor(stop.clone()).send().await.unwrap_err();
    let sqs = lock(&stop.uri).clone();
    println!("asked {ec2} {autoscaling} {balancing} {classic} {sqs}");
}

/// A queue, whose URL says nothing of where it is asked.
const QUEUE: &str = "https://elsewhere.invalid/123456789012/events";

#[tokio::test]
async fn endpoints_are_those_that_the_surroundings_name() {
    if std::env::var_os(ASKS).is_some() {
        return ask().await;
    }
    for (variables, expected) in [
        (
            vec![],
            [
                "https://ec2.us-east-1.amazonaws.com/",
                "https://autoscaling.us-east-1.amazonaws.com/",
                "https://elasticloadbalancing.us-east-1.amazonaws.com/",
                "https://sqs.us-east-1.amazonaws.com/",
            ],
        ),
        (
            vec![("AWS_USE_FIPS_ENDPOINT", "true")],
            [
                "https://ec2-fips.us-east-1.amazonaws.com/",
                "https://autoscaling-fips.us-east-1.amazonaws.com/",
                "https://elasticloadbalancing-fips.us-east-1.amazonaws.com/",
                "https://sqs-fips.us-east-1.amazonaws.com/",
            ],
        ),
        (
            vec![("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            [
                "https://ec2.us-east-1.api.aws/",
                "https://autoscaling.us-east-1.api.aws/",
                "https://elasticloadbalancing.us-east-1.api.aws/",
                "https://sqs.us-east-1.api.aws/",
            ],
        ),
        (
            vec![
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:2"),
                ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:3"),
            ],
            [
                "http://127.0.0.1:2/",
                "http://127.0.0.1:1/",
                "http://127.0.0.1:1/",
                "http://127.0.0.1:3/",
            ],
        ),
    ] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--nocapture", "endpoints_are_those_that_the_surroundings_name"])
            .env(ASKS, "1")
            .env("AWS_ACCESS_KEY_ID", "testbed")
            .env("AWS_SECRET_ACCESS_KEY", "testbed")
            .envs(variables.clone())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        // Both kinds of load balancers are one service.
        let [ec2, autoscaling, balancing, sqs] = expected;
        let expected = format!("asked {ec2} {autoscaling} {balancing} {balancing} {sqs}\n");
        assert!(said.contains(&expected), "{variables:?}: {said}");
    }
}

/// Asks EC2 by a role, with one attempt of each call.
async fn ask_by_role(account: &str) {
    let role = Role {
        arn: "arn:aws:iam::123456789012:role/hollowtrees".to_owned(),
        external_id: None,
    };
    let mut options = Options {
        attempts: 1,
        ..Options::default()
    };
    if account.is_empty() {
        options.role = Some(role);
    } else {
        options.accounts.insert(account.to_owned(), role);
    }
    let aws = Aws::connect(&options).await.unwrap().account(account);
    let asked = aws.region("us-east-1").ec2().describe_instances().send().await;
    asked.unwrap_err();
}

/// The first words that this process says there. They are refused, whatever they are.
fn first_words(child: &mut Child, listener: &TcpListener) -> String {
    listener.set_nonblocking(true).unwrap();
    let (mut stream, _) = loop {
        match listener.accept() {
            Ok(accepted) => break accepted,
            Err(_) if child.try_wait().unwrap().is_none() => std::thread::sleep(Duration::from_millis(5)),
            Err(_) => return "nothing".to_owned(),
        }
    };
    stream.set_nonblocking(false).unwrap();
    let mut words = String::new();
    BufReader::new(&stream).read_line(&mut words).unwrap();
    stream
        .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    words
}

/// Roles are taken on where nobody else can look: a proxy is asked for a way there, or it is the place itself.
#[tokio::test]
async fn roles_are_taken_on_at_the_endpoint_that_the_surroundings_name() {
    if let Ok(account) = std::env::var(ASKS) {
        return ask_by_role(&account).await;
    }
    let regional = "CONNECT sts.us-east-1.amazonaws.com:443 ";
    for (variables, expected) in [
        (&[][..], regional),
        (
            &["AWS_USE_FIPS_ENDPOINT"],
            "CONNECT sts-fips.us-east-1.amazonaws.com:443 ",
        ),
        (
            &["AWS_USE_DUALSTACK_ENDPOINT"],
            "CONNECT sts.us-east-1.api.aws:443 ",
        ),
        (
            &["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"],
            "CONNECT sts-fips.us-east-1.api.aws:443 ",
        ),
        (&["AWS_ENDPOINT_URL"], "POST / "),
        (&["AWS_ENDPOINT_URL_STS"], "POST / "),
    ] {
        // Of ours, and of another account.
        for account in ["", "123456789012"] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let here = format!("http://{}", listener.local_addr().unwrap());
            let name = "roles_are_taken_on_at_the_endpoint_that_the_surroundings_name";
            let mut child = Command::new(std::env::current_exe().unwrap());
            child
                .args(["--nocapture", name])
                .env(ASKS, account)
                .env("AWS_ACCESS_KEY_ID", "testbed")
                .env("AWS_SECRET_ACCESS_KEY", "testbed")
                .env_remove("NO_PROXY")
                .env_remove("no_proxy")
                .env("HTTPS_PROXY", &here)
                .stdout(Stdio::null());
            for variable in variables {
                let is_place = variable.starts_with("AWS_ENDPOINT_URL");
                child.env(variable, if is_place { &here } else { "true" });
            }
            let mut child = child.spawn().unwrap();
            let asked = first_words(&mut child, &listener);
            assert!(asked.starts_with(expected), "{variables:?}: {asked}");
            assert!(child.wait().unwrap().success(), "{variables:?}");
        }
    }
}
