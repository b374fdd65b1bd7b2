//! Merges a notice into its incident and starts the runs it asks for.

use futures::future::try_join_all;
use hollowtrees_bus::{Delivery, Versioned, dead::Class};
use hollowtrees_domain::{
    incident::{Change, Incident, merge},
    notice::Notice,
    rule::{Candidate, Rule, Rules},
    run::{Command, Event, Run},
    words::IncidentState,
};
use hollowtrees_schemas::{envelope::Envelope, key, proto, subject::Subject};

use crate::{
    core::{Core, TRIES},
    drive::Happened,
    events::event_of,
    records::Loaded,
    retell,
    trouble::{Refusal, Trouble},
};

/// An incident with a notice merged in, as it is in the store now.
struct Written {
    incident: Incident,
    change: Change,
    /// Rules that get a run by this notice.
    wanted: Vec<Rule>,
    /// Runs it had before.
    earlier: Vec<String>,
}

/// Handles one delivery: done, it may be acknowledged.
pub(crate) async fn handle(core: &Core, delivery: &Delivery) -> Result<(), Refusal> {
    let subject = delivery.subject.parse::<Subject>();
    let cluster = match &subject {
        Ok(Subject::Notice { cluster, .. }) => cluster.clone(),
        _ => String::new(),
    };
    let dead = |class, text: String| Refusal::Dead {
        class,
        text,
        cluster: cluster.clone(),
    };
    let envelope = Envelope::<proto::Notice>::decode(&delivery.wire)
        .map_err(|error| dead(Class::Undecodable, error.to_string()))?;
    let attributes = envelope.attributes();
    let notice = Notice::parse(envelope.data, &envelope.source, delivery.stored_at)
        .map_err(|error| dead(Class::Invalid, error.to_string()))?;
    let named = Subject::Notice {
        cluster: notice.message.cluster.clone(),
        kind: notice.message.kind.clone(),
        instance: notice.message.instance.clone(),
    };
    // Permissions are given by subject: data must not say it is of another cluster.
    if subject.as_ref() != Ok(&named) {
        let text = format!("the notice belongs on {named}, it came on {}", delivery.subject);
        return Err(dead(Class::Invalid, text));
    }
    let _lane = core.lanes.enter(&notice.key).await;
    let candidate = Candidate {
        attributes: &attributes,
        notice: &notice,
    };
    let written = merge_in(core, &candidate).await?;
    core.telemetry
        .merged(&notice, written.change, delivery.delivered > 1);
    carry_on(core, &written, core.may_be_begun(delivery)).await?;
    Ok(())
}

