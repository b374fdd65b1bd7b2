//! What each provider's metadata service wants to see in a request, so that none is answered that was forged through a
//! careless program on the node.

use http::{HeaderName, HeaderValue};

use crate::provider::Provider;

/// How a service is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dialect {
    /// With a session token, fetched by PUT (EC2's IMDSv2; Alibaba's security hardening mode).
    Token(&'static TokenWords),
    /// With a header that is always the same.
    Header {
        name: &'static str,
        value: &'static str,
        /// A genuine answer bears the header, too (Google: "check for it, to know who answers").
        answered: bool,
    },
    /// With nothing.
    Plain,
}

/// Path and headers of a session token.
#[derive(Debug)]
pub(super) struct TokenWords {
    pub(super) path: &'static str,
    token: &'static str,
    ttl: &'static str,
}

impl TokenWords {
    pub(super) fn token(&self) -> HeaderName {
        HeaderName::from_static(self.token)
    }

    pub(super) fn ttl(&self) -> HeaderName {
        HeaderName::from_static(self.ttl)
    }
}

/// AWS, "Use the Instance Metadata Service to access instance metadata".
const EC2: TokenWords = TokenWords {
    path: "/latest/api/token",
    token: "x-aws-ec2-metadata-token",
    ttl: "x-aws-ec2-metadata-token-ttl-seconds",
};

/// Alibaba Cloud, "Instance metadata".
const ECS: TokenWords = TokenWords {
    path: "/latest/api/token",
    token: "x-aliyun-ecs-metadata-token",
    ttl: "x-aliyun-ecs-metadata-token-ttl-seconds",
};

impl Dialect {
    pub(super) const fn of(provider: Provider) -> Self {
        match provider {
            Provider::Aws => Self::Token(&EC2),
            Provider::Alibaba => Self::Token(&ECS),
            Provider::Gcp => Self::Header {
                name: "metadata-flavor",
                value: "Google",
                answered: true,
            },
            Provider::Azure => Self::Header {
                name: "metadata",
                value: "true",
                answered: false,
            },
            Provider::Oracle => Self::Header {
                name: "authorization",
                value: "Bearer Oracle",
                answered: false,
            },
            Provider::DigitalOcean => Self::Plain,
        }
    }

    /// The header that every request bears.
    pub(super) fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Header { name, value, .. } => {
                Some((HeaderName::from_static(name), HeaderValue::from_static(value)))
            }
            Self::Token(_) | Self::Plain => None,
        }
    }

    /// Whether who answered with these headers is the service.
    pub(super) fn is_genuine(self, headers: &http::HeaderMap) -> bool {
        match self {
            Self::Header {
                name,
                value,
                answered: true,
            } => headers.get(name).is_some_and(|found| found == value),
            Self::Header { .. } | Self::Token(_) | Self::Plain => true,
        }
    }
}
