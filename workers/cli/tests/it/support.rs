//! Runs the program.

use std::{
    io::Read,
    process::{Child, Command, Output, Stdio},
};

use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Consumer, Profile},
};
use hollowtrees_harness::Nats;
use serde_json::Value;

/// The program with a clean environment.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hollowtrees"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HT_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a run of the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The one object it printed.
    pub(crate) fn object(&self) -> Value {
        let objects = self.objects();
        assert_eq!(objects.len(), 1, "one object: {self:?}");
        objects[0].clone()
    }

    /// The objects it printed, one a line.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "{text:?} in\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} in\n{}", self.err);
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs it to its end.
pub(crate) fn run(mut command: Command) -> Said {
    command.output().expect("it starts").into()
}

/// A server, and the program pointed at it.
pub(crate) struct Stage {
    pub(crate) nats: Nats,
}

impl Stage {
    /// A server with nothing on it.
    pub(crate) async fn bare() -> Self {
        Self {
            nats: Nats::start().await.unwrap(),
        }
    }

    /// A server with everything on it, and a connection.
    pub(crate) async fn set() -> (Self, Bus) {
        let stage = Self::bare().await;
        let bus = stage.bus().await;
        let mut consumers = topology::consumers();
        consumers.push(Consumer::actions("drain", Some("prod"), &["drain"]));
        apply::apply(&bus, Profile::LOCAL, &consumers).await.unwrap();
        (stage, bus)
    }

    pub(crate) async fn bus(&self) -> Bus {
        Bus::connect(&Options::new(self.nats.url()).named("test"))
            .await
            .unwrap()
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let mut command = program(&arguments);
        command.env("HT_NATS__URL", self.nats.url());
        command
    }

    /// Runs `hollowtrees <line>`.
    pub(crate) fn run(&self, line: &str) -> Said {
        run(self.command(line))
    }

    /// The same with `--output json`.
    pub(crate) fn json(&self, line: &str) -> Said {
        self.run(&format!("{line} --output json"))
    }

    /// Starts it, to read line by line what it prints.
    pub(crate) fn start(&self, line: &str) -> Running {
        let mut command = self.command(line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().expect("it starts"))
    }
}

/// A program that runs; killed when dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Reads what it prints until it has printed all of `texts`; it never comes back if it never does, and the
    /// test runner says so.
    pub(crate) fn until(&mut self, texts: &[&str]) -> String {
        let out = self.0.stdout.as_mut().unwrap();
        let mut seen = Vec::new();
        let mut byte = [0];
        loop {
            let text = String::from_utf8_lossy(&seen).into_owned();
            if text.ends_with('\n') && texts.iter().all(|wanted| text.contains(wanted)) {
                return text;
            }
            let read = out.read(&mut byte).unwrap();
            assert_eq!(read, 1, "it ended before it printed {texts:?}: {text}");
            seen.push(byte[0]);
        }
    }

    /// Closes what reads its output, and waits for it to end.
    pub(crate) fn unread(mut self) -> Said {
        drop(self.0.stdout.take());
        let status = self.0.wait().unwrap();
        let mut err = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Said {
            code: status.code().expect("it ends by itself"),
            out: String::new(),
            err,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
