//! `POST /aws/events`: what a queue of SQS would deliver, by HTTP. API destinations of EventBridge post here, and dead letters
//! of queues are redriven here. A body is read, its instances are looked up and its notices are made as a queue's.

use std::collections::HashMap;

use futures::future::join_all;
use hollowtrees_schemas::outgoing::Outgoing;
use jiff::Timestamp;

use crate::{
    asked::Asked,
    config::Settings,
    events,
    problem::Problem,
    settle::{Frame, Part},
    sqs::{
        SENT_AT, Teller, Untold,
        read::{self, Contents},
        settings::Queue,
    },
};

/// What one event is, for one cluster.
pub(crate) type Made = Result<Option<Outgoing>, Problem>;

/// Takes what is posted.
pub struct Posts {
    door: Door,
    queues: HashMap<String, Door>,
}

/// What a queue says of events that do not say it themselves.
#[derive(Clone)]
pub(crate) struct Door {
    /// Tells by the credentials of the queue.
    pub(crate) teller: Teller,
    /// Account of the queue.
    pub(crate) account: String,
    /// Region of the queue.
    pub(crate) region: String,
    /// Cluster of instances that nothing else names; or empty.
    pub(crate) cluster: String,
}

/// What carried events, and whose they are where nothing else says it.
pub(crate) struct Carrier<'a> {
    /// Its name, for the log.
    pub(crate) name: &'a str,
    /// Its id, for the log.
    pub(crate) id: &'a str,
    /// Field of the request that has the events; empty: the body is them.
    pub(crate) field: &'static str,
    /// The cluster, or why there is none.
    pub(crate) cluster: Result<String, Problem>,
}

impl Posts {
    /// `door`: of what comes from no queue; `queues`: of those that are read, by their URL.
    pub(crate) fn new(door: Door, queues: HashMap<String, Door>) -> Self {
        Self { door, queues }
    }

    /// What a body holds; an error says why it cannot be told now.
    pub async fn parts(&self, asked: &Asked, own: &Settings) -> Result<Vec<Part>, String> {
        let id = events::content(&asked.body);
        let part = |(index, made): (usize, Made)| Part {
            index,
            id: id.clone(),
            body: asked.body.clone(),
            frame: Frame::default(),
            made,
        };
        let Ok(body) = std::str::from_utf8(&asked.body) else {
            return Ok(vec![part((0, Err(Problem::undecodable("it is no text"))))]);
        };
        let door = self.door(asked.queue.as_deref());
        let sent_at = asked.header(SENT_AT).and_then(|at| at.parse().ok());
        let sent_at: Timestamp = sent_at.unwrap_or(asked.at);
        let origin = door.teller.origin(&door.account, &door.region, Some(sent_at));
        let carrier = Carrier {
            name: asked.queue.as_deref().unwrap_or(&asked.client.name),
            id: &asked.correlation,
            field: "",
            cluster: door.cluster(asked, own),
        };
        let made = made(&door.teller, &read::contents(body, &origin), &carrier, asked).await?;
        Ok(made.into_iter().enumerate().map(part).collect())
    }

    /// That of the queue; of one that is not read, what its URL says of it.
    fn door(&self, queue: Option<&str>) -> Door {
        let Some(url) = queue else {
            return self.door.clone();
        };
        self.queues.get(url).cloned().unwrap_or_else(|| {
            let queue = Queue {
                url: url.to_owned(),
                ..Queue::default()
            };
            Door {
                teller: self.door.teller.clone(),
                account: queue.account().to_owned(),
                region: queue.region().unwrap_or(&self.door.region).to_owned(),
                cluster: String::new(),
            }
        })
    }
}

impl Door {
    /// Whose an instance is that nothing else names: as the address says, then the queue, then who posts.
    fn cluster(&self, asked: &Asked, own: &Settings) -> Result<String, Problem> {
        if asked.cluster.is_some() || self.cluster.is_empty() {
            return asked.cluster(&own.cluster);
        }
        asked.may_speak_for(&self.cluster)?;
        Ok(self.cluster.clone())
    }
}

/// What events say, each for each cluster; an error says why it cannot be told now.
pub(crate) async fn made(
    teller: &Teller,
    contents: &Contents,
    carrier: &Carrier<'_>,
    asked: &Asked,
) -> Result<Vec<Made>, String> {
    for idle in &contents.idle {
        teller.telemetry().idle(*idle);
    }
    let otherwise = carrier.cluster.as_deref().unwrap_or_default();
    let told = contents.events.iter();
    let told = told.map(|event| Box::pin(teller.tell(event, otherwise)));
    let mut made: Vec<Made> = contents.idle.iter().map(|_| Ok(None)).collect();
    for told in join_all(told).await {
        let told = told?;
        made.extend(told.notices.into_iter().map(|(cluster, notice)| {
            asked.may_speak_for(&cluster)?;
            Ok(Some(notice?))
        }));
        if let Some(untold) = told.untold {
            // A dead letter that is sent again is not gone before it is told.
            let kept = teller.keeps(&untold, carrier.name, carrier.id) || asked.is_redriven();
            made.push(if kept {
                Err(refused(&untold, carrier, asked))
            } else {
                Ok(None)
            });
        }
    }
    let unusable = contents.unusable.iter();
    made.extend(unusable.map(|unusable| Err(Problem::unusable(carrier.field, unusable))));
    Ok(made)
}

/// What is wrong with it, to one who may know as much.
fn refused(untold: &Untold, carrier: &Carrier<'_>, asked: &Asked) -> Problem {
    let forbidden = match untold {
        Untold::Foreign(clusters) => clusters
            .iter()
            .find_map(|cluster| asked.may_speak_for(cluster).err()),
        Untold::Unrouted => carrier.cluster.clone().err().filter(|problem| problem.forbidden),
    };
    forbidden.unwrap_or_else(|| untold.problem())
}
