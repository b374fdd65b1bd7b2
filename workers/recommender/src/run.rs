//! The process: reads what is to be known, answers, ends.

use std::{sync::Arc, time::Duration};

use hollowtrees_aws::Aws;
use hollowtrees_domain::recommend::Taste;
use hollowtrees_runtime::{
    Context, Failure,
    exit::Code,
    health::Check,
    http,
    server::{Acceptor, Limits, serve},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::{
    config::{Settings, is_region},
    files::{Files, Reader},
    http::gate::{Gate, Knowledge},
    interruptions::{Book, listen},
    known::Shelf,
    refresh::Keeper,
    telemetry::Telemetry,
};

/// How often certificates are looked at.
const LOOK: Duration = Duration::from_secs(10);
/// How often it is told what is known.
const TELL: Duration = Duration::from_millis(500);
/// An interruption counts nothing after so many half-lives: less than a thousandth.
const HALF_LIVES: i32 = 10;

/// Runs until it is told to drain.
///
/// # Errors
/// AWS cannot be asked at all, the bus refuses this process, a file cannot be read, or the server cannot be opened.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let settings = &context.config.own;
    let refused = |error: &dyn std::fmt::Display| Failure::new(Code::Refused, error);
    let telemetry = Telemetry::register(&context.metrics)?;
    let taste = settings.ranking.taste().map_err(|error| refused(&error))?;
    let aws = Box::pin(Aws::connect(&settings.access()))
        .await
        .map_err(|error| Failure::new(Code::Unavailable, error))?;
    let mut regions = settings.regions.clone();
    if regions.is_empty() {
        regions.extend(
            aws.default_region()
                .filter(|name| is_region(name))
                .map(str::to_owned),
        );
    }
    if regions.is_empty() {
        return Err(refused(
            &"no region is named; set regions (HT_REGIONS), or AWS_REGION",
        ));
    }
    let mut reader = Reader::new(&settings.sources, telemetry.clone());
    let (files, read) = reader.look(&Files::default());
    read.map_err(|error| refused(&error))?;
    let (tell, files) = watch::channel(Arc::new(files.unwrap_or_default()));
    let knowledge = Knowledge {
        shelf: Shelf::new(&regions),
        files: files.clone(),
        book: Book::default(),
        taste,
    };
    let check = context.checks.register("regions");
    // Opened before the bus is waited for: prices do not need it.
    open(&context, &knowledge, &telemetry).await?;
    context.critical("files", async move {
        reader.keep(tell).await;
        Ok(())
    });
    for name in &regions {
        let keeper = Keeper {
            region: aws.region(name),
            sources: settings.sources.clone(),
            taste,
            shelf: knowledge.shelf.clone(),
            files: files.clone(),
            telemetry: telemetry.clone(),
        };
        context.critical("region", async move { match keeper.keep().await {} });
    }
    context.critical("tell", tell_of(knowledge.clone(), check));
    at_scrape(&context, knowledge.clone(), telemetry.clone());
    if settings.sources.interruptions {
        let check = context.checks.register("notices");
        let options = context.config.nats.options();
        context.critical("notices", async move {
            let heard = listen(options, knowledge.book, half_lives(&taste), telemetry, check);
            match heard.await.map_err(|error| Failure::unavailable(&error))? {}
        });
    }
    context.checks.complete();
    context.shutdown.draining().await;
    Ok(())
}

fn half_lives(taste: &Taste) -> SignedDuration {
    taste
        .half_life()
        .checked_mul(HALF_LIVES)
        .unwrap_or(SignedDuration::MAX)
}

/// Opens the server.
async fn open(
    context: &Context<Settings>,
    knowledge: &Knowledge,
    telemetry: &Telemetry,
) -> Result<(), Failure> {
    let http = &context.config.own.http;
    let refused = |error: &dyn std::fmt::Display| Failure::new(Code::Refused, error);
    let acceptor = Acceptor::new(&http.tls).map_err(|error| refused(&error))?;
    let acceptor = acceptor.map(Arc::new);
    let listener = http::bind(http.listen, "http.listen (HT_HTTP__LISTEN)").await;
    let listener = listener.map_err(|error| Failure::unavailable(&error))?;
    let limits = Limits {
        connections: http.connections,
        header_time: http.header_time,
    };
    if acceptor.is_none() && http.token.is_some() && !http.listen.ip().is_loopback() {
        tracing::warn!(
            "The token comes without TLS; set http.tls.cert and http.tls.key, or end TLS in front."
        );
    }
    tracing::info!(address = %http.listen, tls = acceptor.is_some(), "Recommendations are served.");
    let gate = Gate::new(knowledge.clone(), http.clone(), telemetry.clone());
    let end = context.shutdown.token().clone();
    context.critical("certificates", keep_up(acceptor.clone()));
    context.critical("http server", async move {
        serve(listener, acceptor, Arc::new(gate), limits, end).await;
        Ok(())
    });
    Ok(())
}

/// Reads certificates again from time to time: who renews them restarts nobody.
async fn keep_up(acceptor: Option<Arc<Acceptor>>) -> Result<(), Failure> {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Some(Err(error)) = acceptor.as_ref().map(|acceptor| acceptor.reload()) {
            tracing::error!(%error, "The certificate cannot be read again; the one read before is still shown.");
        }
    }
}

/// Whether there is something to answer from. Old knowledge is better than none: it is told of, and keeps nobody from being
/// ready.
async fn tell_of(knowledge: Knowledge, check: Check) -> Result<(), Failure> {
    loop {
        let now = Timestamp::now();
        let mut told = Vec::new();
        let mut any = false;
        for region in knowledge.shelf.regions() {
            let known = knowledge.shelf.get(region).unwrap_or_default();
            let prices = &known.prices;
            let trouble = known.offered.trouble().or_else(|| prices.trouble());
            match prices.read_at() {
                Some(at) => {
                    any = true;
                    let age = now.duration_since(at);
                    if age > knowledge.taste.stale_after() {
                        told.push(format!(
                            "prices of {region} are stale, read {}s ago",
                            age.as_secs()
                        ));
                    }
                }
                None => {
                    let why = trouble.unwrap_or("the first read is under way");
                    told.push(format!("nothing is known of {region} yet: {why}"));
                }
            }
        }
        match (any, told.is_empty()) {
            (true, true) => check.pass(),
            (true, false) => check.tell(told.join("; ")),
            (false, _) => check.fail(told.join("; ")),
        }
        tokio::time::sleep(TELL).await;
    }
}

/// Ages grow by themselves.
fn at_scrape(context: &Context<Settings>, knowledge: Knowledge, telemetry: Telemetry) {
    let back = half_lives(&knowledge.taste);
    context.metrics.before_scrape(move || {
        let now = Timestamp::now();
        knowledge
            .book
            .forget_before(now.checked_sub(back).unwrap_or(Timestamp::MIN));
        for region in knowledge.shelf.regions() {
            if let Some(known) = knowledge.shelf.get(region) {
                telemetry.known(region, &known, now);
            }
            telemetry.interrupted(region, knowledge.book.tally(region));
        }
    });
}
