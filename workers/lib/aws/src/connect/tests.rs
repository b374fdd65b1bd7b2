//! Where the surroundings say that AWS is.

use std::{process::Command, sync::Arc};

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
    println!("asked {ec2} {autoscaling} {balancing} {classic}");
}

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
            ],
        ),
        (
            vec![("AWS_USE_FIPS_ENDPOINT", "true")],
            [
                "https://ec2-fips.us-east-1.amazonaws.com/",
                "https://autoscaling-fips.us-east-1.amazonaws.com/",
                "https://elasticloadbalancing-fips.us-east-1.amazonaws.com/",
            ],
        ),
        (
            vec![("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            [
                "https://ec2.us-east-1.api.aws/",
                "https://autoscaling.us-east-1.api.aws/",
                "https://elasticloadbalancing.us-east-1.api.aws/",
            ],
        ),
        (
            vec![
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:2"),
            ],
            [
                "http://127.0.0.1:2/",
                "http://127.0.0.1:1/",
                "http://127.0.0.1:1/",
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
        let [ec2, autoscaling, balancing] = expected;
        let expected = format!("asked {ec2} {autoscaling} {balancing} {balancing}\n");
        assert!(said.contains(&expected), "{variables:?}: {said}");
    }
}
