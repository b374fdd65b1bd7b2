//! Who speaks, how often, how much; then the handler of the path.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_runtime::{
    Shutdown,
    http::{Answer, text, typed},
    server::{Bodies, BodyError, Peer, Service},
};
use http::{Request, StatusCode, header, request};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::timeout;

use super::{
    answer::{self, Style, failure},
    route::Route,
};
use crate::{
    alerts,
    asked::{self, Asked, CORRELATION, Parameters},
    auth::{Client, Guard, Shown},
    aws_events::Posts,
    config::Settings,
    events::{self, Mode},
    ingest::{Ingest, Origin},
    problem::Problem,
    push::{event_grid, oracle, pubsub},
    rate::Rates,
    settle::{Delivery, Frame, Part, Report, settle},
    sns::{Posted, Topics},
    status,
    telemetry::Telemetry,
};

/// What takes events of AWS, where any are taken.
#[derive(Default)]
pub struct FromAws {
    /// Posts of topics of SNS.
    pub topics: Option<Topics>,
    /// What a queue would deliver.
    pub posts: Option<Posts>,
}

/// Everything between a connection and the bus.
pub struct Gate {
    settings: Settings,
    guard: Arc<Guard>,
    rates: Rates,
    bodies: Bodies,
    ingest: Ingest,
    aws: FromAws,
    shutdown: Shutdown,
    started: Timestamp,
}

/// What a body turned out to be.
enum Found {
    /// So many things.
    Parts(Vec<Part>),
    /// Nothing that goes on the bus.
    Answer(Box<Answer>),
}

impl Gate {
    /// `guard` says who may speak, `ingest` is the way onto the bus.
    pub fn new(
        settings: Settings,
        guard: Arc<Guard>,
        ingest: Ingest,
        aws: FromAws,
        shutdown: Shutdown,
    ) -> Self {
        let http = &settings.http;
        Self {
            rates: Rates::new(f64::from(http.rate), f64::from(http.burst)),
            bodies: Bodies::new(http.body_bytes, http.memory_bytes, http.body_time),
            guard,
            ingest,
            aws,
            shutdown,
            started: Timestamp::now(),
            settings,
        }
    }

    fn telemetry(&self) -> &Telemetry {
        self.ingest.telemetry()
    }

    async fn routed(&self, route: Route, head: request::Parts, body: Incoming, peer: &Peer) -> Answer {
        if route.is_open() {
            return self.open(route);
        }
        let parameters = Parameters::of(&head);
        let client = match self.known(route, &head, &parameters, peer) {
            Ok(client) => client,
            Err(answer) => return *answer,
        };
        match route {
            Route::Status => return status::answer(&self.settings, self.started),
            Route::Handshake => return crate::events::handshake(&head.headers, self.settings.http.rate),
            _ => {}
        }
        let body = match self.bodies.read(&head.headers, body).await {
            Ok(body) => body,
            Err(error) => return unread(route.style(), &error),
        };
        let asked = Asked {
            client,
            correlation: asked::correlation(&head.headers, &body.bytes),
            headers: head.headers,
            body: body.bytes.clone(),
            cluster: parameters.cluster,
            queue: parameters.queue,
            at: Timestamp::now(),
        };
        let handled = timeout(
            self.settings.http.answer_time,
            self.handled(route, head.uri.path(), &asked),
        );
        let answer = match handled.await {
            Ok(answer) => answer,
            Err(_) => {
                self.telemetry().late(route.word(), &asked.correlation);
                let error = "the bus has not acknowledged in time; send the same again, it is stored once";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                answer::later(
                    failure(route.style(), status, "the bus does not answer", error),
                    1,
                )
            }
        };
        answer::with(answer, CORRELATION, &asked.correlation)
    }

