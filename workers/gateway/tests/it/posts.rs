//! Gateways beside an AWS, which take its events as they are posted.

use hollowtrees_harness::Aws;

use crate::{process::Process, sqs::ground::R, world::World};

pub(crate) struct Posts {
    pub(crate) world: World,
    pub(crate) aws: Aws,
}

impl Posts {
    pub(crate) async fn new() -> Self {
        Self {
            world: World::new().await,
            aws: Aws::start().await.unwrap(),
        }
    }

    /// A gateway that takes what is posted, with no cluster of its own.
    pub(crate) async fn gateway(&self, env: &[(&str, &str)]) -> Process {
        let aws = self.aws.env(R);
        let aws = aws.each_ref().map(|(name, value)| (*name, value.as_str()));
        let all = [&aws, &[("HT_SQS__POSTS", "true")][..], env].concat();
        let process = Process::begin(&self.world, &all);
        process.ready().await;
        process
    }

    /// Instances with these tags.
    pub(crate) async fn launched(&self, count: usize, tags: &[(&str, &str)]) -> Vec<String> {
        self.aws.launch(R, count, tags).await.unwrap()
    }
}
