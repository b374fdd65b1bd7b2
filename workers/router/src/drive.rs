//! Writes a run by compare-and-set and does what it says.

use futures::future::try_join_all;
use hollowtrees_domain::{
    incident::Incident,
    run::{Command, Ended, Event, Run, Standing},
    settle,
};
use hollowtrees_schemas::{
    envelope,
    id::{ActionId, IncidentKey},
    key, outgoing, proto,
};
use jiff::Timestamp;

use crate::{
    core::{Core, TRIES},
    records::Loaded,
    trouble::Trouble,
};

/// What happened to a run, kept so that it can be applied again to a newer version of it.
#[derive(Debug, Clone)]
pub(crate) enum Happened {
    Published(Vec<ActionId>),
    Started(ActionId),
    Ended(ActionId, Ended),
    Incident(Box<Incident>),
    Due,
}

impl Happened {
    fn event(&self) -> Event<'_> {
        match self {
            Self::Published(ids) => Event::Published(ids),
            Self::Started(action) => Event::Started(action),
            Self::Ended(action, ended) => Event::OutcomeIn { action, ended },
            Self::Incident(incident) => Event::IncidentChanged(incident),
            Self::Due => Event::Due,
        }
    }
}

impl Core {
    /// Applies what happened, writes the run where that changed it, and does what follows, to the end.
    pub(crate) async fn tell(&self, loaded: Loaded, happened: &[Happened]) -> Result<Loaded, Trouble> {
        let (loaded, commands) = self.save(loaded, happened).await?;
        self.drive(loaded, commands).await
    }

    /// Carries out commands until none is left.
    pub(crate) async fn drive(
        &self,
        mut loaded: Loaded,
        mut commands: Vec<Command>,
    ) -> Result<Loaded, Trouble> {
        while !commands.is_empty() {
            let mut happened = Vec::new();
            let mut finished = false;
            for command in std::mem::take(&mut commands) {
                match command {
                    Command::Publish(actions) => happened.extend(self.publish_actions(actions).await?),
                    Command::Settle { action, why } => happened.extend(self.settle(&action, why).await?),
                    Command::Finish(_) => finished = true,
                }
            }
            if finished {
                self.run_finished(&loaded.run).await?;
            }
            if !happened.is_empty() {
                (loaded, commands) = self.save(loaded, &happened).await?;
            }
        }
        Ok(loaded)
    }

    /// Applies what happened and writes the run; read again where somebody else wrote first.
    pub(crate) async fn save(
        &self,
        mut loaded: Loaded,
        happened: &[Happened],
    ) -> Result<(Loaded, Vec<Command>), Trouble> {
        for tries in 0..TRIES {
            let (run, commands) = fold(&loaded.run, happened, self.now());
            if run == loaded.run {
                return Ok((loaded, commands));
            }
            let record = proto::Run::from(&run);
            match self
                .bus
                .runs()
                .update(&loaded.key, &record, loaded.revision)
                .await
            {
                Ok(revision) => {
                    let key = loaded.key;
                    return Ok((Loaded { key, run, revision }, commands));
                }
                Err(error) if error.is_conflict() => {
                    self.step_back(tries).await;
                    if let Some(newer) = self.run(&loaded.key).await? {
                        loaded = newer;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::Contended(loaded.key))
    }

    /// Puts actions on their stream. What the stream had already may have begun or ended before this run was
    /// there to hear of it: the ledger tells, or another run.
    pub(crate) async fn publish_actions(
        &self,
        actions: Vec<proto::Action>,
    ) -> Result<Vec<Happened>, Trouble> {
        let published = try_join_all(actions.into_iter().map(|action| self.publish_action(action))).await?;
        let mut ids = Vec::with_capacity(published.len());
        let mut happened = Vec::new();
        for (id, known) in published {
            happened.extend(known);
            ids.push(id);
        }
        happened.insert(0, Happened::Published(ids));
        Ok(happened)
    }

    async fn publish_action(&self, action: proto::Action) -> Result<(ActionId, Option<Happened>), Trouble> {
        let id: ActionId = action
            .id
            .parse()
            .map_err(|error: hollowtrees_schemas::id::IdError| Trouble::Unusable(error.to_string()))?;
        let (cluster, kind) = (action.cluster.clone(), action.kind.clone());
        let (incident, generation) = (IncidentKey::from(&action), action.generation);
        let source = self.own_source(&cluster);
        let envelope = envelope::action(action, source);
        let published = self.publish(outgoing::action(&envelope, self.format)).await?;
        self.telemetry.published(&kind, published.duplicate);
        if !published.duplicate {
            return Ok((id, None));
        }
        let known = match self.bus.ledger().get(&key::ledger(&cluster, &id)).await? {
            Some(entry) => {
                settle::ended(&entry.value, self.now()).map(|ended| Happened::Ended(id.clone(), ended))
            }
            None => self.started_elsewhere(&incident, generation, &id).await?,
        };
        Ok((id, known))
    }

    /// Whether another run of the incident was told that somebody is at an action: of who keeps no ledger
    /// nothing else says so.
    async fn started_elsewhere(
        &self,
        incident: &IncidentKey,
        generation: u64,
        action: &ActionId,
    ) -> Result<Option<Happened>, Trouble> {
        let runs = self.index.runs_of(incident, generation);
        let runs = try_join_all(runs.iter().map(|run| self.run(run))).await?;
        let mut actions = runs.iter().flatten().flat_map(|loaded| &loaded.run.actions);
        let started = actions.any(|state| state.id == *action && state.standing == Standing::Started);
        Ok(started.then(|| Happened::Started(action.clone())))
    }

    /// For a redelivered notice or outcome, whose first attempt may have stopped anywhere: everything the
    /// run's present step asks for is said again.
    pub(crate) async fn resume(&self, loaded: Loaded) -> Result<Loaded, Trouble> {
        if loaded.run.is_finished() {
            self.run_finished(&loaded.run).await?;
            return Ok(loaded);
        }
        let again = loaded.run.republish();
        if again.is_empty() {
            return Ok(loaded);
        }
        self.drive(loaded, vec![Command::Publish(again)]).await
    }
}

/// Several events as one change.
fn fold(run: &Run, happened: &[Happened], now: Timestamp) -> (Run, Vec<Command>) {
    let mut commands = Vec::new();
    let mut run = run.clone();
    for happened in happened {
        let decision = run.decide(happened.event(), now);
        run = decision.run;
        commands.extend(decision.commands);
    }
    (run, commands)
}
