//! From the command line to the exit code.

use std::{
    collections::HashMap, ffi::OsString, io::Write, net::SocketAddr, process::ExitCode, sync::Arc,
    time::Duration,
};

use tokio::{
    runtime,
    sync::mpsc,
    task::{JoinError, JoinHandle},
};

use crate::{
    Failure, Shutdown,
    args::{self, Args, Command},
    config::{Config, Loader, Settings},
    exit::Code,
    fatal,
    health::{Checks, Health},
    http, logs,
    metrics::Metrics,
    probe,
    process::Identity,
    shutdown::Signals,
};

/// Ends of critical tasks that wait to be looked at; the first one decides.
const ENDED_TASKS: usize = 16;

/// What a worker says about itself, and the way to run it.
#[derive(Debug, Clone)]
pub struct Frame {
    kind: &'static str,
    version: &'static str,
    about: &'static str,
    defaults: &'static str,
    listen: &'static str,
    threads: Threads,
}

#[derive(Debug, Clone, Copy)]
enum Threads {
    One,
    #[cfg(feature = "multi-thread")]
    Many,
}

/// What the frame gives a worker.
#[derive(Debug)]
pub struct Context<T> {
    /// Who this process is.
    pub identity: Identity,
    /// Its configuration.
    pub config: Arc<Config<T>>,
    /// When it has to end.
    pub shutdown: Shutdown,
    /// What has to be well for it to be ready.
    pub checks: Checks,
    /// Where it counts.
    pub metrics: Metrics,
    ended: mpsc::Sender<Ended>,
}

#[derive(Debug)]
struct Ended {
    task: &'static str,
    result: Result<Result<(), Failure>, JoinError>,
}

impl<T> Context<T> {
    /// Runs a part of the worker beside it. Its end, unless a drain has begun, ends the process with an error: a
    /// process that has lost a part must not look alive.
    pub fn critical(
        &self,
        task: &'static str,
        part: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> JoinHandle<()> {
        let ended = self.ended.clone();
        tokio::spawn(async move {
            let result = tokio::spawn(part).await;
            // Nobody listens any more where the process ends already.
            ended.send(Ended { task, result }).await.unwrap_or_default();
        })
    }
}

impl<T> Clone for Context<T> {
    fn clone(&self) -> Self {
        Self {
            identity: self.identity.clone(),
            config: Arc::clone(&self.config),
            shutdown: self.shutdown.clone(),
            checks: self.checks.clone(),
            metrics: self.metrics.clone(),
            ended: self.ended.clone(),
        }
    }
}

impl Frame {
    /// `kind`: the worker's name without `hollowtrees-`; `version`: its crate's. One-threaded unless told otherwise.
    pub fn new(kind: &'static str, version: &'static str) -> Self {
        Self {
            kind,
            version,
            about: "a worker of Hollowtrees",
            defaults: "",
            listen: crate::config::DEFAULT_LISTEN,
            threads: Threads::One,
        }
    }

    /// One line for `--help`.
    #[must_use]
    pub fn about(mut self, text: &'static str) -> Self {
        self.about = text;
        self
    }

    /// The commented TOML of the worker's own keys: `include_str!("../router.toml")`.
    #[must_use]
    pub fn defaults(mut self, toml: &'static str) -> Self {
        self.defaults = toml;
        self
    }

    /// Default of `health.listen`, in place of [`crate::config::DEFAULT_LISTEN`].
    #[must_use]
    pub fn listen(mut self, address: &'static str) -> Self {
        self.listen = address;
        self
    }

    /// Runs on as many threads as there are processors.
    #[cfg(feature = "multi-thread")]
    #[must_use]
    pub fn many_threaded(mut self) -> Self {
        self.threads = Threads::Many;
        self
    }

    /// The loader of this worker's configuration, without file and environment.
    pub fn loader(&self) -> Loader {
        Loader::new(self.defaults).listen(self.listen)
    }

    /// Does what the command line asks. `worker` runs until it is told to drain; when it ends by itself, or a
    /// critical task does, the process ends with [`Code::Failed`] or the failure's own code.
    pub fn run<T, W, F>(self, worker: W) -> ExitCode
    where
        T: Settings,
        W: FnOnce(Context<T>) -> F,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.run_with(std::env::args_os().skip(1), crate::config::environment(), worker)
            .into()
    }

    /// As [`Frame::run`], with arguments and environment given.
    pub fn run_with<T, W, F>(
        self,
        arguments: impl IntoIterator<Item = OsString>,
        env: HashMap<String, String>,
        worker: W,
    ) -> Code
    where
        T: Settings,
        W: FnOnce(Context<T>) -> F,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let load = |args: Args| self.loader().env(env).file(args.config).load::<T>();
        let loaded = match args::parse(arguments) {
            Err(error) => return refuse(&error),
            Ok(Command::Help) => return print(&args::help(self.kind, self.about)),
            Ok(Command::Version) => return print(&format!("hollowtrees-{} {}\n", self.kind, self.version)),
            Ok(Command::PrintDefaults) => return print(&self.loader().documented()),
            Ok(Command::DumpConfig(args)) => match load(args) {
                Ok(config) => return print(&config.dump()),
                Err(refused) => return refuse(&refused.to_string()),
            },
            Ok(Command::Healthy(args)) => match load(args) {
                Ok(config) => return healthy(config.health.listen),
                Err(refused) => return refuse(&refused.to_string()),
            },
            Ok(Command::Run(args)) => load(args),
        };
        match loaded {
            Ok(config) => self.start(config, worker),
            Err(refused) => refuse(&refused.to_string()),
        }
    }

    fn start<T, W, F>(&self, config: Config<T>, worker: W) -> Code
    where
        T: Settings,
        W: FnOnce(Context<T>) -> F,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let mut config = config;
        let identity = Identity::new(self.kind, self.version);
        if let Err(error) = logs::install(&config.log) {
            return refuse(&error);
        }
        fatal::install_panic_hook(&identity.id);
        if config.nats.name.is_empty() {
            config.nats.name = format!("hollowtrees-{}/{}", identity.kind, identity.id);
        }
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                return fail(
                    Code::Unavailable,
                    &format!("the scheduler cannot be started: {error}"),
                );
            }
        };
        tracing::info!(kind = identity.kind, process = %identity.id, version = identity.version, "Starting.");
        let code = match runtime.block_on(supervise(identity, config, worker)) {
            Ok(()) => Code::Done,
            Err(failure) => fail(failure.code, &failure.message),
        };
        // What is blocked does not hold up the end.
        runtime.shutdown_background();
        code
    }

    fn runtime(&self) -> std::io::Result<runtime::Runtime> {
        match self.threads {
            Threads::One => runtime::Builder::new_current_thread().enable_all().build(),
            #[cfg(feature = "multi-thread")]
            Threads::Many => runtime::Builder::new_multi_thread().enable_all().build(),
        }
    }
}

