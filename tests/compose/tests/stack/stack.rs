//! The local stack, up.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use hollowtrees_harness::ports::Port;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    docker::{Docker, succeed, told},
    images::Images,
};

const PORTS: [&str; 6] = [
    "GATEWAY_PORT",
    "NATS_PORT",
    "METADATA_PORT",
    "KUBERNETES_PORT",
    "AWS_PORT",
    "PROMETHEUS_PORT",
];

/// A project of its own, with networks, volumes, ports and images of its own. All of it goes when it is dropped.
pub(crate) struct Stack<'a> {
    docker: &'a Docker,
    images: Images,
    name: String,
    ports: BTreeMap<&'static str, Port>,
    directory: TempDir,
}

impl<'a> Stack<'a> {
    /// Builds the images by the compose file and starts `services` with all they depend on.
    pub(crate) fn up(docker: &'a Docker, name: &str, images: Images, services: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // What the file proper has no use for: where this machine keeps Python.
        let mounts: Vec<_> = images
            .python
            .iter()
            .map(|path| format!("{0}:{0}:ro", path.display()))
            .collect();
        let more = json!({"services": {"aws": {"volumes": mounts}}});
        std::fs::write(directory.path().join("override.json"), more.to_string()).unwrap();
        let stack = Self {
            docker,
            images,
            name: name.to_owned(),
            ports: PORTS.map(|name| (name, Port::reserve().unwrap())).into(),
            directory,
        };
        // Made before, so that what is half up when it fails is taken down.
        succeed(stack.compose(&["up", "--build", "--detach"]).args(services));
        stack
    }

    /// `docker compose ...` as a person types it, but for the project and the ports.
    pub(crate) fn compose(&self, arguments: &[&str]) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut command = self.docker.compose();
        command
            .current_dir(&root)
            .args(["--project-name", &self.name])
            .args(["--file", "docker-compose.yml", "--file"])
            .arg(self.directory.path().join("override.json"))
            .args(arguments);
        for (name, value) in &self.images.variables {
            command.env(name, value);
        }
        for (name, port) in &self.ports {
            command.env(name, port.number().to_string());
        }
        command
    }

    /// What a program in a service that is up answers.
    pub(crate) fn exec(&self, arguments: &[&str]) -> Output {
        self.compose(&["exec", "-T"]).args(arguments).output().unwrap()
    }

    /// `hollowtrees ...` by the compose file's own service.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        let run = ["run", "--rm", "-T", "cli"];
        self.compose(&run).args(arguments).output().unwrap()
    }

    /// `http://127.0.0.1:port` of a published service.
    pub(crate) fn url(&self, port: &str) -> String {
        format!("http://{}", self.ports[port].addr())
    }

    /// Each service that runs, and whether it is healthy: `Up 5 seconds (healthy)`.
    pub(crate) fn services(&self) -> BTreeMap<String, String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let format = "{{.Label \"com.docker.compose.service\"}} {{.Status}}";
        succeed(
            &mut self
                .docker
                .command(&["ps", "--filter", &filter, "--format", format]),
        )
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(service, status)| (service.to_owned(), status.to_owned()))
        .collect()
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.compose(&["logs", "--no-color", "--tail", "60"]).output();
            println!(
                "{:?}\n{}",
                self.services(),
                logs.map_or_else(|error| error.to_string(), |logs| told(&logs))
            );
        }
        // All images are of the test, those of other services too.
        let down = [
            "down",
            "--volumes",
            "--remove-orphans",
            "--rmi",
            "all",
            "--timeout",
            "5",
        ];
        drop(self.compose(&down).output());
        let left = succeed(
            &mut self
                .docker
                .command(&["images", "--quiet", &format!("{}/*", self.name)]),
        );
        let left: Vec<&str> = left.split_whitespace().collect();
        if !left.is_empty() {
            drop(self.docker.command(&["rmi", "--force"]).args(left).output());
        }
    }
}
