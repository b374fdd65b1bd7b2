//! `[sqs]`: which queues are read, and whose instances are whose.

use std::{collections::BTreeMap, fmt, time::Duration};

use hollowtrees_aws::{Options, Role, queue::LONGEST_POLL};
use hollowtrees_runtime::config::{self, Problem};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::route::{Pattern, Routes};

/// `[sqs]`
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sqs {
    /// Queues that are read; none: no AWS is spoken to.
    pub queues: Vec<Queue>,
    /// Region of queues whose URL names none; empty: the environment's.
    pub region: String,
    /// Messages of one queue held at once.
    pub held: usize,
    /// Long polls of one queue at once.
    pub polls: usize,
    /// How long SQS waits for a first message.
    #[serde(with = "config::duration")]
    pub wait: Duration,
    /// How long a message that was taken is out of others' sight.
    #[serde(with = "config::duration")]
    pub hidden: Duration,
    /// Whether hooks of launches are told.
    pub launches: bool,
    /// Whether events are taken by HTTP where no queue is read.
    pub posts: bool,
    /// Clusters spoken for; none: all.
    pub clusters: Vec<String>,
    /// What becomes of events of other clusters.
    pub foreign: Strangers,
    /// `<name in tags>=<cluster>`
    pub names: Vec<String>,
    /// `<group>=<cluster>`
    pub groups: Vec<String>,
    /// `<account>=<cluster>`
    pub accounts: Vec<String>,
    /// How instances are looked up.
    pub lookup: Lookup,
}

/// `sqs.foreign`
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strangers {
    /// They are kept as dead letters.
    Keep,
    /// They are counted only.
    Ignore,
}

/// `[sqs.lookup]`
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Lookup {
    /// Role for look-ups; empty: the queue's credentials.
    pub role: String,
    /// How long an answer counts.
    #[serde(with = "config::duration")]
    pub fresh: Duration,
    /// How long "there is none" counts.
    #[serde(with = "config::duration")]
    pub absent: Duration,
    /// How long a message waits for one.
    #[serde(with = "config::duration")]
    pub patience: Duration,
}

/// One queue: its URL, or a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Its URL.
    pub url: String,
    /// Its region; empty: that of the URL, else `sqs.region`.
    pub region: String,
    /// Role it is read with; empty: none.
    pub role: String,
    /// `sts:ExternalId` for that role; empty: none.
    pub external_id: String,
    /// Cluster of instances that nothing else names; empty: that of the gateway.
    pub cluster: String,
}

impl Queue {
    /// Its name: the end of its URL.
    #[must_use]
    pub fn name(&self) -> &str {
        self.url
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(&self.url)
    }

    /// Account of its owner: the part of the URL before the name.
    #[must_use]
    pub fn account(&self) -> &str {
        self.url
            .trim_end_matches('/')
            .rsplit('/')
            .nth(1)
            .filter(|part| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .unwrap_or_default()
    }

    /// Region: told, or in the URL (`https://sqs.<region>.amazonaws.com/...`, `https://<region>.queue.amazonaws.com/...`).
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        if !self.region.is_empty() {
            return Some(&self.region);
        }
        let host = self.url.split_once("://")?.1.split('/').next()?;
        if !host.contains(".amazonaws.") {
            return None;
        }
        let mut parts = host.split('.');
        match parts.next()? {
            "sqs" | "sqs-fips" => parts.next(),
            "queue" => Some("us-east-1"),
            other if parts.next() == Some("queue") => Some(other),
            _ => None,
        }
    }

    /// The role to take on.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        (!self.role.is_empty()).then(|| Role {
            arn: self.role.clone(),
            external_id: (!self.external_id.is_empty()).then(|| self.external_id.clone()),
        })
    }
}

impl<'de> Deserialize<'de> for Queue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QueueVisitor)
    }
}

struct QueueVisitor;

impl<'de> de::Visitor<'de> for QueueVisitor {
    type Value = Queue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the URL of a queue, or a table with url, region, role, external_id, cluster")
    }

    fn visit_str<E: de::Error>(self, url: &str) -> Result<Queue, E> {
        Ok(Queue {
            url: url.to_owned(),
            ..Queue::default()
        })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Queue, A::Error> {
        let mut queue = Queue::default();
        while let Some(key) = map.next_key::<String>()? {
            let field = match key.as_str() {
                "url" => &mut queue.url,
                "region" => &mut queue.region,
                "role" => &mut queue.role,
                "external_id" => &mut queue.external_id,
                "cluster" => &mut queue.cluster,
                other => {
                    return Err(de::Error::custom(format_args!(
                        "unknown key `{other}` of a queue; known: url, region, role, external_id, cluster"
                    )));
                }
            };
            *field = map.next_value()?;
        }
        if queue.url.is_empty() {
            return Err(de::Error::custom("a queue without `url`"));
        }
        Ok(queue)
    }
}

impl Sqs {
    /// How a queue's AWS is reached.
    #[must_use]
    pub fn access(&self, role: Option<Role>) -> Options {
        Options {
            region: (!self.region.is_empty()).then(|| self.region.clone()),
            role,
            // A spot warning has 120 s: no call may take more than a few of them.
            attempt_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(12),
            ..Options::default()
        }
    }

