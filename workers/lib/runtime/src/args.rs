//! The command line every worker understands.

use std::{ffi::OsString, path::PathBuf};

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run the worker.
    Run(Args),
    /// Print the effective configuration and end.
    DumpConfig(Args),
    /// Ask the worker that runs with this configuration whether it is ready, and end.
    Healthy(Args),
    /// Print the defaults as a documented file and end.
    PrintDefaults,
    /// Print the version and end.
    Version,
    /// Print how to use it and end.
    Help,
}

/// Values that go with a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    /// `--config FILE`
    pub config: Option<PathBuf>,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// Names the argument that is not understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter();
    let mut args = Args::default();
    let mut command: fn(Args) -> Command = Command::Run;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Command::Help),
            Some("--version" | "-V") => return Ok(Command::Version),
            Some("--print-defaults") => return Ok(Command::PrintDefaults),
            Some("--dump-config") => command = Command::DumpConfig,
            Some("--healthy") => command = Command::Healthy,
            Some("--config" | "-c") => match arguments.next() {
                Some(path) => args.config = Some(path.into()),
                None => return Err("--config needs the path of a file".to_owned()),
            },
            Some(text) if text.starts_with("--config=") => {
                args.config = text.split_once('=').map(|(_, path)| path.into());
            }
            _ => return Err(format!("`{}` is not understood; try --help", argument.display())),
        }
    }
    Ok(command(args))
}

/// The text of `--help`.
pub fn help(kind: &str, about: &str) -> String {
    format!(
        "hollowtrees-{kind}: {about}\n\n\
         Usage: hollowtrees-{kind} [--config FILE]\n\n\
         Options:\n  \
         -c, --config FILE   TOML file that overrides the defaults (or HT_CONFIG)\n      \
         --dump-config   print the effective configuration with the source of each value, secrets redacted\n      \
         --print-defaults  print every key with its default and meaning: a file to start from\n      \
         --healthy       ask the worker that runs with this configuration whether it is ready\n  \
         -V, --version       print the version\n  \
         -h, --help          print this\n\n\
         Every key can be set by an environment variable: `url` in `[nats]` is HT_NATS__URL.\n\
         Exit codes: 0 done, 1 failed, 64 configuration refused, 69 something needed is missing,\n\
         75 not drained in time, 130 ended by a second signal.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        let run = |config: Option<&str>| Args {
            config: config.map(Into::into),
        };
        for (line, expected) in [
            ("", Ok(Command::Run(run(None)))),
            ("--config a.toml", Ok(Command::Run(run(Some("a.toml"))))),
            (
                "--config=a.toml --dump-config",
                Ok(Command::DumpConfig(run(Some("a.toml")))),
            ),
            ("--healthy -c a.toml", Ok(Command::Healthy(run(Some("a.toml"))))),
            ("-V", Ok(Command::Version)),
            (
                "--nonsense -h",
                Err("`--nonsense` is not understood; try --help".to_owned()),
            ),
            ("--config", Err("--config needs the path of a file".to_owned())),
        ] {
            assert_eq!(
                parse(line.split_whitespace().map(OsString::from)),
                expected,
                "{line}"
            );
        }
    }
}
