//! What an error of AWS means for who asked.
//!
//! Sources: EC2 API reference, "Error codes for the Amazon EC2 API"; Auto Scaling and SQS API references, "Common errors"
//! and the errors of each action. A code decides before the status does: EC2 answers `InsufficientInstanceCapacity` with
//! status 500 although it is definite.
//!
//! | code | refusal |
//! |---|---|
//! | `Throttling*`, `RequestLimitExceeded`, `SlowDown`, ...; `ScalingActivityInProgress`, `ResourceContention`, ... | [`Refusal::Throttled`] |
//! | `Insufficient*Capacity`, `SpotMaxPriceTooLow`, `*LimitExceeded` of instances, `Unsupported`, ... | [`Refusal::Capacity`] |
//! | `UnauthorizedOperation`, `AccessDenied`, `AuthFailure`, ... | [`Refusal::Denied`] |
//! | `*.NotFound`, `*.VersionNotFound`, `*NotFoundException`, `QueueDoesNotExist`, `TargetGroupNotFound`, ...; Auto Scaling's `ValidationError` that says "not found" | [`Refusal::Missing`] |
//! | every other code with a status of 4xx | [`Refusal::Rejected`] |
//! | `ExpiredToken`, `RequestExpired`, `InvalidClientTokenId`, `SignatureDoesNotMatch`: credentials or a clock, for now | [`Refusal::Unclear`] |
//! | other codes with 5xx; no answer, a late one, one that cannot be read | [`Refusal::Unclear`] |

use std::{error::Error, time::Duration};

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why AWS did not do what it was asked.
///
/// `Throttled` and `Unclear` are worth the same call again; the others are definite: the same call again has the same
/// answer until something else changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too much at once, or something else is under way there. Not before `after`.
    #[error("AWS asks to wait: {message}")]
    Throttled {
        /// How long AWS wants to be left alone (`x-amz-retry-after`, `Retry-After`); 1 s where it does not say.
        after: Duration,
        /// What it said.
        message: String,
    },
    /// This pool has none, or the account may have no more of it; another pool may.
    #[error("AWS has no such instance to give ({code}): {message}")]
    Capacity {
        /// AWS's code.
        code: String,
        /// What it said.
        message: String,
    },
    /// AWS will not do this, as it is asked.
    #[error("AWS refuses ({code}): {message}")]
    Rejected {
        /// AWS's code; ours, in small letters, where the call was never made.
        code: String,
        /// What it said.
        message: String,
    },
    /// We may not.
    #[error("AWS does not let us ({code}): {message}; see the policy in docs/operating.md")]
    Denied {
        /// AWS's code.
        code: String,
        /// What it said.
        message: String,
    },
    /// What was named is not there.
    #[error("not there ({code}): {message}")]
    Missing {
        /// AWS's code.
        code: String,
        /// What it said.
        message: String,
    },
    /// No answer, or none that says whether it was done.
    #[error("no clear answer from AWS: {message}")]
    Unclear {
        /// What happened on the way.
        message: String,
    },
}

/// What is waited where AWS says no time.
const WAIT: Duration = Duration::from_secs(1);

const THROTTLED: [&str; 22] = [
    // The SDK's own list (aws-runtime, `THROTTLING_ERRORS`).
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
    // Resource rate limits of EC2, and its other words for the same.
    "ResourceCountExceeded",
    "RequestResourceCountExceeded",
    // Something else is under way with the same thing, and ends by itself.
    "ScalingActivityInProgress",
    "ScalingActivityInProgressFault",
    "ResourceContention",
    "ResourceContentionFault",
    "ConcurrentTagAccess",
    "OperationInProgress",
];

const CAPACITY: [&str; 19] = [
    "InsufficientInstanceCapacity",
    "InsufficientCapacity",
    "InsufficientCapacityOnHost",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientReservedInstancesCapacity",
    "InsufficientVolumeCapacity",
    "InsufficientAddressCapacity",
    "InsufficientFreeAddressesInSubnet",
    "ReservationCapacityExceeded",
    "UnfulfillableCapacity",
    "SpotMaxPriceTooLow",
    "MaxSpotInstanceCountExceeded",
    "InstanceLimitExceeded",
    "VcpuLimitExceeded",
    "Unsupported",
    "UnsupportedInstanceType",
    "InstanceTypeNotSupported",
    "UnsupportedHostConfiguration",
];

/// Of the moment: credentials that are being renewed or are not known everywhere yet, a clock that is off. The same call
/// may be answered soon, and says nothing of an earlier one.
const MOMENTARY: [&str; 5] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "SignatureDoesNotMatch",
];

const DENIED: [&str; 15] = [
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
    "Blocked",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "PendingVerification",
    "UnrecognizedClientException",
];

/// Auto Scaling's words before the name of the group that an instance is in.
const ALREADY_PART: &str = "is already part of AutoScalingGroup";

/// Whether this code says that one pool cannot give an instance: definite, whatever the status.
pub(crate) fn is_capacity(code: &str) -> bool {
    CAPACITY.contains(&code)
}

