//! What a machine may lack, and a test then does without.

use std::fmt::Display;
use std::io::Write as _;

/// What is not on every machine, and has to be on CI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// `curl`.
    Curl,
    /// Docker with Compose.
    Docker,
    /// IPv6 on the loopback interface.
    Ipv6,
    /// Node.js with npm.
    Node,
    /// `prometheus` and `promtool`.
    Prometheus,
}

impl Missing {
    /// With this variable set to `1` its want fails a test: in CI.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Curl => "HOLLOWTREES_REQUIRE_CURL",
            Self::Docker => "HOLLOWTREES_REQUIRE_DOCKER",
            Self::Ipv6 => "HOLLOWTREES_REQUIRE_IPV6",
            Self::Node => "HOLLOWTREES_REQUIRE_NODE",
            Self::Prometheus => "HOLLOWTREES_REQUIRE_PROMETHEUS",
        }
    }

    /// Says that a test, or a part of one, is skipped for this reason.
    ///
    /// # Panics
    /// Where it may not be skipped.
    #[track_caller]
    pub fn skip(self, why: impl Display) {
        self.skip_unless(required(self.variable()), why);
    }

    #[track_caller]
    fn skip_unless(self, required: bool, why: impl Display) {
        assert!(!required, "{} is set, and {why}", self.variable());
        // Past the capture of a test's output.
        std::io::stderr()
            .write_all(format!("\nSKIPPED: {why}\n").as_bytes())
            .unwrap_or_default();
    }
}

fn required(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "HOLLOWTREES_REQUIRE_CURL is set, and curl is not there")]
    fn what_is_required_may_not_be_missing() {
        Missing::Curl.skip_unless(true, "curl is not there");
    }

    #[test]
    fn what_is_not_may() {
        Missing::Curl.skip_unless(false, "this is said by a test");
        assert!(!required("HOLLOWTREES_REQUIRE_A_THING_NOBODY_NAMES"));
    }
}
