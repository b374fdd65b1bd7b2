//! `[sns]`

use hollowtrees_runtime::config::Problem;
use serde::{Deserialize, Serialize};

use crate::sqs::route::Pattern;

/// Topics that post to the gateway.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sns {
    /// ARNs of topics, `*` at the end of one for any that begins so. Empty: none may post.
    pub topics: Vec<String>,
    /// Whether a topic's question if it may post is answered.
    pub confirm: bool,
    /// Where a stand-in for SNS shows its certificate and takes confirmations; empty: SNS itself.
    pub endpoint: String,
}

impl Sns {
    /// Notes what cannot be.
    pub(crate) fn validate(&self, problems: &mut Vec<Problem>) {
        for topic in &self.topics {
            let parts: Vec<_> = topic.splitn(6, ':').collect();
            if !matches!(parts.as_slice(), ["arn", _, "sns", _, _, name] if !name.is_empty()) {
                problems.push(Problem::new(
                    "sns.topics",
                    format!(
                        "`{topic}` is no ARN of a topic: arn:aws:sns:REGION:ACCOUNT:NAME, NAME may end with *"
                    ),
                ));
            }
        }
        let endpoint = &self.endpoint;
        let is_address = ["http://", "https://"].iter().any(|scheme| {
            endpoint
                .strip_prefix(scheme)
                .is_some_and(|host| !host.is_empty() && !host.contains('/'))
        });
        if !endpoint.is_empty() && !is_address {
            problems.push(Problem::new(
                "sns.endpoint",
                "is not http:// or https:// with a host and nothing after it",
            ));
        }
    }

    /// Whether this topic may post.
    #[must_use]
    pub fn may_post(&self, topic: &str) -> bool {
        self.topics.iter().any(|listed| Pattern::new(listed).fits(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sns(topics: &[&str], endpoint: &str) -> Sns {
        Sns {
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            confirm: true,
            endpoint: endpoint.to_owned(),
        }
    }

    #[test]
    fn only_listed_topics_may_post() {
        let sns = sns(
            &["arn:aws:sns:eu-west-1:1:a", "arn:aws:sns:eu-west-1:1:spot-*"],
            "",
        );
        for (topic, expected) in [
            ("arn:aws:sns:eu-west-1:1:a", true),
            ("arn:aws:sns:eu-west-1:1:ab", false),
            ("arn:aws:sns:eu-west-1:1:spot-prod", true),
            ("arn:aws:sns:eu-west-1:2:spot-prod", false),
            ("", false),
        ] {
            assert_eq!(sns.may_post(topic), expected, "{topic}");
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (topic, endpoint, expected) in [
            ("hollowtrees", "", "sns.topics"),
            ("*", "", "sns.topics"),
            ("arn:aws:sqs:eu-west-1:1:a", "", "sns.topics"),
            ("arn:aws:sns:eu-west-1:1:", "", "sns.topics"),
            ("arn:aws:sns:eu-west-1:1:a", "localhost:4566", "sns.endpoint"),
            ("arn:aws:sns:eu-west-1:1:a", "http://a/b", "sns.endpoint"),
        ] {
            let mut problems = Vec::new();
            sns(&[topic], endpoint).validate(&mut problems);
            assert_eq!(problems.len(), 1, "{topic} {endpoint}");
            assert!(format!("{problems:?}").contains(expected), "{problems:?}");
        }
        let mut problems = Vec::new();
        sns(&["arn:aws-cn:sns:cn-north-1:1:*"], "http://127.0.0.1:4566").validate(&mut problems);
        assert!(problems.is_empty(), "{problems:?}");
    }
}