    /// What anybody may ask.
    fn open(&self, route: Route) -> Answer {
        match route {
            Route::OpenApi => typed(StatusCode::OK, "application/yaml", status::OPENAPI),
            Route::Ready if self.shutdown.is_draining() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "It is about to end.\n")
            }
            Route::Ready if !self.ingest.is_connected() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "The bus cannot be reached.\n")
            }
            _ => text(StatusCode::OK, "OK\n"),
        }
    }

    /// Who sent a request, if they may and not too often.
    fn known(
        &self,
        route: Route,
        head: &request::Parts,
        parameters: &Parameters,
        peer: &Peer,
    ) -> Result<Arc<Client>, Box<Answer>> {
        let style = route.style();
        let authorization = head.headers.get(header::AUTHORIZATION);
        let shown = Shown {
            // What is no text is nobody's.
            authorization: authorization.map(|value| value.to_str().unwrap_or("?")),
            token: parameters.token.as_deref().filter(|_| route.takes_token()),
            certificate: &peer.certificate,
        };
        let client = self.guard.admit(shown).map_err(|denied| {
            self.telemetry()
                .denied("unauthenticated", route.word(), &peer.address, "");
            let answer = failure(
                style,
                StatusCode::UNAUTHORIZED,
                "Invalid token",
                &denied.to_string(),
            );
            let challenge = "Bearer, Basic realm=\"hollowtrees\"";
            Box::new(answer::with(answer, header::WWW_AUTHENTICATE, challenge))
        })?;
        if let Err(wait) = self.rates.take(&client.name, Instant::now()) {
            self.telemetry()
                .denied("rate", route.word(), &peer.address, &client.name);
            let error = "too many requests of this client; come back later, or raise http.rate";
            let answer = failure(style, StatusCode::TOO_MANY_REQUESTS, "too many requests", error);
            return Err(Box::new(answer::later(answer, seconds(wait))));
        }
        match route.way() {
            Some(way) if !client.may_use(way) => {
                self.telemetry()
                    .denied("forbidden", route.word(), &peer.address, &client.name);
                let error = format!(
                    "`{}` may not use the source `{way}`; add it in the clients' file",
                    client.name
                );
                Err(Box::new(failure(
                    style,
                    StatusCode::FORBIDDEN,
                    "forbidden",
                    &error,
                )))
            }
            _ => Ok(client),
        }
    }

    async fn handled(&self, route: Route, path: &str, asked: &Asked) -> Answer {
        let style = route.style();
        let Some(way) = route.way() else {
            return failure(style, StatusCode::NOT_FOUND, "", "there is nothing at this path");
        };
        let delivery = Delivery {
            origin: Origin::new(way, format!("{way}/{}", asked.client.name)),
            address: asked.address(path),
            cluster: asked.client.only_cluster().unwrap_or_default().to_owned(),
            headers: asked.shown(),
            at: asked.at,
            redriven: asked.is_redriven(),
        };
        // Who sends a dead letter again is told what became of it, and sends it no more by itself.
        let insistent = route.is_insistent() && !delivery.redriven;
        let read = match self.read(route, asked).await {
            Ok(Found::Parts(parts)) => parts,
            Ok(Found::Answer(answer)) => return *answer,
            Err(problem) => {
                let whole = Part {
                    index: 0,
                    id: asked::correlation(&http::HeaderMap::new(), &asked.body),
                    body: asked.body.clone(),
                    frame: Frame::default(),
                    made: Err(problem.clone()),
                };
                let report = settle(&self.ingest, &delivery, vec![whole]).await;
                return match route {
                    // Who set it up is to see it; the topic does not post it again.
                    Route::Sns if problem.forbidden && report.not_kept == 0 => {
                        failure(style, StatusCode::FORBIDDEN, "", &problem.to_string())
                    }
                    _ if insistent => insisted(style, &report),
                    _ => {
                        let status = if problem.forbidden {
                            StatusCode::FORBIDDEN
                        } else {
                            StatusCode::BAD_REQUEST
                        };
                        failure(style, status, "failed to process alerts", &problem.to_string())
                    }
                };
            }
        };
        let report = settle(&self.ingest, &delivery, read).await;
        if insistent {
            insisted(style, &report)
        } else {
            answer::report(style, &report)
        }
    }

    /// What a body is.
    async fn read(&self, route: Route, asked: &Asked) -> Result<Found, Problem> {
        let settings = &self.settings;
        match route {
            Route::AlertsV2 | Route::AlertsV1 => alerts::posted(asked, settings).map(Found::Parts),
            Route::Webhook => alerts::webhook(asked, settings).map(Found::Parts),
            Route::Events if events::mode(&asked.headers) == Mode::Unsupported => Ok(Found::answer(failure(
                route.style(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "",
                "this format of CloudEvents is not read here; send application/cloudevents+json, \
                 application/cloudevents-batch+json, or binary mode",
            ))),
            Route::Events => events::parts(asked, settings).map(Found::Parts),
            Route::PubSub => pubsub::parts(asked, settings).map(Found::Parts),
            Route::EventGrid => Ok(match event_grid::parts(asked, settings)? {
                Ok(parts) => Found::Parts(parts),
                Err(code) => {
                    Found::answer(answer::json(StatusCode::OK, &json!({"validationResponse": code})))
                }
            }),
            Route::Oracle => oracle::parts(asked, settings).map(Found::Parts),
            Route::Sns => self.posted(asked).await,
            Route::AwsEvents => Ok(self.as_of_a_queue(asked).await),
            Route::Handshake | Route::Status | Route::Ready | Route::Healthy | Route::OpenApi => {
                Ok(Found::Parts(Vec::new()))
            }
        }
    }
}

