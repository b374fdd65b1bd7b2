//! How a command ends.

use std::{io, process::ExitCode};

use hollowtrees_bus::{
    ConnectError, PublishError, StoreError, apply::ApplyError, dead::DeadError, read::ReadError,
};
use hollowtrees_runtime::exit::Code;

/// Exit codes; part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, and the answer is yes where there is one.
    Done,
    /// The answer is no: differences, mistakes, nothing known, no rule applies.
    Negative,
    /// The command line, a file it names or the configuration is wrong.
    Usage,
    /// The bus cannot be reached, refuses us or does not answer.
    Unavailable,
}

impl Exit {
    /// The number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => Code::Done as u8,
            Self::Negative => Code::Failed as u8,
            Self::Usage => 2,
            Self::Unavailable => Code::Unavailable as u8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Whoever read our output has gone. Nothing is left to say, and nothing is wrong.
    Unread,
    /// What failed, on what, and what a person can do.
    Said {
        /// What the process ends with.
        exit: Exit,
        /// The text.
        message: String,
    },
}

impl Failure {
    /// The answer is no.
    pub fn negative(message: impl Into<String>) -> Self {
        Self::said(Exit::Negative, message)
    }

    /// What was given is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::said(Exit::Usage, message)
    }

    /// The bus is not there.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::said(Exit::Unavailable, message)
    }

    fn said(exit: Exit, message: impl Into<String>) -> Self {
        Self::Said {
            exit,
            message: message.into(),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::negative(format!("cannot write the answer: {error}")),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(io::ErrorKind::BrokenPipe) => Self::Unread,
            _ => Self::negative(format!("cannot write the answer as JSON: {error}")),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let exit = match error {
            ConnectError::Unreachable { .. } | ConnectError::Refused { .. } | ConnectError::Tls { .. } => {
                Exit::Unavailable
            }
            ConnectError::Credentials { .. } | ConnectError::NoAddress | ConnectError::BadAddress { .. } => {
                Exit::Usage
            }
        };
        Self::said(exit, error.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::Unavailable { .. } => Exit::Unavailable,
            StoreError::Newer { .. } | StoreError::Unreadable { .. } => Exit::Negative,
        };
        Self::said(exit, error.to_string())
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let exit = match error {
            ApplyError::Server { .. } => Exit::Unavailable,
            ApplyError::Drift(_) | ApplyError::Fixed(_) => Exit::Negative,
        };
        Self::said(exit, error.to_string())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let exit = match error {
            PublishError::TimedOut { .. } => Exit::Unavailable,
            PublishError::TooLarge { .. } => Exit::Negative,
        };
        Self::said(exit, error.to_string())
    }
}

impl From<DeadError> for Failure {
    fn from(error: DeadError) -> Self {
        match error {
            DeadError::Publish(error) => error.into(),
            DeadError::Unavailable(_) => Self::unavailable(error.to_string()),
            DeadError::NotFound(_) | DeadError::NotOurs { .. } => Self::negative(error.to_string()),
        }
    }
}