/// Whether this code says that there were too many calls.
pub(crate) fn is_throttled(code: &str) -> bool {
    THROTTLED.contains(&code)
}

impl Refusal {
    /// Whether it may have been done all the same: look before the next step. A launch is asked again, unchanged.
    ///
    /// True for `Unclear`, and for `Throttled`, since of several attempts only the last one was throttled for certain.
    pub fn may_have_happened(&self) -> bool {
        !self.is_definite()
    }

    /// Whether the same call again has the same answer until something else changes.
    pub fn is_definite(&self) -> bool {
        !matches!(self, Self::Throttled { .. } | Self::Unclear { .. })
    }

    /// How long to wait at least before the same call again; none where it is of no use.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { after, .. } => Some(*after),
            Self::Unclear { .. } => Some(Duration::ZERO),
            Self::Capacity { .. } | Self::Rejected { .. } | Self::Denied { .. } | Self::Missing { .. } => {
                None
            }
        }
    }

    /// AWS's code; none where there was no answer to take it from.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Capacity { code, .. }
            | Self::Rejected { code, .. }
            | Self::Denied { code, .. }
            | Self::Missing { code, .. } => Some(code),
            Self::Throttled { .. } | Self::Unclear { .. } => None,
        }
    }

    /// Whether an instance cannot be attached since it is a member of just this group. Auto Scaling has no code for that:
    /// it says "The Instance: i-... is already part of AutoScalingGroup:name".
    pub(crate) fn is_member_of(&self, group: &str) -> bool {
        let Self::Rejected { code, message } = self else {
            return false;
        };
        let named = message.split_once(ALREADY_PART).map(|(_, named)| named);
        code == "ValidationError" && named.is_some_and(|named| named.trim_start_matches([':', ' ']) == group)
    }

    /// A call that is not made, since AWS would have to refuse it or do something else than was meant.
    pub(crate) fn unsaid(code: &str, message: impl Into<String>) -> Self {
        Self::Rejected {
            code: code.to_owned(),
            message: message.into(),
        }
    }

    pub(crate) fn unclear(message: impl Into<String>) -> Self {
        Self::Unclear {
            message: message.into(),
        }
    }

    /// From the code, status and words of an answer. `after`: the wait that its headers ask for.
    pub(crate) fn of(code: &str, status: u16, message: &str, after: Option<Duration>) -> Self {
        let (code, message) = (code.to_owned(), message.to_owned());
        if THROTTLED.contains(&code.as_str()) || status == 429 {
            return Self::Throttled {
                after: after.unwrap_or(WAIT),
                message: format!("{code}: {message}"),
            };
        }
        if is_capacity(&code) {
            return Self::Capacity { code, message };
        }
        if DENIED.contains(&code.as_str()) {
            return Self::Denied { code, message };
        }
        if is_missing(&code, &message) {
            return Self::Missing { code, message };
        }
        let unclear = ["RequestTimeout", "RequestTimeoutException"].contains(&code.as_str())
            || MOMENTARY.contains(&code.as_str());
        if (400..500).contains(&status) && !unclear {
            return Self::Rejected { code, message };
        }
        Self::Unclear {
            message: format!("status {status}, {code}: {message}"),
        }
    }

    pub(crate) fn from_sdk<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let whole = || DisplayErrorContext(error).to_string();
        match error {
            SdkError::ServiceError(context) => {
                let (answer, said) = (context.raw(), context.err());
                let header = |name| answer.headers().get(name).and_then(|value| value.parse().ok());
                let after = header("x-amz-retry-after")
                    .map(Duration::from_millis)
                    .or_else(|| header("retry-after").map(Duration::from_secs));
                Self::of(
                    said.code().unwrap_or("Unknown"),
                    answer.status().as_u16(),
                    said.message().unwrap_or_default(),
                    after,
                )
            }
            // Never sent, most often for want of credentials, which may come: nobody says so in a type.
            SdkError::ConstructionFailure(_) => {
                Self::unclear(format!("the call could not be made: {}", whole()))
            }
            _ => Self::unclear(whole()),
        }
    }
}

fn is_missing(code: &str, message: &str) -> bool {
    code.ends_with(".NotFound")
        || code.ends_with(".VersionNotFound")
        || code.ends_with("NotFoundException")
        // Elastic Load Balancing, of both kinds.
        || code == "TargetGroupNotFound"
        || code == "LoadBalancerNotFound"
        // SQS, in its present and its former words.
        || code == "QueueDoesNotExist"
        || code.ends_with(".NonExistentQueue")
        // Auto Scaling has one code for all that it refuses.
        || (code == "ValidationError" && message.contains("not found"))
}

