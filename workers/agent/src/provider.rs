//! The clouds an instance may run in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A cloud the agent tells from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon EC2.
    Aws,
    /// Google Compute Engine.
    Gcp,
    /// Azure virtual machines.
    Azure,
    /// Alibaba Cloud ECS.
    Alibaba,
    /// Oracle Cloud Infrastructure compute.
    Oracle,
    /// DigitalOcean droplets.
    DigitalOcean,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Aws,
        Self::Gcp,
        Self::Azure,
        Self::Alibaba,
        Self::Oracle,
        Self::DigitalOcean,
    ];

    /// `aws`, `gcp`, ...: in notices, settings and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Alibaba => "alibaba",
            Self::Oracle => "oracle",
            Self::DigitalOcean => "digitalocean",
        }
    }

    /// Where its metadata service is, IPv4 before IPv6.
    ///
    /// Google's answers at the address as well as at `metadata.google.internal`: no name has to be resolved.
    pub const fn bases(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["http://169.254.169.254", "http://[fd00:ec2::254]"],
            Self::Gcp => &["http://169.254.169.254", "http://[fd20:ce::254]"],
            Self::Oracle => &["http://169.254.169.254", "http://[fd00:c1::a9fe:a9fe]"],
            Self::Azure | Self::DigitalOcean => &["http://169.254.169.254"],
            Self::Alibaba => &["http://100.100.100.200"],
        }
    }

    /// Why nothing is asked of its metadata service, where that announces no interruption.
    pub const fn silent(self) -> Option<&'static str> {
        match self {
            Self::Aws | Self::Gcp | Self::Azure | Self::Alibaba => None,
            Self::Oracle => Some(
                "Oracle's metadata service announces no preemption; its Events service does \
                 (com.oraclecloud.computeapi.instancepreemptionaction, two minutes before): send that to the gateway",
            ),
            Self::DigitalOcean => {
                Some("DigitalOcean takes no droplet back, and announces no maintenance to it")
            }
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the settings say about the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Choice {
    /// It is found out.
    Auto,
    /// Nothing is to be heard on this node.
    None,
    /// It is this one.
    Is(Provider),
}

impl TryFrom<String> for Choice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = Provider::ALL.into_iter().find(|provider| provider.name() == text);
        match (text.as_str(), known) {
            (_, Some(provider)) => Ok(Self::Is(provider)),
            ("auto", None) => Ok(Self::Auto),
            ("none", None) => Ok(Self::None),
            _ => Err(format!(
                "`{text}` is not one of auto, none, {}",
                Provider::ALL.map(Provider::name).join(", ")
            )),
        }
    }
}

impl From<Choice> for &'static str {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Auto => "auto",
            Choice::None => "none",
            Choice::Is(provider) => provider.name(),
        }
    }
}