/// Runs the worker, its health server and its critical tasks until one of them or a signal ends it.
async fn supervise<T, W, F>(identity: Identity, config: Config<T>, worker: W) -> Result<(), Failure>
where
    T: Settings,
    W: FnOnce(Context<T>) -> F,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    install_crypto()?;
    let mut signals = Signals::catch()?;
    let shutdown = Shutdown::new(config.shutdown.grace);
    let checks = Checks::default();
    let metrics = Metrics::new(&identity)?;
    let listener = http::bind(config.health.listen, "health.listen (HT_HEALTH__LISTEN)").await;
    let listener = listener.map_err(|error| Failure::unavailable(&error))?;
    tracing::info!(address = %listener.local_addr()?, "Health and metrics are served.");

    let (sender, mut ended) = mpsc::channel(ENDED_TASKS);
    let context = Context {
        identity,
        config: Arc::new(config),
        shutdown: shutdown.clone(),
        checks: checks.clone(),
        metrics: metrics.clone(),
        ended: sender,
    };
    // Served to the very end, so that a drain can be watched.
    let health = Health::new(checks, shutdown.clone(), metrics);
    context.critical("health server", async move {
        let never = tokio_util::sync::CancellationToken::new();
        http::serve(listener, never, move |request| {
            let answer = health.answer(&request);
            async move { answer }
        })
        .await;
        Ok(())
    });
    let mut worker = tokio::spawn(worker(context));

    loop {
        tokio::select! {
            biased;
            name = signals.next() => {
                if shutdown.is_draining() {
                    return Err(Failure::new(Code::Interrupted, format!("a second signal ({name}) ends the process at once")));
                }
                tracing::info!(signal = name, grace_seconds = shutdown.left().as_secs(), "Draining.");
                shutdown.drain();
            }
            result = &mut worker => return match finished("the worker", result) {
                Ok(()) if !shutdown.is_draining() => Err(Failure::new(Code::Failed, "the worker ended without being asked")),
                Ok(()) => {
                    tracing::info!("Drained.");
                    Ok(())
                }
                Err(failure) => Err(failure),
            },
            Some(Ended { task, result }) = ended.recv() => match finished(task, result) {
                Ok(()) if shutdown.is_draining() => tracing::debug!(task, "A task has drained."),
                Ok(()) => return Err(Failure::new(Code::Failed, format!("the task `{task}` ended without being asked"))),
                Err(failure) => return Err(failure),
            },
            () = overdue(&shutdown) => {
                let grace = shutdown.grace().as_secs_f64();
                return Err(Failure::new(
                    Code::GraceExceeded,
                    format!("the drain took longer than the grace of {grace} s; raise shutdown.grace (HT_SHUTDOWN__GRACE), \
                             and terminationGracePeriodSeconds of the pod above it"),
                ));
            }
        }
    }
}

async fn overdue(shutdown: &Shutdown) {
    shutdown.draining().await;
    // A little more than nothing, so that a worker that watches the same clock may come first.
    tokio::time::sleep(shutdown.left() + Duration::from_millis(50)).await;
}

fn finished(task: &str, result: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(Failure {
            message: format!("{task}: {failure}"),
            ..failure
        }),
        Err(error) => Err(Failure::new(Code::Failed, format!("{task}: {error}"))),
    }
}

/// One TLS provider in a process: who installs another one first has linked it by mistake.
fn install_crypto() -> Result<(), Failure> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| {
            Failure::new(
                Code::Unavailable,
                "another TLS provider is installed already; only aws-lc-rs may be linked",
            )
        })
}

fn print(text: &str) -> Code {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => Code::Done,
        Err(_) => Code::Failed,
    }
}

/// Another process than the worker's: its last words are none of the pod's.
fn healthy(listen: SocketAddr) -> Code {
    match probe::ask(listen) {
        Ok(said) => print(&said),
        Err(why) => {
            print(&why);
            Code::Failed
        }
    }
}

/// Before there are logs: to standard error as it is.
fn refuse(text: &str) -> Code {
    // Nowhere else to say it.
    std::io::stderr()
        .lock()
        .write_all(format!("{text}\n").as_bytes())
        .unwrap_or_default();
    fatal::leave(std::path::Path::new(fatal::TERMINATION_LOG), text);
    Code::Refused
}

fn fail(code: Code, message: &str) -> Code {
    fatal::report(message);
    code
}
