//! One pipeline for one example: a server, a router, a pager, and the programs.

use std::{future::Future, time::Duration};

use hollowtrees_bus::{
    apply,
    topology::{Consumer, Profile},
};
use hollowtrees_e2e::{
    checker::Books,
    pipeline::{CLUSTER, Pipeline, Process, Programs, interruption},
};
use hollowtrees_harness::{Nats, Worker, eventually, nats::User, ports::Port};
use hollowtrees_schemas::{key, names::action_state, proto};

use crate::{
    language::{Example, Language},
    page,
    pager::Pager,
};

pub(crate) const BOUND: Duration = Duration::from_secs(60);
pub(crate) const KIND: &str = "page-oncall";

const RULES: &str = "
version: 1
rules:
  - name: two
    match:
      any:
        - exact: { data.kind: spot-interruption }
        - exact: { data.kind: scheduled-maintenance }
    steps: [{ actions: [{ kind: page-oncall, params: { people: [ann, bob] } }] }]
  - name: one
    match: { exact: { data.kind: preempted } }
    steps: [{ actions: [{ kind: page-oncall, params: { people: [ann] } }] }]
  - name: nobody
    match: { exact: { data.kind: alert } }
    steps: [{ actions: [page-oncall] }]
";

pub(crate) struct World {
    pub(crate) language: Language,
    pub(crate) nats: Nats,
    pub(crate) pipeline: Pipeline,
    pub(crate) router: Process,
    pub(crate) pager: Pager,
    scratch: tempfile::TempDir,
}

impl World {
    /// Everything but the example.
    pub(crate) async fn start(language: Language) -> Self {
        let nats = Nats::builder()
            .user(User::new("anybody", "anything"))
            .user(page::user(Example::Serve))
            .user(page::user(Example::Watch))
            .config("no_auth_user: anybody")
            .start()
            .await
            .unwrap();
        let programs = Programs {
            router: env!("CARGO_BIN_EXE_router"),
            worker: env!("CARGO_BIN_EXE_counting-worker"),
        };
        let pipeline = Pipeline::prepare(programs, &[nats.url()], Profile::LOCAL).await;
        if language == Language::Rust {
            // As `hollowtrees bus apply --worker page-oncall=page-oncall` does; the others make their own.
            let consumer = Consumer::actions(KIND, None, &[KIND]);
            apply::apply_consumer(&pipeline.bus, &consumer, Profile::LOCAL)
                .await
                .unwrap();
        }
        let scratch = tempfile::tempdir().unwrap();
        let rules = scratch.path().join("rules.yaml");
        std::fs::write(&rules, RULES).unwrap();
        let router = pipeline.router("router", Some(&rules));
        router.ready().await;
        let pager = Pager::start().await;
        Self {
            language,
            nats,
            pipeline,
            router,
            pager,
            scratch,
        }
    }

    /// Starts a copy of an example, ready when it returns.
    pub(crate) async fn example(&self, example: Example) -> Program {
        let (language, scratch) = (self.language, self.scratch.path().to_owned());
        let command = move || language.command(example, &scratch);
        let (program, args) = tokio::task::spawn_blocking(command).await.unwrap().unwrap();
        let port = Port::reserve().unwrap();
        let name = format!("{language:?} {}", example.name());
        let mut builder = Worker::builder(name.replace(' ', "-"), program).args(args);
        let ours = language == Language::Rust;
        let env = if ours {
            let own = match example {
                Example::Serve => ("HT_PAGER", self.pager.url()),
                Example::Watch => ("HT_NAME", "watch".to_owned()),
            };
            vec![
                ("HT_NATS__URL", self.nats.url()),
                ("HT_HEALTH__LISTEN", port.addr().to_string()),
                own,
            ]
        } else {
            vec![
                ("NATS_URL", self.nats.url()),
                ("NATS_USER", example.name().to_owned()),
                ("NATS_PASSWORD", "secret".to_owned()),
                ("PAGER_URL", self.pager.url()),
            ]
        };
        for (name, value) in env {
            builder = builder.env(name, value);
        }
        let program = Program {
            worker: builder.start().unwrap(),
            port,
            ready: match (ours, example) {
                (true, _) => Ready::Asked,
                (false, Example::Serve) => Ready::Logged("Serving"),
                (false, Example::Watch) => Ready::Logged("Watching."),
            },
        };
        program.ready().await;
        program
    }