/// Creates the incident or merges into it by compare-and-set. The rules are matched before the write, so
/// that the incident lists its runs from the moment it knows the notice.
async fn merge_in(core: &Core, candidate: &Candidate<'_>) -> Result<Written, Trouble> {
    let rules = core.rulebook.rules();
    let matching: Vec<&Rule> = rules.matching(candidate).collect();
    let id = &candidate.notice.key;
    let store_key = key::incident(id);
    // Most incidents are new: create first, and read only where that is refused or known to be.
    let mut known = if core.index.knows_incident(&store_key) {
        core.incident_at(&store_key).await?
    } else {
        None
    };
    for tries in 0..TRIES {
        let written = decide(core, known.as_ref(), candidate, &matching);
        if written.change == Change::Reopened {
            end_withdrawn_runs(core, known.as_ref(), &rules).await?;
        }
        let record = proto::Incident::from(&written.incident);
        let result = match &known {
            Some(_) if written.change == Change::Unchanged => return Ok(written),
            Some(known) => {
                core.bus
                    .incidents()
                    .update(&store_key, &record, known.revision)
                    .await
            }
            None => core.bus.incidents().create(&store_key, &record).await,
        };
        match result {
            Ok(_) => {
                if written.change.starts_runs() && matching.is_empty() {
                    core.telemetry.unmatched(candidate.notice);
                }
                return Ok(written);
            }
            Err(error) if error.is_conflict() => {
                core.step_back(tries).await;
                known = core.incident_at(&store_key).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Trouble::Contended(store_key))
}

fn decide(
    core: &Core,
    known: Option<&Versioned<Incident>>,
    candidate: &Candidate<'_>,
    matching: &[&Rule],
) -> Written {
    let merged = merge(known.map(|known| &known.value), candidate.notice, core.now());
    let mut incident = merged.incident;
    let earlier = Core::run_keys(&incident);
    let mut wanted = Vec::new();
    if merged.change.starts_runs() {
        for rule in matching.iter().filter(|rule| !rule.steps.is_empty()) {
            if let Some(run) = incident.wanted_run(&rule.name) {
                incident.runs.push(run);
                wanted.push((*rule).clone());
            }
        }
    }
    Written {
        incident,
        change: merged.change,
        wanted,
        earlier,
    }
}

/// What follows from the merge. All of it is done before the notice is acknowledged, and all of it may be
/// done again.
async fn carry_on(core: &Core, written: &Written, redelivered: bool) -> Result<(), Trouble> {
    let Written {
        incident,
        change,
        wanted,
        earlier,
    } = written;
    let started = try_join_all(wanted.iter().map(|rule| start(core, rule, incident))).await?;
    let follow = match change {
        Change::Changed { tell_runs } => *tell_runs,
        Change::Cancelled | Change::Unchanged => true,
        Change::Opened | Change::Reopened | Change::Recorded => false,
    };
    let notes = async {
        for (loaded, happened) in started {
            core.tell(loaded, &happened).await?;
        }
        if follow && incident.state != IncidentState::Closed {
            let rules = core.rulebook.rules();
            try_join_all(
                earlier
                    .iter()
                    .map(|key| follow_incident(core, key, incident, &rules, redelivered)),
            )
            .await?;
        }
        Ok::<_, Trouble>(())
    };
    let events = async {
        if let Some(event) = event_of(*change, incident, redelivered) {
            core.incident_event(event, incident).await?;
        }
        Ok(())
    };
    tokio::try_join!(notes, events)?;
    Ok(())
}

/// Creates a run and publishes what it begins with; what is left is to note that. Where the run is there
/// already its present step is published instead.
async fn start(core: &Core, rule: &Rule, incident: &Incident) -> Result<(Loaded, Vec<Happened>), Trouble> {
    let planned = Run::plan(rule, incident, core.now());
    let decision = planned.decide(Event::Created, core.now());
    let key = decision.run.store_key();
    match core
        .bus
        .runs()
        .create(&key, &proto::Run::from(&decision.run))
        .await
    {
        Ok(revision) => {
            let mut happened = Vec::new();
            let mut finished = false;
            for command in decision.commands {
                match command {
                    Command::Publish(actions) => happened.extend(core.publish_actions(actions).await?),
                    Command::Settle { .. } => {}
                    Command::Finish(_) => finished = true,
                }
            }
            core.run_started(&decision.run).await?;
            if finished {
                core.run_finished(&decision.run).await?;
            }
            let run = decision.run;
            Ok((Loaded { key, run, revision }, happened))
        }
        Err(error) if error.is_conflict() => {
            let loaded = core
                .run(&key)
                .await?
                .ok_or_else(|| Trouble::NotYet(format!("the run {key} exists and is not visible yet")))?;
            Ok((core.resume(loaded).await?, Vec::new()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Tells a run what its incident is now. A run that is listed and not there was not created before its
/// router stopped: it is created now, so that whoever comes later finds it as it is to be.
async fn follow_incident(
    core: &Core,
    key: &str,
    incident: &Incident,
    rules: &Rules,
    redelivered: bool,
) -> Result<(), Trouble> {
    let loaded = match core.run(key).await? {
        Some(loaded) => loaded,
        None => match create_missing(core, key, incident, rules).await? {
            Some(loaded) => loaded,
            None => return Ok(()),
        },
    };
    let loaded = core
        .tell(loaded, &[Happened::Incident(Box::new(incident.clone()))])
        .await?;
    if redelivered {
        // Finished or not: it may have ended before anyone took up what its router left.
        if !loaded.run.is_finished() || retell::is_lately(loaded.run.started_at, core.now()) {
            core.run_started(&loaded.run).await?;
        }
        core.resume(loaded).await?;
    }
    Ok(())
}

/// The run of that key, planned from the rules in force; none where its rule is gone, or it is there.
async fn create_missing(
    core: &Core,
    key: &str,
    incident: &Incident,
    rules: &Rules,
) -> Result<Option<Loaded>, Trouble> {
    let reference = incident
        .runs
        .iter()
        .zip(Core::run_keys(incident))
        .find_map(|(reference, other)| (other == key).then_some(reference));
    let rule = reference.and_then(|reference| rules.get(&reference.rule));
    let Some((reference, rule)) = reference.zip(rule) else {
        core.telemetry.run_without_rule(key);
        return Ok(None);
    };
    let certainty = reference.certainty;
    let now = core.now();
    let as_it_was = Incident {
        certainty,
        ..incident.clone()
    };
    let planned = Run::plan(rule, &as_it_was, now);
    // Withdrawn meanwhile: nothing of it begins.
    let decision = if incident.withdrawn() {
        planned.decide(Event::IncidentChanged(incident), now)
    } else {
        planned.decide(Event::Created, now)
    };
    match core
        .bus
        .runs()
        .create(key, &proto::Run::from(&decision.run))
        .await
    {
        Ok(revision) => {
            let key = key.to_owned();
            let run = decision.run;
            let loaded = core
                .drive(Loaded { key, run, revision }, decision.commands)
                .await?;
            core.run_started(&loaded.run).await?;
            Ok(Some(loaded))
        }
        Err(error) if error.is_conflict() => core.run(key).await,
        Err(error) => Err(error.into()),
    }
}

/// Before the next generation takes the record: what the withdrawn one still runs learns of it, as nobody
/// finds those runs by the record any more.
async fn end_withdrawn_runs(
    core: &Core,
    known: Option<&Versioned<Incident>>,
    rules: &Rules,
) -> Result<(), Trouble> {
    let Some(known) = known.filter(|known| known.value.state == IncidentState::Cancelled) else {
        return Ok(());
    };
    let keys = Core::run_keys(&known.value);
    try_join_all(
        keys.iter()
            .map(|key| follow_incident(core, key, &known.value, rules, false)),
    )
    .await?;
    Ok(())
}