impl Gate {
    /// What a topic of SNS posts.
    async fn posted(&self, asked: &Asked) -> Result<Found, Problem> {
        let style = Route::Sns.style();
        let Some(topics) = &self.aws.topics else {
            let error = "no topic may post; list it in sns.topics (HT_SNS__TOPICS)";
            return Ok(Found::answer(failure(style, StatusCode::FORBIDDEN, "", error)));
        };
        Ok(match topics.posted(asked, &self.settings).await? {
            Posted::Parts(parts) => Found::Parts(parts),
            Posted::Nothing => Found::Parts(Vec::new()),
            Posted::Later(why) => {
                let error = "it cannot be told now whose it is, or whether SNS signed it; post it again";
                self.put_off(Route::Sns, asked, &why, error)
            }
        })
    }

    /// What a queue would deliver.
    async fn as_of_a_queue(&self, asked: &Asked) -> Found {
        let style = Route::AwsEvents.style();
        let Some(posts) = &self.aws.posts else {
            let error = "no events of AWS are taken here; set sqs.posts (HT_SQS__POSTS), or read a queue (HT_SQS__QUEUES)";
            return Found::answer(failure(style, StatusCode::FORBIDDEN, "", error));
        };
        match posts.parts(asked, &self.settings).await {
            Ok(parts) => Found::Parts(parts),
            Err(why) => {
                let error = "it cannot be told now whose instance it is about; post it again";
                self.put_off(Route::AwsEvents, asked, &why, error)
            }
        }
    }

    fn put_off(&self, route: Route, asked: &Asked, why: &str, error: &str) -> Found {
        self.telemetry().put_off(route.word(), &asked.correlation, why);
        let answer = failure(route.style(), StatusCode::SERVICE_UNAVAILABLE, "", error);
        Found::answer(answer::later(answer, 5))
    }
}

impl Service for Gate {
    async fn answer(&self, request: Request<Incoming>, peer: &Peer) -> Answer {
        let start = Instant::now();
        let (head, body) = request.into_parts();
        let (word, answer) = match Route::of(&head.method, head.uri.path()) {
            Ok(route) => (route.word(), self.routed(route, head, body, peer).await),
            Err((status, allowed)) => {
                let answer = failure(
                    Style::Report,
                    status,
                    "",
                    "there is nothing at this path, or not by this method",
                );
                let answer = match status {
                    StatusCode::METHOD_NOT_ALLOWED => answer::with(answer, header::ALLOW, &allowed),
                    _ => answer,
                };
                ("none", answer)
            }
        };
        self.telemetry()
            .answered(word, answer.status().as_u16(), start.elapsed());
        answer
    }
}

impl Found {
    fn answer(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// For who sends what was refused again: it is acknowledged once it is kept, and not before.
fn insisted(style: Style, report: &Report) -> Answer {
    if report.not_kept == 0 {
        return answer::taken(report);
    }
    let error = "too much that cannot be used comes from this source; what is left of it is taken later";
    answer::later(failure(style, StatusCode::SERVICE_UNAVAILABLE, "", error), 60)
}

fn unread(style: Style, error: &BodyError) -> Answer {
    let status = match error {
        BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Slow(_) => StatusCode::REQUEST_TIMEOUT,
        BodyError::Broken => StatusCode::BAD_REQUEST,
        BodyError::Compressed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        BodyError::Full => StatusCode::SERVICE_UNAVAILABLE,
    };
    let answer = failure(style, status, "the body cannot be read", &error.to_string());
    // What is left of the body is not read.
    let answer = answer::with(answer, header::CONNECTION, "close");
    match error {
        BodyError::Full => answer::later(answer, 1),
        _ => answer,
    }
}

/// Whole seconds, at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(1)
}
