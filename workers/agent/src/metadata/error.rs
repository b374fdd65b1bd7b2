//! Why a document could not be read, and what a person can do.

use std::time::Duration;

use http::StatusCode;

use crate::provider::Provider;

/// All the ways the metadata service fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error(
        "cannot reach the metadata service of {provider} at {url} ({cause}); does this node run there, and the agent \
         on the host network? set HT_PROVIDER, HT_METADATA__URL"
    )]
    Unreachable {
        /// Whose service it should be.
        provider: Provider,
        /// Base URL.
        url: String,
        /// What the system said.
        cause: String,
    },
    /// The connection stands but the token never came: the answer's hop limit ended on its way.
    #[error(
        "no answer to the token request within {limit:?}; in a container the instance's metadata hop limit \
         (HttpPutResponseHopLimit) has to be 2 or more, or the agent runs on the host network"
    )]
    NoToken {
        /// Limit of the request.
        limit: Duration,
    },
    /// No answer in time.
    #[error("the metadata service at {url} did not answer {path} within {limit:?}; see HT_METADATA__TIMEOUT")]
    TimedOut {
        /// Base URL.
        url: String,
        /// What was asked for.
        path: &'static str,
        /// Limit of the request.
        limit: Duration,
    },
    /// 403.
    #[error("the metadata service refuses {path} (403); {}", remedy(*.provider))]
    Forbidden {
        /// Whose service it should be.
        provider: Provider,
        /// What was asked for.
        path: &'static str,
    },
    /// 401 with a token that is a moment old.
    #[error(
        "the metadata service refuses a new token for {path} (401); does another service answer at HT_METADATA__URL, \
         or a proxy drop the token's header?"
    )]
    Unauthorized {
        /// What was asked for.
        path: &'static str,
    },
    /// 5xx and whatever else is neither the document nor its absence.
    #[error("the metadata service answered {path} with {status}; it is asked again")]
    Status {
        /// What was asked for.
        path: &'static str,
        /// What it said.
        status: StatusCode,
    },
    /// An answer that does not bear the mark of the provider's service.
    #[error(
        "the answer to {path} is not from {provider}'s metadata service: it lacks its header; is a proxy in between? \
         see HT_METADATA__URL"
    )]
    Foreign {
        /// Whose service it should be.
        provider: Provider,
        /// What was asked for.
        path: &'static str,
    },
    /// An answer that ends early, is too large, or is not HTTP.
    #[error("the answer to {path} is broken ({cause}); it is asked again")]
    Broken {
        /// What was asked for.
        path: &'static str,
        /// What is wrong with it.
        cause: String,
    },
}

/// What helps against a 403.
fn remedy(provider: Provider) -> &'static str {
    match provider {
        Provider::Aws => {
            "it is switched off for this instance (HttpEndpoint) or a proxy stands before it: \
             `aws ec2 modify-instance-metadata-options --http-endpoint enabled`"
        }
        Provider::Gcp | Provider::Azure | Provider::Alibaba | Provider::Oracle | Provider::DigitalOcean => {
            "a proxy, or a network policy of the cluster, stands before it: let the agent's pods past it"
        }
    }
}

impl Error {
    /// Type of the error, for `hollowtrees_errors_total`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "metadata_unreachable",
            Self::NoToken { .. } => "metadata_no_token",
            Self::TimedOut { .. } => "metadata_timeout",
            Self::Forbidden { .. } => "metadata_forbidden",
            Self::Unauthorized { .. } => "metadata_unauthorized",
            Self::Status { .. } => "metadata_status",
            Self::Foreign { .. } => "metadata_foreign",
            Self::Broken { .. } => "metadata_broken",
        }
    }

    /// Whether the service gave an answer, of whatever status.
    pub fn answered(&self) -> bool {
        match self {
            Self::Forbidden { .. } | Self::Unauthorized { .. } | Self::Status { .. } => true,
            Self::Unreachable { .. }
            | Self::NoToken { .. }
            | Self::TimedOut { .. }
            | Self::Foreign { .. }
            | Self::Broken { .. } => false,
        }
    }

    /// Whether a request without a token may still succeed after this.
    pub(super) fn leaves_v1(&self) -> bool {
        match self {
            Self::NoToken { .. } | Self::Status { .. } | Self::Broken { .. } | Self::Unauthorized { .. } => {
                true
            }
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Forbidden { .. }
            | Self::Foreign { .. } => false,
        }
    }
}
