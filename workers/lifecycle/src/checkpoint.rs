//! What a later start of an action has to know.

use hollowtrees_aws::{Answer, Hook, Transition, Wait};
use hollowtrees_domain::hook::Times;
use hollowtrees_runtime::worker::{Failure, Job};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The hook that is held open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The group.
    pub(crate) group: String,
    /// Its hook.
    pub(crate) hook: String,
    /// It is one of launches.
    #[serde(default)]
    pub(crate) launching: bool,
    /// The token of this wait, where the notice told it.
    pub(crate) token: Option<String>,
    /// The deadline that the notice of this wait told, where it did.
    #[serde(default)]
    pub(crate) first_deadline: Option<Timestamp>,
    /// The deadline that was told since, after heartbeats.
    #[serde(default)]
    pub(crate) extended_to: Option<Timestamp>,
    /// The hook's time-out, in milliseconds as text: a `Struct` knows no integers.
    heartbeat_ms: String,
    expires_at: Timestamp,
    global_until: Timestamp,
    /// Heartbeats recorded.
    pub(crate) heartbeats: String,
    /// It is being answered: `CONTINUE` or `ABANDON`, written before the call.
    pub(crate) answering: Option<String>,
}

impl Checkpoint {
    /// Of an instance that waits in this hook since then.
    pub(crate) fn new(group: &str, hook: &Hook, token: Option<String>, since: Timestamp) -> Self {
        let of = |limit| SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
        let times = Times::new(since, of(hook.heartbeat), of(hook.global));
        let mut new = Self {
            group: group.to_owned(),
            hook: hook.name.clone(),
            launching: hook.transition == Some(Transition::Launching),
            token,
            first_deadline: None,
            extended_to: None,
            heartbeat_ms: String::new(),
            expires_at: Timestamp::MIN,
            global_until: Timestamp::MIN,
            heartbeats: "0".to_owned(),
            answering: None,
        };
        new.keep(times);
        new
    }

    pub(crate) fn times(&self) -> Times {
        let heartbeat = self.heartbeat_ms.parse().unwrap_or(0);
        Times::restore(
            SignedDuration::from_millis(heartbeat),
            self.expires_at,
            self.global_until,
        )
    }

    fn keep(&mut self, times: Times) {
        self.heartbeat_ms = times.heartbeat().as_millis().to_string();
        self.expires_at = times.expires_at();
        self.global_until = times.global_until();
    }

    /// Counts a heartbeat that was sent at this moment.
    pub(crate) fn prolong(&mut self, sent_at: Timestamp) {
        self.keep(self.times().prolonged(sent_at));
        self.heartbeats = (self.count() + 1).to_string();
    }

    /// Heartbeats recorded.
    pub(crate) fn count(&self) -> u64 {
        self.heartbeats.parse().unwrap_or(0)
    }

    pub(crate) fn answering(&self) -> Option<Answer> {
        [Answer::Continue, Answer::Abandon]
            .into_iter()
            .find(|answer| self.answering.as_deref() == Some(answer.as_str()))
    }

    pub(crate) fn wait<'a>(&'a self, instance: &'a str) -> Wait<'a> {
        Wait {
            group: &self.group,
            hook: &self.hook,
            instance,
            token: self.token.as_deref(),
        }
    }

    /// What an earlier start of this action left; none where there is nothing that can be read.
    pub(crate) async fn of(job: &Job) -> Option<Self> {
        read(job).await
    }

    pub(crate) async fn save(&self, job: &Job) -> Result<(), Failure> {
        write(job, self).await
    }
}

/// What an earlier start of this action left; none where there is nothing that can be read.
pub(crate) async fn read<T: DeserializeOwned>(job: &Job) -> Option<T> {
    let saved = job.checkpoint().await?;
    let read = serde_json::to_value(&saved).and_then(serde_json::from_value);
    read.inspect_err(|error| {
        tracing::warn!(action = job.action().id, %error, "A checkpoint cannot be read; all is looked up again.");
    })
    .ok()
}

pub(crate) async fn write<T: Serialize + Sync>(job: &Job, checkpoint: &T) -> Result<(), Failure> {
    let value = serde_json::to_value(checkpoint).and_then(serde_json::from_value);
    job.save(value.map_err(Failure::transient)?).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_comes_back_as_it_was() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let hook = Hook {
            name: "drain".to_owned(),
            transition: Some(Transition::Terminating),
            heartbeat: Duration::from_secs(30),
            global: Duration::from_secs(3_000),
        };
        let mut checkpoint = Checkpoint::new("g", &hook, Some("t".to_owned()), at(100));
        assert_eq!(checkpoint.times().expires_at(), at(130));
        checkpoint.prolong(at(115));
        (checkpoint.first_deadline, checkpoint.extended_to) = (Some(at(130)), Some(at(142)));
        checkpoint.answering = Some(Answer::Abandon.as_str().to_owned());
        let saved: pbjson_types::Struct =
            serde_json::from_value(serde_json::to_value(&checkpoint).unwrap()).unwrap();
        let back: Checkpoint = serde_json::from_value(serde_json::to_value(&saved).unwrap()).unwrap();
        assert_eq!(back, checkpoint);
        assert_eq!((back.times().expires_at(), back.count()), (at(145), 1));
        assert_eq!(back.answering(), Some(Answer::Abandon));
    }
}
