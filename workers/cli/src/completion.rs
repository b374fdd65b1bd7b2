//! `hollowtrees completion`

use clap::{Args, ValueEnum};
use clap_complete::{Shell, generate};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// `hollowtrees completion`
#[derive(Clone, Copy, Debug, Args)]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    pub shell: For,
}

/// Shells a script is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum For {
    /// For bash-completion
    Bash,
    /// For a directory of zsh's fpath, as _hollowtrees
    Zsh,
    /// For fish's completions, as hollowtrees.fish
    Fish,
}

pub(crate) fn run(completion: &Completion, output: &mut Output) -> Result<Exit, Failure> {
    let shell = match completion.shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut crate::command(), "hollowtrees", &mut script);
    output.raw(&script)?;
    Ok(Exit::Done)
}
