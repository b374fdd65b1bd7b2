//! What the service says about the instance.

use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The instance that the service belongs to.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Such as `i-0123456789abcdef0`.
    pub instance_id: String,
    /// Such as `m5.large`.
    pub instance_type: String,
    /// Such as `us-east-1a`; the region is this without its letter.
    pub availability_zone: String,
    /// Twelve digits.
    pub account_id: String,
    /// The private DNS name, which is the node's name.
    pub hostname: String,
    /// The target lifecycle state in its auto-scaling group, say `InService` or `Terminated`; none outside of a group.
    pub lifecycle_state: Option<String>,
    /// Its tags, if they are shown.
    pub tags: BTreeMap<String, String>,
}

impl Instance {
    /// An `m5.large` spot instance of account 123456789012.
    pub fn new(instance_id: &str, availability_zone: &str) -> Self {
        Self {
            instance_id: instance_id.to_owned(),
            instance_type: "m5.large".to_owned(),
            availability_zone: availability_zone.to_owned(),
            account_id: "123456789012".to_owned(),
            hostname: "ip-10-0-0-1.ec2.internal".to_owned(),
            lifecycle_state: Some("InService".to_owned()),
            tags: BTreeMap::new(),
        }
    }

    /// The same with another private DNS name.
    #[must_use]
    pub fn hostname(mut self, hostname: &str) -> Self {
        hostname.clone_into(&mut self.hostname);
        self
    }

    fn region(&self) -> &str {
        self.availability_zone
            .trim_end_matches(|c: char| c.is_ascii_lowercase())
    }

    pub(super) fn page(&self, path: &str) -> Option<String> {
        if path == "/latest/dynamic/instance-identity/document" {
            return Some(format!("{:#}", self.document()));
        }
        let page = path.strip_prefix("/latest/meta-data/")?;
        let text = match page {
            "instance-id" => &self.instance_id,
            "instance-type" => &self.instance_type,
            "instance-life-cycle" => "spot",
            "local-hostname" | "hostname" => &self.hostname,
            "local-ipv4" => "10.0.0.1",
            "ami-id" => "ami-12345678",
            "placement/availability-zone" => &self.availability_zone,
            "placement/region" => self.region(),
            "services/partition" => "aws",
            "autoscaling/target-lifecycle-state" => self.lifecycle_state.as_deref()?,
            "tags/instance" if !self.tags.is_empty() => {
                return Some(
                    self.tags
                        .keys()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join("\n"),
                );
            }
            other => self.tags.get(other.strip_prefix("tags/instance/")?)?,
        };
        Some(text.to_owned())
    }

    fn document(&self) -> serde_json::Value {
        json!({
            "accountId": self.account_id,
            "architecture": "x86_64",
            "availabilityZone": self.availability_zone,
            "imageId": "ami-12345678",
            "instanceId": self.instance_id,
            "instanceType": self.instance_type,
            "pendingTime": "2026-01-01T00:00:00Z",
            "privateIp": "10.0.0.1",
            "region": self.region(),
            "version": "2017-09-30",
        })
    }
}

/// A spot interruption notice.
#[derive(Clone, Debug)]
pub struct Notice {
    action: String,
    when: When,
}

/// What a document gives as the time at which the instance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This.
    At(Timestamp),
    /// Always so much after the request, as if the service could not make up its mind.
    After(Duration),
}

impl When {
    pub(super) fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::After(after) => now + after,
        }
    }
}

impl Notice {
    pub(super) fn at(action: &str, after: Duration) -> Self {
        Self::of(action, When::At(Timestamp::now() + after))
    }

    pub(super) fn of(action: &str, when: When) -> Self {
        Self {
            action: action.to_owned(),
            when,
        }
    }

    pub(super) fn json(&self, now: Timestamp) -> String {
        json!({"action": self.action, "time": time(self.when.time(now))}).to_string()
    }

    /// The older page of the same notice, there for instances that will be terminated only.
    pub(super) fn termination_time(&self, now: Timestamp) -> Option<String> {
        (self.action == "terminate").then(|| time(self.when.time(now)))
    }
}

/// As EC2 writes times: UTC, whole seconds.
pub(super) fn time(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
