//! `/livez`, `/readyz` and `/metrics`.
//!
//! Parts of a worker register a [`Check`] and keep it true: `readyz` is good once all of them have, while every check
//! is and no drain has begun, and says which is not. What a process can do without is told there too, and keeps nobody from being ready.
//! `livez` is good as long as the process answers at all.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Method, StatusCode};

use crate::{
    Shutdown,
    http::{Answer, Asked, text, typed},
    metrics::Metrics,
};

/// All checks of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Checks(Arc<Mutex<Vec<State>>>);

/// The check that no part holds: that all parts have registered theirs.
const START: usize = 0;

#[derive(Debug)]
struct State {
    name: &'static str,
    word: Word,
}

#[derive(Debug)]
enum Word {
    Well,
    /// Worth telling.
    Told(String),
    /// Not ready for this.
    Wrong(String),
}

/// One check, held by the part that knows. A new one fails until its part says otherwise.
#[derive(Debug)]
pub struct Check {
    checks: Checks,
    index: usize,
}

impl Default for Checks {
    fn default() -> Self {
        let start = State {
            name: "start",
            word: Word::Wrong("not all parts have begun".to_owned()),
        };
        Self(Arc::new(Mutex::new(vec![start])))
    }
}

impl Checks {
    /// All parts have registered theirs. Before that a process that knows of some checks only would be ready too early.
    pub fn complete(&self) {
        self.set(START, Word::Well);
    }

    /// A new check; two of one name are told apart by their order only.
    pub fn register(&self, name: &'static str) -> Check {
        let mut states = self.states();
        states.push(State {
            name,
            word: Word::Wrong("has not started yet".to_owned()),
        });
        Check {
            checks: self.clone(),
            index: states.len() - 1,
        }
    }

    /// Name and trouble of every check that fails.
    pub fn failing(&self) -> Vec<(&'static str, String)> {
        self.that_say(|word| match word {
            Word::Wrong(why) => Some(why),
            Word::Well | Word::Told(_) => None,
        })
    }

    /// Name and trouble of what the process goes on without.
    pub fn told(&self) -> Vec<(&'static str, String)> {
        self.that_say(|word| match word {
            Word::Told(why) => Some(why),
            Word::Well | Word::Wrong(_) => None,
        })
    }

    fn that_say(&self, what: impl Fn(&Word) -> Option<&String>) -> Vec<(&'static str, String)> {
        self.states()
            .iter()
            .filter_map(|state| Some((state.name, what(&state.word)?.clone())))
            .collect()
    }

    fn set(&self, index: usize, word: Word) {
        if let Some(state) = self.states().get_mut(index) {
            state.word = word;
        }
    }

    fn states(&self) -> std::sync::MutexGuard<'_, Vec<State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// All is well with this part.
    pub fn pass(&self) {
        self.set(Word::Well);
    }

    /// Something is amiss that the process can do without: it is ready, and `/readyz` tells `what`.
    pub fn tell(&self, what: impl Into<String>) {
        self.set(Word::Told(what.into()));
    }

    /// Something is wrong; `why` is for the person who asks `/readyz`.
    pub fn fail(&self, why: impl Into<String>) {
        self.set(Word::Wrong(why.into()));
    }

    fn set(&self, word: Word) {
        self.checks.set(self.index, word);
    }
}

/// What the server answers from.
#[derive(Debug, Clone)]
pub struct Health {
    pub(crate) checks: Checks,
    pub(crate) shutdown: Shutdown,
    pub(crate) metrics: Metrics,
}

impl Health {
    /// Answers from these.
    pub fn new(checks: Checks, shutdown: Shutdown, metrics: Metrics) -> Self {
        Self {
            checks,
            shutdown,
            metrics,
        }
    }

    /// Answers one request.
    pub fn answer(&self, request: &Asked) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" => self.ready(),
            "/metrics" => match self.metrics.encode() {
                Ok(body) => typed(StatusCode::OK, prometheus::TEXT_FORMAT, body),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            _ => text(StatusCode::NOT_FOUND, "here are /livez, /readyz and /metrics\n"),
        }
    }

    fn ready(&self) -> Answer {
        if self.shutdown.is_draining() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        let failing = self.checks.failing();
        let (status, mut body) = if failing.is_empty() {
            (StatusCode::OK, "ready\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, String::new())
        };
        for (name, why) in failing.into_iter().chain(self.checks.told()) {
            // Writing to a String does not fail.
            writeln!(body, "{name}: {why}").unwrap_or_default();
        }
        text(status, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_can_do_without_is_told_and_fails_nothing() {
        let checks = Checks::default();
        assert_eq!(checks.failing().len(), 1, "nobody is ready before its parts are");
        checks.complete();
        let (bus, nodes) = (checks.register("bus"), checks.register("nodes"));
        assert_eq!(checks.failing().len(), 2, "a new one fails");
        bus.pass();
        nodes.tell("unseen");
        assert_eq!(checks.failing(), []);
        assert_eq!(checks.told(), [("nodes", "unseen".to_owned())]);
        nodes.pass();
        bus.fail("gone");
        assert_eq!(checks.failing(), [("bus", "gone".to_owned())]);
        assert_eq!(checks.told(), []);
    }
}
