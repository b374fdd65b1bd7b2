//! The Docker of this machine, if it can be used.

use std::{
    env,
    ffi::OsString,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use hollowtrees_harness::Missing;

/// What there is to work with.
#[derive(Debug)]
pub(crate) struct Docker {
    program: PathBuf,
    /// `docker-compose`, or `docker compose`.
    compose: Vec<OsString>,
    /// A shell and wget in one static file, for images that hold nothing else.
    pub(crate) busybox: PathBuf,
    /// With the program's own directory first: Compose calls it too.
    path: OsString,
}

impl Docker {
    /// `None`, and a line that says so, where it cannot be used and need not be.
    pub(crate) fn find() -> Option<Self> {
        match Self::look() {
            Ok(found) => Some(found),
            Err(why) => {
                Missing::Docker.skip(format!(
                    "Docker cannot be used by the test of the local stack: {why}; `.ci/docker` makes it usable"
                ));
                None
            }
        }
    }

    fn look() -> Result<Self, String> {
        let mut problems = String::new();
        let program = all("docker")
            .find(|program| match usable(program) {
                Ok(()) => true,
                Err(why) => {
                    write!(problems, "; {}: {why}", program.display()).unwrap();
                    false
                }
            })
            .ok_or_else(|| format!("no `docker` on the PATH answers{problems}"))?;
        let directory = program.parent().map(Path::to_owned).unwrap_or_default();
        let rest = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([directory].into_iter().chain(env::split_paths(&rest)))
            .map_err(|error| error.to_string())?;
        let plugin = Command::new(&program).args(["compose", "version"]).output();
        let compose = if let Some(compose) = all("docker-compose").next() {
            vec![compose.into()]
        } else if plugin.is_ok_and(|output| output.status.success()) {
            vec![program.clone().into(), "compose".into()]
        } else {
            return Err("there is neither `docker-compose` nor `docker compose`".to_owned());
        };
        let busybox = all("busybox")
            .find(|file| libraries(file).is_empty())
            .ok_or("there is no static busybox on the PATH (Debian's package busybox-static)")?;
        Ok(Self {
            program,
            compose,
            busybox,
            path,
        })
    }

    /// `docker ...`
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("PATH", &self.path);
        command.env("DOCKER_BUILDKIT", "1");
        command
    }

    /// `docker compose`, with its arguments still to come.
    pub(crate) fn compose(&self) -> Command {
        let mut command = Command::new(&self.compose[0]);
        command.args(&self.compose[1..]).env("PATH", &self.path);
        // Old ones build by themselves unless told to leave it to the program, and that without BuildKit.
        command
            .env("DOCKER_BUILDKIT", "1")
            .env("COMPOSE_DOCKER_CLI_BUILD", "1");
        command
    }
}

/// Every file of this name on the PATH.
pub(crate) fn all(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let files: Vec<_> = env::split_paths(&path)
        .map(|directory| directory.join(name))
        .collect();
    files.into_iter().filter(|file| file.is_file())
}

/// The libraries and the loader that a program needs; none if it is static.
pub(crate) fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    if !output.status.success() {
        return Vec::new();
    }
    // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)`, `/lib64/ld-linux-x86-64.so.2 (0x...)`
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

/// The output of a command that has to succeed.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", told(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All that a command printed.
pub(crate) fn told(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Whether this client reaches a server and can build with BuildKit: from 23 on by a plugin, before by itself.
fn usable(program: &Path) -> Result<(), String> {
    let run = |arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map_err(|error| error.to_string())
    };
    let versions = run(&["version", "--format", "{{.Client.Version}} {{.Server.Version}}"])?;
    if !versions.status.success() {
        return Err(String::from_utf8_lossy(&versions.stderr).trim().to_owned());
    }
    let versions = String::from_utf8_lossy(&versions.stdout).into_owned();
    let major = versions
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < 23) || run(&["buildx", "version"])?.status.success() {
        Ok(())
    } else {
        Err("it lacks the plugin buildx".to_owned())
    }
}