    /// Whose instances are whose.
    #[must_use]
    pub fn routes(&self) -> Routes {
        let pairs = |list: &[String]| -> Vec<(String, String)> {
            list.iter()
                .filter_map(|line| pair(line))
                .map(|(from, to)| (from.to_owned(), to.to_owned()))
                .collect()
        };
        Routes {
            clusters: self.clusters.iter().cloned().collect(),
            names: pairs(&self.names).into_iter().collect(),
            groups: pairs(&self.groups)
                .into_iter()
                .map(|(from, to)| (Pattern::new(&from), to))
                .collect(),
            accounts: pairs(&self.accounts).into_iter().collect::<BTreeMap<_, _>>(),
        }
    }

    /// Notes what cannot be.
    pub(crate) fn validate(&self, problems: &mut Vec<Problem>) {
        let mut check = |good: bool, key: &'static str, why: &str| {
            if !good {
                problems.push(Problem::new(key, why));
            }
        };
        for queue in &self.queues {
            let url = &queue.url;
            check(
                (url.starts_with("https://") || url.starts_with("http://"))
                    && url.matches('/').count() >= 3
                    && !queue.name().is_empty(),
                "sqs.queues",
                &format!("`{url}` is no URL of a queue; `aws sqs get-queue-url` shows it"),
            );
            let twice = self.queues.iter().filter(|other| other.url == *url).count() > 1;
            check(!twice, "sqs.queues", &format!("`{url}` is there twice"));
        }
        check(
            (10..=20_000).contains(&self.held),
            "sqs.held",
            "expected 10 to 20000",
        );
        check((1..=64).contains(&self.polls), "sqs.polls", "expected 1 to 64");
        check(
            self.wait <= LONGEST_POLL,
            "sqs.wait",
            "expected at most 20s, what SQS takes",
        );
        check(
            (Duration::from_secs(3)..=Duration::from_secs(600)).contains(&self.hidden),
            "sqs.hidden",
            "expected 3s to 10m",
        );
        for (key, list) in [
            ("sqs.names", &self.names),
            ("sqs.groups", &self.groups),
            ("sqs.accounts", &self.accounts),
        ] {
            for line in list {
                check(
                    pair(line).is_some(),
                    key,
                    &format!("`{line}` is not NAME=CLUSTER"),
                );
            }
        }
        let lookup = &self.lookup;
        check(
            lookup.role.is_empty() || lookup.role.starts_with("arn:"),
            "sqs.lookup.role",
            "is not the ARN of a role; `{account}` in it stands for the account of an instance",
        );
        check(
            lookup.fresh <= Duration::from_secs(3600),
            "sqs.lookup.fresh",
            "expected at most 1h",
        );
        check(
            lookup.absent <= Duration::from_secs(60),
            "sqs.lookup.absent",
            "expected at most 1m",
        );
        check(
            lookup.patience <= Duration::from_secs(60),
            "sqs.lookup.patience",
            "expected at most 1m, half of what a spot warning leaves",
        );
    }
}

/// `FROM=TO`, neither empty. The last `=` counts: no cluster has one in its name, a tag may.
fn pair(line: &str) -> Option<(&str, &str)> {
    let (from, to) = line.rsplit_once('=')?;
    let (from, to) = (from.trim(), to.trim());
    (!from.is_empty() && !to.is_empty()).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_says_where_it_is() {
        for (url, expected) in [
            (
                "https://sqs.eu-west-1.amazonaws.com/123456789012/events",
                (Some("eu-west-1"), "123456789012", "events"),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/events/",
                (Some("cn-north-1"), "123456789012", "events"),
            ),
            (
                "https://us-west-2.queue.amazonaws.com/123456789012/a",
                (Some("us-west-2"), "123456789012", "a"),
            ),
            (
                "https://queue.amazonaws.com/123456789012/a",
                (Some("us-east-1"), "123456789012", "a"),
            ),
            (
                "http://127.0.0.1:5000/123456789012/a",
                (None, "123456789012", "a"),
            ),
            ("http://localhost:9324/queue/a", (None, "", "a")),
        ] {
            let queue = Queue {
                url: url.to_owned(),
                ..Queue::default()
            };
            assert_eq!((queue.region(), queue.account(), queue.name()), expected, "{url}");
        }
        let told = Queue {
            url: "http://127.0.0.1:5000/123456789012/a".to_owned(),
            region: "eu-north-1".to_owned(),
            ..Queue::default()
        };
        assert_eq!(told.region(), Some("eu-north-1"));
    }

    #[test]
    fn pairs() {
        assert_eq!(pair("workers-*=prod"), Some(("workers-*", "prod")));
        assert_eq!(pair(" a = b "), Some(("a", "b")));
        assert_eq!(pair("odd=name=prod"), Some(("odd=name", "prod")));
        for bad in ["", "a", "=b", "a=", "="] {
            assert_eq!(pair(bad), None, "{bad}");
        }
    }
}
