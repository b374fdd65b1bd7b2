//! The way to AWS.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::{AppName, BehaviorVersion, SdkConfig, sts::AssumeRoleProvider};
use aws_sdk_autoscaling::types::LaunchConfiguration;
use aws_sdk_ec2::config::{
    Credentials, Region as Name, SharedCredentialsProvider,
    retry::{RetryConfig, RetryPartition},
    timeout::TimeoutConfig,
};
use aws_sdk_ec2::types::LaunchTemplateVersion;
use hollowtrees_domain::swap::world::TemplateRef;

use crate::{fitting::Learnt, launch::Definite};

/// How AWS is reached. Credentials come from the SDK's chain (environment, profile, web identity, container, instance)
/// unless `keys` are given.
#[derive(Clone, Debug)]
pub struct Options {
    /// The default region; none: what the SDK's chain says (`AWS_REGION`, the profile, the instance).
    pub region: Option<String>,
    /// Where all services are, such as `http://127.0.0.1:5000`; none: `AWS_ENDPOINT_URL` where it is set, AWS otherwise.
    pub endpoint: Option<String>,
    /// Credentials themselves; for endpoints that check none.
    pub keys: Option<Keys>,
    /// A role to take on with those credentials; none: they are used as they are.
    pub role: Option<Role>,
    /// Roles of other accounts, to take on for what is done there ([`Aws::account`]).
    pub accounts: BTreeMap<String, Role>,
    /// How long one attempt of a call may take. 10 s.
    pub attempt_timeout: Duration,
    /// How long all attempts of a call may take. 25 s.
    pub operation_timeout: Duration,
    /// How many attempts a call has that may be repeated unseen. 3.
    pub attempts: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            region: None,
            endpoint: None,
            keys: None,
            role: None,
            accounts: BTreeMap::new(),
            attempt_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(25),
            attempts: 3,
        }
    }
}

/// An access key. Its secret is not in its `Debug`.
#[derive(Clone)]
pub struct Keys {
    id: String,
    secret: String,
}

impl Keys {
    /// From an access key id and its secret.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A role of IAM, taken on by `sts:AssumeRole` and again before its hour is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy asks for as `sts:ExternalId`; none: nothing.
    pub external_id: Option<String>,
}

/// Why AWS cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint is no address.
    #[error("`{0}` is no address of AWS; give one that begins with http:// or https://, or none")]
    Endpoint(String),
    /// A time limit or a number of attempts that lets nothing be done.
    #[error("{0} is zero; every call to AWS needs a time limit and an attempt")]
    Zero(&'static str),
}

/// AWS, all regions of an account, and the way to other accounts. Cheap to clone.
#[derive(Clone)]
pub struct Aws {
    shared: Arc<Shared>,
}

struct Shared {
    config: SdkConfig,
    /// Whose role is taken on; empty: nobody's.
    account: String,
    accounts: HashMap<String, Aws>,
    attempts: u32,
    attempt_timeout: Duration,
    regions: Mutex<HashMap<String, Region>>,
}

/// A region: what is asked of EC2, Auto Scaling, Elastic Load Balancing and SQS there. Cheap to clone.
#[derive(Clone)]
pub struct Region {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    account: String,
    ec2: aws_sdk_ec2::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    balancing: aws_sdk_elasticloadbalancingv2::Client,
    classic_balancing: aws_sdk_elasticloadbalancing::Client,
    sqs: aws_sdk_sqs::Client,
    attempt_timeout: Duration,
    /// The zone of each subnet seen. A subnet never changes its zone.
    zones: Mutex<HashMap<String, String>>,
    /// Versions of launch templates by number, which never change.
    templates: Mutex<HashMap<TemplateRef, Arc<LaunchTemplateVersion>>>,
    /// Launch configurations by ARN, which never change.
    configurations: Mutex<HashMap<String, Arc<LaunchConfiguration>>>,
    learnt: Mutex<Learnt>,
}

impl Aws {
    /// Reads where AWS is and who we are there. Asks AWS nothing yet.
    ///
    /// # Errors
    /// If an option cannot be used.
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        for (what, zero) in [
            ("the time limit of an attempt", options.attempt_timeout.is_zero()),
            ("the time limit of a call", options.operation_timeout.is_zero()),
            ("the number of attempts", options.attempts == 0),
        ] {
            if zero {
                return Err(ConnectError::Zero(what));
            }
        }
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            // Not adaptive: after one throttled call of a quiet client its rate limiter held the next attempt for more
            // than 15 s (measured, aws-smithy-runtime 1.16); who asks us has a deadline and its own backoff.
            .retry_config(RetryConfig::standard().with_max_attempts(options.attempts))
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(options.attempt_timeout)
                    .operation_timeout(options.operation_timeout)
                    .build(),
            );
        if let Ok(name) = AppName::new("hollowtrees") {
            loader = loader.app_name(name);
        }
        if let Some(region) = &options.region {
            loader = loader.region(Name::new(region.clone()));
        }
        if let Some(endpoint) = &options.endpoint {
            if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                return Err(ConnectError::Endpoint(endpoint.clone()));
            }
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(keys) = &options.keys {
            loader = loader.credentials_provider(Credentials::new(
                &keys.id,
                &keys.secret,
                None,
                None,
                "hollowtrees options",
            ));
        }
        let mut config = Box::pin(loader.load()).await;
        if let Some(role) = &options.role {
            config = Box::pin(taken_on(config, role)).await;
        }
        let mut accounts = HashMap::new();
        for (account, role) in &options.accounts {
            let config = Box::pin(taken_on(config.clone(), role)).await;
            let of = Self::new(options, config, account.clone(), HashMap::new());
            accounts.insert(account.clone(), of);
        }
        Ok(Self::new(options, config, String::new(), accounts))
    }

    fn new(options: &Options, config: SdkConfig, account: String, accounts: HashMap<String, Self>) -> Self {
        Self {
            shared: Arc::new(Shared {
                config,
                account,
                accounts,
                attempts: options.attempts,
                attempt_timeout: options.attempt_timeout,
                regions: Mutex::default(),
            }),
        }
    }

    /// An account as it is reached under its role. Without one it is our own credentials' to reach it: this.
    #[must_use]
    pub fn account(&self, id: &str) -> Self {
        self.shared.accounts.get(id).unwrap_or(self).clone()
    }

    /// A region by its name, `us-east-1`. Its clients are made at the first asking and kept.
    pub fn region(&self, name: &str) -> Region {
        lock(&self.shared.regions)
            .entry(name.to_owned())
            .or_insert_with(|| Region::new(&self.shared, name))
            .clone()
    }

    /// The region that the options or the SDK's chain name.
    pub fn default_region(&self) -> Option<&str> {
        self.shared.config.region().map(AsRef::as_ref)
    }
}