impl<E> From<SdkError<E, HttpResponse>> for Refusal
where
    E: ProvideErrorMetadata + Error + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        Self::from_sdk(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Kind {
        Throttled,
        Capacity,
        Rejected,
        Denied,
        Missing,
        Unclear,
    }

    fn kind(refusal: &Refusal) -> Kind {
        match refusal {
            Refusal::Throttled { .. } => Kind::Throttled,
            Refusal::Capacity { .. } => Kind::Capacity,
            Refusal::Rejected { .. } => Kind::Rejected,
            Refusal::Denied { .. } => Kind::Denied,
            Refusal::Missing { .. } => Kind::Missing,
            Refusal::Unclear { .. } => Kind::Unclear,
        }
    }

    #[test]
    fn codes() {
        use Kind::{Capacity, Denied, Missing, Rejected, Throttled, Unclear};
        for (code, status, message, expected) in [
            ("Throttling", 400, "Rate exceeded", Throttled),
            ("RequestLimitExceeded", 503, "", Throttled),
            ("SomethingElse", 429, "", Throttled),
            ("ScalingActivityInProgress", 400, "", Throttled),
            ("ResourceContention", 500, "", Throttled),
            // Definite, whatever the status.
            ("InsufficientInstanceCapacity", 500, "", Capacity),
            ("InsufficientInstanceCapacity", 400, "", Capacity),
            ("SpotMaxPriceTooLow", 400, "", Capacity),
            ("MaxSpotInstanceCountExceeded", 400, "", Capacity),
            ("InstanceLimitExceeded", 400, "", Capacity),
            ("VcpuLimitExceeded", 400, "", Capacity),
            ("Unsupported", 400, "", Capacity),
            ("InsufficientFreeAddressesInSubnet", 400, "", Capacity),
            ("UnauthorizedOperation", 403, "", Denied),
            ("AccessDenied", 403, "", Denied),
            ("ExpiredToken", 400, "", Unclear),
            ("ExpiredTokenException", 400, "", Unclear),
            ("RequestExpired", 400, "", Unclear),
            ("InvalidClientTokenId", 403, "", Unclear),
            ("SignatureDoesNotMatch", 403, "", Unclear),
            ("AuthFailure", 401, "", Denied),
            ("InvalidInstanceID.NotFound", 400, "", Missing),
            ("InvalidLaunchTemplateId.NotFound", 400, "", Missing),
            ("InvalidLaunchTemplateId.VersionNotFound", 400, "", Missing),
            ("InvalidLaunchTemplateName.NotFoundException", 400, "", Missing),
            (
                "ValidationError",
                400,
                "AutoScalingGroup name not found - g",
                Missing,
            ),
            ("ValidationError", 400, "Instance Id not found - i", Missing),
            ("TargetGroupNotFound", 400, "", Missing),
            ("LoadBalancerNotFound", 400, "", Missing),
            ("InvalidTarget", 400, "", Rejected),
            (
                "ValidationError",
                400,
                "The instance i is not part of g",
                Rejected,
            ),
            ("IdempotentParameterMismatch", 400, "", Rejected),
            ("IdempotentInstanceTerminated", 400, "", Rejected),
            ("InvalidParameterValue", 400, "", Rejected),
            ("NeverHeardOf", 404, "", Rejected),
            ("RequestTimeout", 400, "", Unclear),
            ("InternalError", 500, "", Unclear),
            ("ServiceUnavailable", 503, "", Unclear),
            ("Unknown", 200, "", Unclear),
        ] {
            let refusal = Refusal::of(code, status, message, None);
            assert_eq!(kind(&refusal), expected, "{code} {status} {message}");
            assert_eq!(
                refusal.is_definite(),
                !matches!(expected, Throttled | Unclear),
                "{code} {status}"
            );
            assert_eq!(refusal.may_have_happened(), !refusal.is_definite());
            assert_eq!(refusal.retry_after().is_some(), !refusal.is_definite());
            // It says what it is by AWS's own word, whichever it is.
            assert!(refusal.to_string().contains(code), "{refusal}");
        }
    }

    #[test]
    fn a_member_is_one_of_this_very_group() {
        let check = |code: &str, message: &str, expected: bool| {
            let refusal = Refusal::of(code, 400, message, None);
            assert_eq!(refusal.is_member_of("web"), expected, "{code}: {message}");
        };
        let said = |group: &str| format!("The Instance: i-1 is already part of AutoScalingGroup{group}");
        check("ValidationError", &said(":web"), true);
        check("ValidationError", &said(" web"), true);
        check("ValidationError", &said(":web-2"), false);
        check("ValidationError", &said(":my-web"), false);
        check("ValidationError", &said(""), false);
        check("ValidationError", "The instance i-1 is not part of web", false);
        check("SomethingElse", &said(":web"), false);
    }

    #[test]
    fn no_code_means_two_things() {
        for code in THROTTLED {
            assert!(!CAPACITY.contains(&code) && !DENIED.contains(&code), "{code}");
        }
        for code in MOMENTARY {
            assert!(!CAPACITY.contains(&code) && !DENIED.contains(&code), "{code}");
            assert!(!THROTTLED.contains(&code), "{code}");
        }
        assert!(CAPACITY.iter().all(|code| !DENIED.contains(code)));
    }

    #[test]
    fn waits() {
        let told = Refusal::of("Throttling", 400, "", Some(Duration::from_secs(7)));
        assert_eq!(told.retry_after(), Some(Duration::from_secs(7)));
        let untold = Refusal::of("Throttling", 400, "", None);
        assert_eq!(untold.retry_after(), Some(WAIT));
    }
}
