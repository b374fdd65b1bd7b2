//! Who this instance is.

use serde::Deserialize;

use super::{Garbage, Of, is_word};
use crate::provider::Provider;

/// Who this instance is; what is unknown is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Where it runs.
    pub provider: Provider,
    /// The provider's unique id: `i-0d2aab13057917887`, Google's number, Azure's `vmId`.
    pub instance_id: String,
    /// The name Azure and Google know it by.
    pub name: String,
    /// AWS account, Google project, Azure subscription.
    pub account_id: String,
    /// `eu-west-1`
    pub region: String,
    /// `eu-west-1a`
    pub availability_zone: String,
    /// `m5.large`
    pub instance_type: String,
}

impl Identity {
    /// Of an instance of which only the id is known.
    pub fn bare(provider: Provider, instance_id: &str) -> Self {
        Self {
            provider,
            instance_id: instance_id.to_owned(),
            name: String::new(),
            account_id: String::new(),
            region: String::new(),
            availability_zone: String::new(),
            instance_type: String::new(),
        }
    }

    /// Every part is a word or empty, and the id is there.
    pub(super) fn checked(self, of: Of, body: &[u8]) -> Result<Self, Garbage> {
        let parts = [
            &self.name,
            &self.account_id,
            &self.region,
            &self.availability_zone,
            &self.instance_type,
        ];
        if is_word(&self.instance_id) && parts.iter().all(|part| part.is_empty() || is_word(part)) {
            Ok(self)
        } else {
            Err(of.garbage(
                "no id of the instance, or a part of more than 64 characters",
                body,
            ))
        }
    }
}

/// What EC2 and Alibaba call the parts of the identity document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parts {
    #[serde(rename = "instanceId", alias = "instance-id")]
    instance_id: String,
    #[serde(rename = "accountId", alias = "owner-account-id")]
    account_id: String,
    #[serde(rename = "region", alias = "region-id")]
    region: String,
    #[serde(rename = "availabilityZone", alias = "zone-id")]
    availability_zone: String,
    #[serde(rename = "instanceType", alias = "instance-type")]
    instance_type: String,
}

/// The identity document of EC2 (`instanceId`, ...) or of Alibaba (`instance-id`, ...).
pub(super) fn of_document(of: Of, body: &[u8]) -> Result<Identity, Garbage> {
    let parts: Parts = of.json(body)?;
    Identity {
        provider: of.0,
        instance_id: parts.instance_id,
        name: String::new(),
        account_id: parts.account_id,
        region: parts.region,
        availability_zone: parts.availability_zone,
        instance_type: parts.instance_type,
    }
    .checked(of, body)
}