/// The same configuration under a role.
async fn taken_on(config: SdkConfig, role: &Role) -> SdkConfig {
    let mut provider = AssumeRoleProvider::builder(&role.arn)
        .session_name("hollowtrees")
        .configure(&config);
    if let Some(id) = &role.external_id {
        provider = provider.external_id(id);
    }
    if config.region().is_none() {
        provider = provider.region(Name::new(home(&role.arn)));
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    config.into_builder().credentials_provider(provider).build()
}

/// A region that every account of the role's partition has, to take it on in for who has no region of their own.
fn home(arn: &str) -> &'static str {
    match arn.split(':').nth(1) {
        Some("aws-cn") => "cn-north-1",
        Some("aws-us-gov") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

impl Region {
    fn new(shared: &Shared, name: &str) -> Self {
        let config = &shared.config;
        let retry = RetryConfig::standard().with_max_attempts(shared.attempts);
        let ec2 = aws_sdk_ec2::config::Builder::from(config)
            .region(Name::new(name.to_owned()))
            .retry_config(retry.clone())
            .retry_partition(RetryPartition::custom(format!("ec2-{name}")).build())
            .retry_classifier(Definite)
            .build();
        let autoscaling = aws_sdk_autoscaling::config::Builder::from(config)
            .region(Name::new(name.to_owned()))
            .retry_config(retry.clone())
            .retry_partition(RetryPartition::custom(format!("autoscaling-{name}")).build())
            .build();
        // One limit of AWS's for both, and so one partition.
        let balancing_partition = RetryPartition::custom(format!("elasticloadbalancing-{name}")).build();
        let balancing = aws_sdk_elasticloadbalancingv2::config::Builder::from(config)
            .region(Name::new(name.to_owned()))
            .retry_config(retry.clone())
            .retry_partition(balancing_partition.clone())
            .build();
        let classic_balancing = aws_sdk_elasticloadbalancing::config::Builder::from(config)
            .region(Name::new(name.to_owned()))
            .retry_config(retry.clone())
            .retry_partition(balancing_partition)
            .build();
        let sqs = aws_sdk_sqs::config::Builder::from(config)
            .region(Name::new(name.to_owned()))
            .retry_config(retry)
            .retry_partition(RetryPartition::custom(format!("sqs-{name}")).build())
            .build();
        Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                account: shared.account.clone(),
                ec2: aws_sdk_ec2::Client::from_conf(ec2),
                autoscaling: aws_sdk_autoscaling::Client::from_conf(autoscaling),
                balancing: aws_sdk_elasticloadbalancingv2::Client::from_conf(balancing),
                classic_balancing: aws_sdk_elasticloadbalancing::Client::from_conf(classic_balancing),
                sqs: aws_sdk_sqs::Client::from_conf(sqs),
                attempt_timeout: shared.attempt_timeout,
                zones: Mutex::default(),
                templates: Mutex::default(),
                configurations: Mutex::default(),
                learnt: Mutex::default(),
            }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The account whose role is taken on for it; empty: it is our own credentials'. Regions of one name are apart by it.
    pub fn account(&self) -> &str {
        &self.inner.account
    }

    pub(crate) fn ec2(&self) -> &aws_sdk_ec2::Client {
        &self.inner.ec2
    }

    pub(crate) fn autoscaling(&self) -> &aws_sdk_autoscaling::Client {
        &self.inner.autoscaling
    }

    pub(crate) fn balancing(&self) -> &aws_sdk_elasticloadbalancingv2::Client {
        &self.inner.balancing
    }

    pub(crate) fn classic_balancing(&self) -> &aws_sdk_elasticloadbalancing::Client {
        &self.inner.classic_balancing
    }

    pub(crate) fn sqs(&self) -> &aws_sdk_sqs::Client {
        &self.inner.sqs
    }

    pub(crate) fn attempt_timeout(&self) -> Duration {
        self.inner.attempt_timeout
    }

    pub(crate) fn templates(&self) -> MutexGuard<'_, HashMap<TemplateRef, Arc<LaunchTemplateVersion>>> {
        lock(&self.inner.templates)
    }

    pub(crate) fn remembered(&self) -> MutexGuard<'_, HashMap<String, Arc<LaunchConfiguration>>> {
        lock(&self.inner.configurations)
    }

    pub(crate) fn learnt(&self) -> MutexGuard<'_, Learnt> {
        lock(&self.inner.learnt)
    }

    pub(crate) fn zones(&self) -> MutexGuard<'_, HashMap<String, String>> {
        lock(&self.inner.zones)
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("region", &self.default_region())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
