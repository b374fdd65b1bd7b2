//! What the answer to a step makes of a swap.

use std::time::Duration;

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::{Answer, Next};
use hollowtrees_runtime::worker::Failure;

use crate::{cloud::backoff, saga::Saga};

/// Definite refusals of a step in a row before it counts as refused for good: what was read may have been old.
const STRIKES: u32 = 5;
/// The same for a token that was used: about as long as what was launched may take to show.
const TOKEN_STRIKES: u32 = 20;
/// Unanswered calls of a step that the swap goes on without.
const OPTIONAL_TRIES: u32 = 2;
/// EC2's word for a token that came with another call before.
const TOKEN_USED: &str = "IdempotentParameterMismatch";

impl Saga<'_> {
    /// Takes over the answer to a step.
    pub(crate) async fn took(&mut self, step: &Next, answer: Answer) -> Result<(), Failure> {
        let word = match &answer {
            Answer::Done | Answer::Launched(_) => "done",
            Answer::NotThere(why) => {
                tracing::info!(action = %self.job.action().id, why, "A pool gave no replacement; the next one is tried.");
                "refused"
            }
            Answer::Refused { message, .. } => {
                tracing::warn!(action = %self.job.action().id, step = step.name(), message, "A step of a swap was refused.");
                "refused"
            }
        };
        self.swapper.telemetry.stepped(&self.job.action().id, step, word);
        (self.strikes, self.tries) = (0, 0);
        self.doubt &= !matches!(step, Next::Launch(_));
        let mut checkpoint = self.checkpoint.clone();
        checkpoint.after(step, answer, &self.job.action().instance, self.job.now());
        self.keep(checkpoint).await
    }

    /// A step was not done. What is definite after some tries is its answer; the rest is waited out, for as long as is
    /// told.
    pub(crate) async fn not_done(
        &mut self,
        step: &Next,
        refusal: Refusal,
    ) -> Result<Option<Duration>, Failure> {
        let launch = matches!(step, Next::Launch(_));
        self.strikes += u32::from(refusal.is_definite());
        if launch && (refusal.may_have_happened() || refusal.code() == Some(TOKEN_USED)) {
            self.doubt = true;
        }
        // A launch in doubt may show by its tags.
        self.whole_look |= launch && self.doubt;
        let answer = match &refusal {
            // What the swap does without holds it up for no longer than this.
            _ if step.is_optional() && (refusal.is_definite() || self.tries >= OPTIONAL_TRIES) => {
                Some(Answer::Refused {
                    reason: "refused".to_owned(),
                    message: refusal.to_string(),
                })
            }
            Refusal::Throttled { .. } | Refusal::Unclear { .. } => None,
            // Who may do nothing is not told what was done.
            Refusal::Denied { .. } if launch && self.doubt => None,
            Refusal::Denied { .. } if self.strikes >= STRIKES => Some(Answer::Refused {
                reason: "denied".to_owned(),
                message: refusal.to_string(),
            }),
            Refusal::Denied { .. } => None,
            // The token was used, with another call: what came of that shows by its tags, unless it has ended.
            Refusal::Rejected { code, .. } if code == TOKEN_USED && self.strikes < TOKEN_STRIKES => None,
            Refusal::Capacity { code, .. }
            | Refusal::Rejected { code, .. }
            | Refusal::Missing { code, .. }
                if launch =>
            {
                Some(Answer::NotThere(format!("{code}: {refusal}")))
            }
            _ if self.strikes >= STRIKES => Some(Answer::Refused {
                reason: "refused".to_owned(),
                message: format!("{} was refused: {refusal}.", step.name()),
            }),
            _ => None,
        };
        match answer {
            Some(answer) => {
                self.took(step, answer).await?;
                Ok(None)
            }
            None => {
                self.swapper
                    .telemetry
                    .stepped(&self.job.action().id, step, "again");
                tracing::info!(action = %self.job.action().id, step = step.name(), %refusal, "A step of a swap is tried again.");
                let wait = backoff(self.tries, &refusal);
                self.tries += 1;
                Ok(Some(wait))
            }
        }
    }
}
