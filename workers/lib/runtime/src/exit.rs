//! How a process ends.

use std::{error::Error, fmt, process::ExitCode};

/// What the exit code says. The numbers are part of the interface: charts and scripts look at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Asked to end, drained, ended.
    Done = 0,
    /// The worker or one of its tasks failed, or ended without being asked.
    Failed = 1,
    /// The command line or the configuration is refused (EX_USAGE). Nothing was started, no port was bound.
    Refused = 64,
    /// Something the worker cannot start without is missing or unfit: a port, the bus, its streams (EX_UNAVAILABLE).
    Unavailable = 69,
    /// The drain was not finished when `shutdown.grace` had passed (EX_TEMPFAIL).
    GraceExceeded = 75,
    /// A second signal ended the process at once.
    Interrupted = 130,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Failed,
        Self::Refused,
        Self::Unavailable,
        Self::GraceExceeded,
        Self::Interrupted,
    ];

    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What it says, for the page of the configuration.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "asked to end, and ended in order",
            Self::Failed => "failed, or ended without being asked; the last line of the log says why",
            Self::Refused => "the command line or the configuration is refused; nothing was started",
            Self::Unavailable => {
                "something it cannot start without is missing or unfit: a port, the bus, its streams"
            }
            Self::GraceExceeded => "was not done when `shutdown.grace` had passed",
            Self::Interrupted => "a second signal ended it at once",
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

/// Why a worker cannot go on: an exit code and the text for a person.
///
/// Any error becomes one by `?`, as [`Code::Failed`] with the chain of its causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the process ends with.
    pub code: Code,
    /// What failed, on what, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure with a code of its own.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    /// Something the worker cannot start without is missing or unfit.
    pub fn unavailable(error: &(dyn Error + 'static)) -> Self {
        Self {
            code: Code::Unavailable,
            message: chain(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            code: Code::Failed,
            message: chain(&error),
        }
    }
}

/// An error with its causes, each said once.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot reach the bus")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_says_its_causes_once() {
        let error = Outer(std::io::Error::other("connection refused"));
        assert_eq!(
            Failure::from(error).message,
            "cannot reach the bus: connection refused"
        );
        let repeated = std::io::Error::other(std::io::Error::other("refused"));
        assert_eq!(chain(&repeated), "refused");
    }
}
