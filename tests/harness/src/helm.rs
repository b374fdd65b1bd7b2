//! Helm, run as a person would run it: charts are linted and rendered by the real thing, without the network and
//! without a cluster.

use crate::testbed::{self, Program};
use crate::{Context, Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program, built first if need be.
#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
}

/// A chart with values and a place to go to.
#[derive(Clone, Debug)]
pub struct Render {
    chart: PathBuf,
    release: String,
    namespace: String,
    values: Vec<PathBuf>,
    set: Vec<String>,
}

impl Render {
    /// The chart in this directory as release `hollowtrees` in namespace `hollowtrees`.
    pub fn new(chart: impl Into<PathBuf>) -> Self {
        Self {
            chart: chart.into(),
            release: "hollowtrees".to_owned(),
            namespace: "hollowtrees".to_owned(),
            values: Vec::new(),
            set: Vec::new(),
        }
    }

    /// Under this name.
    #[must_use]
    pub fn release(mut self, name: &str) -> Self {
        name.clone_into(&mut self.release);
        self
    }

    /// Into this namespace.
    #[must_use]
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self
    }

    /// With a file of values; later ones win.
    #[must_use]
    pub fn values(mut self, file: impl Into<PathBuf>) -> Self {
        self.values.push(file.into());
        self
    }

    /// With one value, `path.to.key=value` or, for JSON, `path.to.key={...}`; these win over files.
    #[must_use]
    pub fn set(mut self, key: &str, json: &str) -> Self {
        self.set.push(format!("{key}={json}"));
        self
    }

    fn args(&self) -> Vec<String> {
        let mut args = vec!["--namespace".to_owned(), self.namespace.clone()];
        for file in &self.values {
            args.extend(["--values".to_owned(), file.display().to_string()]);
        }
        for value in &self.set {
            args.extend(["--set-json".to_owned(), value.clone()]);
        }
        args
    }
}

impl Helm {
    /// Finds it, or builds it on first use; blocks meanwhile.
    ///
    /// # Errors
    /// As [`testbed::binary`].
    pub async fn get() -> Result<Self> {
        let program = testbed::binary_async(Program::Helm).await?;
        Ok(Self { program })
    }

    /// What `helm lint --strict` says; warnings are errors.
    ///
    /// # Errors
    /// What it finds.
    pub fn lint(&self, render: &Render) -> Result<String> {
        let chart = render.chart.display().to_string();
        self.run(
            ["lint".to_owned(), chart, "--strict".to_owned()]
                .into_iter()
                .chain(render.args()),
        )
    }

    /// The manifests of `helm template`, one YAML stream.
    ///
    /// # Errors
    /// What is wrong with the chart or the values.
    pub fn template(&self, render: &Render) -> Result<String> {
        let chart = render.chart.display().to_string();
        self.run(
            ["template".to_owned(), render.release.clone(), chart]
                .into_iter()
                .chain(render.args()),
        )
    }

    /// What a person reads after `helm install`.
    ///
    /// # Errors
    /// What is wrong with the chart or the values.
    pub fn notes(&self, render: &Render) -> Result<String> {
        let chart = render.chart.display().to_string();
        let answer = self.run(
            [
                "install".to_owned(),
                render.release.clone(),
                chart,
                "--dry-run=client".to_owned(),
            ]
            .into_iter()
            .chain(render.args()),
        )?;
        answer
            .split_once("\nNOTES:\n")
            .map(|(_, notes)| notes.to_owned())
            .ok_or_else(|| Error::new(format!("no notes in {answer}")))
    }

    fn run(&self, args: impl IntoIterator<Item = String>) -> Result<String> {
        let args: Vec<String> = args.into_iter().collect();
        let home = crate::scratch::directory("helm")?;
        let place = |name: &str| home.path().join(name);
        let done = Command::new(&self.program)
            .args(&args)
            // Of the machine's own Helm nothing is read: no plugins, no repositories, no cluster.
            .env_clear()
            .env("HOME", home.path())
            .env("HELM_CACHE_HOME", place("cache"))
            .env("HELM_CONFIG_HOME", place("config"))
            .env("HELM_DATA_HOME", place("data"))
            .env("KUBECONFIG", place("none"))
            .stdin(Stdio::null())
            .output()
            .context(|| format!("cannot run {}", self.program.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if done.status.success() {
            return Ok(text(&done.stdout));
        }
        Err(Error::new(format!(
            "`helm {}` failed ({}):\n{}{}",
            args.join(" "),
            done.status,
            text(&done.stdout),
            text(&done.stderr)
        )))
    }
}

/// Where the project's own chart is.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/helm/hollowtrees")
}
