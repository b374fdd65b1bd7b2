//! A small world to act upon, in the test's own process: it survives every kill, and sees what the workers' own
//! books cannot show. Like a cloud's API with a client token it takes an effect once for each id.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hollowtrees_harness::http_get;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, time::Instant};

/// What happened to one action in this world.
#[derive(Clone, Debug, Default)]
pub struct Deeds {
    /// Kind of action and instance.
    pub about: String,
    /// Processes whose handlers began, in order.
    pub begun: Vec<(String, Instant)>,
    /// Processes whose handlers came to their end, in order.
    pub ended: Vec<(String, Instant)>,
    /// Processes that asked for the effect, in order; the first had it.
    pub effects: Vec<(String, Instant)>,
}

/// The world; cheap to clone.
#[derive(Clone, Default)]
pub struct Effects {
    deeds: Arc<Mutex<HashMap<String, Deeds>>>,
}

impl Effects {
    /// Starts the world on a free port.
    pub async fn serve() -> (Self, SocketAddr) {
        let world = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = world.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = served.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        world.note(request.uri().path());
                        async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))) }
                    });
                    // A worker that is killed breaks its connection off: no matter.
                    let _broken_off = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                        .is_err();
                });
            }
        });
        (world, address)
    }

    /// What happened so far, by action id.
    pub fn deeds(&self) -> HashMap<String, Deeds> {
        self.lock().clone()
    }

    /// Actions that had their effect.
    pub fn done(&self) -> usize {
        self.lock()
            .values()
            .filter(|deeds| !deeds.effects.is_empty())
            .count()
    }

    /// Handlers begun so far.
    pub fn begun(&self) -> usize {
        self.lock().values().map(|deeds| deeds.begun.len()).sum()
    }

    fn note(&self, path: &str) {
        let mut parts = path.trim_start_matches('/').split('/');
        let (Some(what), Some(action), Some(process), Some(about)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            panic!("a worker asked for {path}")
        };
        let mut all = self.lock();
        let deeds = all.entry(action.to_owned()).or_default();
        about.clone_into(&mut deeds.about);
        let process = process.to_owned();
        match what {
            "begin" => deeds.begun.push((process, Instant::now())),
            "effect" => deeds.effects.push((process, Instant::now())),
            "end" => deeds.ended.push((process, Instant::now())),
            other => panic!("a worker did {other}"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Deeds>> {
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's way into the world.
pub async fn tell(world: &str, what: &str, action: &str, process: &str, about: &str) {
    let url = format!("{world}/{what}/{action}/{process}/{about}");
    loop {
        match http_get::send(Method::POST, &url, &[], Bytes::new()).await {
            Ok((status, _)) if status.is_success() => return,
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
