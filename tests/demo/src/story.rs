//! What happens, told with times relative to the notice.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use hollowtrees_bus::read::{From, Message, Until};
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    names::{Stream, result},
    outgoing, proto,
    subject::Subject,
};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::{
    Arguments, Scenario,
    findings::{self, Told},
    stage::{Going, Stage},
};

/// Lines of this many nodes are told one by one; of more, only their numbers.
const TOLD_ONE_BY_ONE: u16 = 5;
const STREAMS: [Stream; 4] = [
    Stream::Notices,
    Stream::Actions,
    Stream::Outcomes,
    Stream::Incidents,
];
/// Longer than any scenario takes.
const BOUND: Duration = Duration::from_secs(240);

/// Sets the stage, lets it happen, and checks it. `Ok(false)`: something was not found true.
pub(crate) async fn tell(arguments: &Arguments) -> Result<bool> {
    // Two TLS stacks would be one too many: the process names the one it uses.
    let _already_there = rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err();
    println!("Setting the stage: everything is real but the instances.");
    let stage = Stage::set(arguments).await?;
    let (sender, mut events) = mpsc::channel(1_024);
    for stream in STREAMS {
        let mut reading = stage
            .rig
            .bus
            .read(stream, &[], From::First, Until::Stopped)
            .await?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while let Ok(Some(message)) = reading.next().await {
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);

    let notice_time = match arguments.scenario {
        Scenario::BlockedBudget => Duration::from_secs(45),
        Scenario::Interruption | Scenario::Burst | Scenario::Crash => Duration::from_secs(120),
    };
    println!(
        "\nThe cloud takes {} instance(s) back in {} s.\n",
        arguments.nodes,
        notice_time.as_secs()
    );
    let began = Timestamp::now();
    for node in &stage.going {
        give_notice(&stage, node, notice_time).await?;
    }

    let mut told = Told::default();
    let mut crashed = arguments.scenario != Scenario::Crash;
    let one_by_one = arguments.nodes <= TOLD_ONE_BY_ONE;
    let listening = async {
        while told.finished < usize::from(arguments.nodes) {
            let message = events.recv().await.context("the streams ended")?;
            let Some(line) = line_of(&message, &mut told) else {
                continue;
            };
            if one_by_one {
                println!("  {:>8}  {line}", since(began, message.stored_at));
            }
            if !crashed && told.progress > 0 {
                crashed = true;
                crash(&stage, began)?;
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    tokio::time::timeout(BOUND, listening)
        .await
        .with_context(|| format!("not all runs finished within {} s: {told:?}", BOUND.as_secs()))??;
    if !one_by_one {
        println!(
            "  {:>8}  {} notices, {} runs finished",
            since(began, Timestamp::now()),
            told.notices,
            told.finished
        );
    }
    findings::check(&stage, arguments, &told).await
}

/// Through the metadata service where there is an agent to see it, else as a message of its own.
async fn give_notice(stage: &Stage, node: &Going, after: Duration) -> Result<()> {
    if let Some(metadata) = &node.metadata {
        metadata.interrupt("terminate", after);
        return Ok(());
    }
    let seconds = i64::try_from(after.as_secs())?;
    let notice = node.machine.notice("spot-interruption", seconds);
    let out = outgoing::notice(&envelope::notice(notice, "/aws/demo"), DataFormat::Json)?;
    stage.rig.bus.publish(&out, None).await?;
    Ok(())
}

fn crash(stage: &Stage, began: Timestamp) -> Result<()> {
    println!(
        "  {:>8}  kill -9 router, drain, asg-swap; all start again",
        since(began, Timestamp::now())
    );
    for process in [&stage.router, &stage.drain, &stage.swap] {
        process.worker.kill();
        process.worker.restart()?;
    }
    Ok(())
}

/// One message as a line, and what it counts for. `None`: nothing to tell.
fn line_of(message: &Message, told: &mut Told) -> Option<String> {
    match message.subject.parse().ok()? {
        Subject::Notice { kind, instance, .. } => {
            told.notices += 1;
            let source = header(message, "ce-source");
            Some(format!("notice      {kind} of {instance}, from {source}"))
        }
        Subject::Incident { event, instance, .. } => Some(format!("incident    {event} ({instance})")),
        Subject::Run { event, .. } => {
            let run = Envelope::<proto::Run>::decode(&message.wire).ok()?.data;
            if run.result.is_empty() {
                return Some(format!("run         {event}: rule {}", run.rule));
            }
            told.finished += 1;
            *told.results.entry(run.result.clone()).or_default() += 1;
            Some(format!("run         {event}: rule {} {}", run.rule, run.result))
        }
        Subject::Action { action, instance, .. } => Some(format!("action      {action} of {instance}")),
        Subject::Outcome { result: word, .. } => {
            let outcome = Envelope::<proto::Outcome>::decode(&message.wire).ok()?.data;
            if word == result::PROGRESS {
                told.progress += 1;
                return Some(format!("progress    {}: {}", outcome.reason, outcome.message));
            }
            let line = format!("outcome     {} {word}: {}", outcome.kind, outcome.message);
            told.outcomes
                .entry(outcome.action_id.clone())
                .or_default()
                .push(outcome);
            Some(line)
        }
        Subject::Dead { .. } => None,
    }
}

fn header<'a>(message: &'a Message, name: &str) -> &'a str {
    message
        .wire
        .headers
        .iter()
        .find(|(header, _)| header == name)
        .map_or("", |(_, value)| value)
}

fn since(began: Timestamp, at: Timestamp) -> String {
    format!("+{:.3} s", at.duration_since(began).as_secs_f64())
}

/// Outcomes by the id of their action.
pub(crate) type Outcomes = BTreeMap<String, Vec<proto::Outcome>>;
