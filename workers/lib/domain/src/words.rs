//! The words of the wire as types: parsed once at the edge, never compared as
//! strings again. What each means is in the messages' `.proto` files.

use hollowtrees_schemas::names::{certainty, effect, mode, on_failure, phase, result, state, when_expired};

/// A word the reader does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct UnknownWord {
    /// The words that are known, quoted and separated by commas.
    pub expected: &'static str,
    /// What was read.
    pub found: String,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident: $expected:literal { $($(#[$vmeta:meta])* $variant:ident = $word:path,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
        }

        impl $name {
            /// Every word, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it is on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(UnknownWord { expected: $expected, found: other.to_owned() }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// How sure it is that the instance goes. Ordered: the highest over the
    /// facts that stand is the incident's.
    Certainty: "`advisory`, `scheduled` or `certain`" {
        /// It may go.
        Advisory = certainty::ADVISORY,
        /// It goes at a time that can still change.
        Scheduled = certainty::SCHEDULED,
        /// It goes.
        Certain = certainty::CERTAIN,
    }
}

words! {
    /// What a notice may touch.
    Mode: "`live`, `dry-run` or `test`" {
        /// Everything.
        Live = mode::LIVE,
        /// Nothing; workers say what they would do.
        DryRun = mode::DRY_RUN,
        /// Nothing; it only travels the whole way.
        Test = mode::TEST,
    }
}

words! {
    /// What a notice says of its fact.
    NoticeState: "`active`, `cancelled` or `resolved`" {
        /// The fact stands.
        Active = state::ACTIVE,
        /// The provider took it back.
        Cancelled = state::CANCELLED,
        /// The alert no longer fires.
        Resolved = state::RESOLVED,
    }
}

words! {
    /// How often an action exists.
    Effect: "`per-instance` or `per-action`" {
        /// Once an incident and certainty, however many rules ask for it.
        PerInstance = effect::PER_INSTANCE,
        /// Once a place in a plan.
        PerAction = effect::PER_ACTION,
    }
}

words! {
    /// What a failed step, or a skipped action of it, does to the steps after it.
    OnFailure: "`continue` or `stop`" {
        /// They run all the same.
        Continue = on_failure::CONTINUE,
        /// They are skipped.
        Stop = on_failure::STOP,
    }
}

words! {
    /// What becomes of an action nobody started by its deadline.
    WhenExpired: "`skip` or `run`" {
        /// It ends `expired`.
        Skip = when_expired::SKIP,
        /// It runs whenever someone takes it, until it is closed.
        Run = when_expired::RUN,
    }
}

words! {
    /// The one final result of an action.
    Outcome: "`succeeded`, `failed`, `expired`, `cancelled` or `skipped`" {
        /// Done.
        Succeeded = result::SUCCEEDED,
        /// Not done; the reason says why (`deadline`: it ran out of time).
        Failed = result::FAILED,
        /// Never started.
        Expired = result::EXPIRED,
        /// Taken back before it was done.
        Cancelled = result::CANCELLED,
        /// Nothing to do; the reason says why.
        Skipped = result::SKIPPED,
    }
}

words! {
    /// How a run ended.
    RunResult: "`succeeded`, `failed` or `cancelled`" {
        /// No action failed, and no per-instance action expired.
        Succeeded = result::SUCCEEDED,
        /// Some action failed, or a per-instance action was never started.
        Failed = result::FAILED,
        /// The incident was withdrawn.
        Cancelled = result::CANCELLED,
    }
}

words! {
    /// Where a run is.
    Phase: "`running`, `cancelling` or `finished`" {
        /// Its steps are under way.
        Running = phase::RUNNING,
        /// The incident was withdrawn: outcomes are awaited, then `on_cancel` runs.
        Cancelling = phase::CANCELLING,
        /// All outcomes are in.
        Finished = phase::FINISHED,
    }
}

words! {
    /// Where an incident is.
    IncidentState: "`open`, `cancelled` or `closed`" {
        /// At least one fact stands.
        Open = state::OPEN,
        /// All facts are withdrawn, runs may still be under way.
        Cancelled = state::CANCELLED,
        /// The episode is over.
        Closed = state::CLOSED,
    }
}

impl NoticeState {
    /// Whether it takes its fact back.
    #[must_use]
    pub const fn withdraws(self) -> bool {
        !matches!(self, Self::Active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for word in Certainty::ALL {
            assert_eq!(word.as_str().parse(), Ok(*word));
        }
        for word in Outcome::ALL {
            assert_eq!(word.as_str().parse(), Ok(*word));
        }
        for word in Mode::ALL {
            assert_eq!(word.as_str().parse(), Ok(*word));
        }
    }

    #[test]
    fn an_unknown_word_names_the_known_ones() {
        let error = "perhaps".parse::<Certainty>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected `advisory`, `scheduled` or `certain`, found `perhaps`"
        );
    }

    #[test]
    fn certainties_are_ordered() {
        assert!(Certainty::Advisory < Certainty::Scheduled && Certainty::Scheduled < Certainty::Certain);
    }
}
