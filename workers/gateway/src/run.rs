//! The process: connects, takes what comes, ends.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::apply;
use hollowtrees_runtime::{
    Context, Failure, bus,
    exit::Code,
    http,
    server::{Acceptor, Limits, serve},
};
use hollowtrees_schemas::proto;

use crate::{
    auth::Guard,
    config::Settings,
    http::gate::{FromAws, Gate},
    ingest::Ingest,
    sns::Topics,
    sqs,
    telemetry::Telemetry,
    ways,
};

/// How long the last acknowledgements may take.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often files that may change are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Runs until it is told to drain.
///
/// # Errors
/// The bus refuses this process or is not as declared, or a way in cannot be opened.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let telemetry = Telemetry::register(&context.metrics)?;
    let connection = bus::connect(&context).await?;
    apply::verify(&connection)
        .await
        .map_err(|error| Failure::unavailable(&error))?;
    let worker = proto::Worker {
        kind: context.identity.kind.to_owned(),
        process: context.identity.id.to_string(),
        version: context.identity.version.to_owned(),
    };
    let settings = &context.config.own;
    let ingest = Ingest::new(connection.clone(), worker, &settings.ingest, telemetry);
    let mut queues = sqs::start(&context, &ingest).await?;
    let topics = queues.teller().map(|teller| Topics::new(&settings.sns, teller));
    let aws = FromAws {
        topics: topics.transpose()?,
        posts: queues.posts(),
    };
    let served = if settings.http.enabled {
        Some(listen(&context, ingest, aws).await?)
    } else {
        None
    };
    context.checks.complete();
    context.shutdown.draining().await;
    // Both are bounded by the frame's grace.
    let http = async {
        if let Some(served) = served {
            served.await.unwrap_or_default();
        }
    };
    tokio::join!(http, queues.ended());
    connection.flush(LAST_WORDS).await;
    Ok(())
}

/// Opens the server; the task ends once a drain has begun and all requests are answered.
async fn listen(
    context: &Context<Settings>,
    ingest: Ingest,
    aws: FromAws,
) -> Result<tokio::task::JoinHandle<()>, Failure> {
    let settings = &context.config.own;
    let http = &settings.http;
    let guard = Guard::new(&settings.auth, http.tls.client_ca.is_some());
    let guard = Arc::new(guard.map_err(|error| Failure::new(Code::Refused, error.to_string()))?);
    let acceptor =
        Acceptor::new(&http.tls).map_err(|error| Failure::new(Code::Refused, error.to_string()))?;
    let acceptor = acceptor.map(Arc::new);
    let listener = http::bind(http.listen, "http.listen (HT_HTTP__LISTEN)").await;
    let listener = listener.map_err(|error| Failure::unavailable(&error))?;
    let check = context.checks.register("http");
    for way in ways::ALL {
        ingest.telemetry().announce(way);
    }
    let gate = Gate::new(
        settings.clone(),
        Arc::clone(&guard),
        ingest,
        aws,
        context.shutdown.clone(),
    );
    let limits = Limits {
        connections: http.connections,
        header_time: http.header_time,
    };
    if acceptor.is_none() && !http.listen.ip().is_loopback() {
        tracing::warn!(
            "Tokens and passwords come without TLS; set http.tls.cert and http.tls.key, or end TLS in front."
        );
    }
    tracing::info!(address = %http.listen, tls = acceptor.is_some(), open = guard.is_open(), "Sources are served.");
    check.pass();
    context.critical("files", keep_up(guard, acceptor.clone()));
    let end = context.shutdown.token().clone();
    let served = serve(listener, acceptor, Arc::new(gate), limits, end);
    let (done, finished) = tokio::sync::oneshot::channel();
    context.critical("http server", async move {
        served.await;
        done.send(()).unwrap_or_default();
        Ok(())
    });
    Ok(tokio::spawn(async move { finished.await.unwrap_or_default() }))
}

/// Reads certificates and clients again from time to time: who renews them restarts nobody.
async fn keep_up(guard: Arc<Guard>, acceptor: Option<Arc<Acceptor>>) -> Result<(), Failure> {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = guard.reload() {
            tracing::error!(%error, "The clients' file cannot be read again; those known before still are.");
        }
        if let Some(Err(error)) = acceptor.as_ref().map(|acceptor| acceptor.reload()) {
            tracing::error!(%error, "The certificate cannot be read again; the one read before is still shown.");
        }
    }
}
