//! `/livez`, `/readyz` and `/metrics`.
//!
//! Parts of a worker register a [`Check`] and keep it true: `readyz` is good while every check is and no drain has
//! begun, and says which is not. `livez` is good as long as the process answers at all.

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
#[derive(Debug, Clone, Default)]
pub struct Checks(Arc<Mutex<Vec<State>>>);

#[derive(Debug)]
struct State {
    name: &'static str,
    /// What is wrong; `None` where nothing is.
    wrong: Option<String>,
}

/// One check, held by the part that knows. A new one fails until its part says otherwise.
#[derive(Debug)]
pub struct Check {
    checks: Checks,
    index: usize,
}

impl Checks {
    /// A new check; two of one name are told apart by their order only.
    pub fn register(&self, name: &'static str) -> Check {
        let mut states = self.states();
        states.push(State {
            name,
            wrong: Some("has not started yet".to_owned()),
        });
        Check {
            checks: self.clone(),
            index: states.len() - 1,
        }
    }

    /// Name and trouble of every check that fails.
    pub fn failing(&self) -> Vec<(&'static str, String)> {
        self.states()
            .iter()
            .filter_map(|state| Some((state.name, state.wrong.clone()?)))
            .collect()
    }

    fn states(&self) -> std::sync::MutexGuard<'_, Vec<State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// All is well with this part.
    pub fn pass(&self) {
        self.set(None);
    }

    /// Something is wrong; `why` is for the person who asks `/readyz`.
    pub fn fail(&self, why: impl Into<String>) {
        self.set(Some(why.into()));
    }

    fn set(&self, wrong: Option<String>) {
        if let Some(state) = self.checks.states().get_mut(self.index) {
            state.wrong = wrong;
        }
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
        if failing.is_empty() {
            return text(StatusCode::OK, "ready\n");
        }
        let mut body = String::new();
        for (name, why) in failing {
            // Writing to a String does not fail.
            writeln!(body, "{name}: {why}").unwrap_or_default();
        }
        text(StatusCode::SERVICE_UNAVAILABLE, body)
    }
}