    pub(crate) async fn notify(&self, notice: proto::Notice) {
        self.pipeline.notify(notice, "/aws/1/eu/imds").await;
    }

    pub(crate) async fn books(&self) -> Books {
        Books::read(&self.pipeline.bus).await
    }

    /// Whether somebody is known to be at the action about an instance: by the ledger, or where no ledger is kept by what
    /// its run was told.
    pub(crate) async fn is_begun(&self, instance: &str) -> bool {
        let books = self.books().await;
        let runs = books.runs.values().filter(|run| run.instance == instance);
        for action in runs.flat_map(|run| &run.actions) {
            let key = key::ledger(CLUSTER, &action.id.parse().unwrap());
            let is_kept = self.pipeline.bus.ledger().get(&key).await.unwrap().is_some();
            if is_kept || action.state == action_state::STARTED {
                return true;
            }
        }
        false
    }

    /// Waits for the one final outcome about an instance.
    pub(crate) async fn ended(&self, instance: &str) -> proto::Outcome {
        eventually(format!("an outcome about {instance}"), BOUND, async || {
            let books = self.books().await;
            let mut of_it = books.outcomes.into_values().flatten();
            of_it.find(|outcome| outcome.instance == instance)
        })
        .await
    }

    /// Waits until the run of an instance has this result.
    pub(crate) async fn finished(&self, instance: &str, result: &str) {
        eventually(
            format!("the run of {instance} to be {result}"),
            BOUND,
            async || {
                let books = self.books().await;
                let runs: Vec<_> = books
                    .runs
                    .values()
                    .filter(|run| run.instance == instance)
                    .collect();
                let is_it = |run: &&proto::Run| run.phase == "finished" && run.result == result;
                if runs.len() == 1 && runs.iter().all(is_it) {
                    Ok(())
                } else {
                    Err(format!("{runs:?}"))
                }
            },
        )
        .await;
    }

    /// Every run has ended, and every action has one outcome.
    pub(crate) async fn assert_sound(&self) {
        self.books().await.assert_sound();
    }

    /// Waits until the action about an instance is on its stream.
    pub(crate) async fn action(&self, instance: &str) -> hollowtrees_bus::read::Message {
        use hollowtrees_bus::read::{From, Until};
        use hollowtrees_schemas::{names::Stream, subject::Subject};
        eventually(format!("the action about {instance}"), BOUND, async || {
            let subject = Subject::Action {
                cluster: CLUSTER.to_owned(),
                action: KIND.to_owned(),
                instance: instance.to_owned(),
            };
            let subject = subject.to_string();
            let bus = &self.pipeline.bus;
            let mut reading = bus
                .read(Stream::Actions, &[subject], From::First, Until::Present)
                .await
                .ok()?;
            reading.next().await.ok()?
        })
        .await
    }
}

/// A copy of an example.
pub(crate) struct Program {
    pub(crate) worker: Worker,
    port: Port,
    ready: Ready,
}

enum Ready {
    Asked,
    Logged(&'static str),
}

impl Program {
    pub(crate) async fn ready(&self) {
        match self.ready {
            Ready::Asked => {
                let url = format!("http://{}/readyz", self.port.addr());
                self.worker.ready(&url, BOUND).await.unwrap();
            }
            Ready::Logged(text) => self.worker.logged(text, BOUND).await.unwrap(),
        }
    }
}

pub(crate) fn maintenance(instance: &str, seconds_left: i64, state: &str) -> proto::Notice {
    proto::Notice {
        kind: "scheduled-maintenance".to_owned(),
        certainty: "scheduled".to_owned(),
        event_id: format!("event-{instance}"),
        state: state.to_owned(),
        ..interruption(instance, seconds_left)
    }
}

/// Plays a scenario in every language at once, and says where it failed.
pub(crate) async fn in_every_language<F>(scenario: impl Fn(Language) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let playing = Language::all()
        .into_iter()
        .map(|language| (language, tokio::spawn(scenario(language))))
        .collect::<Vec<_>>();
    let mut failed = Vec::new();
    for (language, played) in playing {
        if played.await.is_err() {
            failed.push(language);
        }
    }
    assert!(
        failed.is_empty(),
        "failed in {failed:?}; what is said above is of these"
    );
}
