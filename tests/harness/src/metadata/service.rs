//! What the simulated services have in common: a server, a state behind a lock, faults.

use crate::Result;
use crate::http_server::{Body, Server};
use crate::ports::Port;
use crate::proxy::{Fault, Faults, Seen};
use bytes::Bytes;
use http::{Request, Response};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A running service. It stops when it is dropped.
#[derive(Debug)]
pub(super) struct Service<S> {
    server: Server,
    shared: Arc<Shared<S>>,
    _port: Option<Port>,
}

#[derive(Debug)]
pub(super) struct Shared<S> {
    state: Mutex<S>,
    faults: Faults,
}

impl<S> Shared<S> {
    pub(super) fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Send + 'static> Service<S> {
    /// Starts one, on this address or a free port.
    pub(super) async fn start<F>(
        addr: Option<SocketAddr>,
        state: S,
        answer: fn(Arc<Shared<S>>, Request<Bytes>) -> F,
    ) -> Result<Self>
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let port = match addr {
            Some(_) => None,
            None => Some(Port::reserve()?),
        };
        let addr = addr
            .or_else(|| port.as_ref().map(Port::addr))
            .expect("given or reserved");
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            faults: Faults::default(),
        });
        let handler = {
            let shared = Arc::clone(&shared);
            move |request| {
                let shared = Arc::clone(&shared);
                Box::pin(async move {
                    let service = |request| answer(Arc::clone(&shared), request);
                    shared.faults.through(request, service).await
                }) as _
            }
        };
        Ok(Self {
            server: Server::start(addr, None, handler).await?,
            shared,
            _port: port,
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, S> {
        self.shared.state()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    pub(super) fn inject(&self, fault: Fault) {
        self.shared.faults.inject(fault);
    }

    pub(super) fn heal(&self) {
        self.shared.faults.heal();
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.faults.seen()
    }
}

/// The methods every simulated service has.
macro_rules! service {
    ($name:ident) => {
        impl $name {
            /// `http://127.0.0.1:port`, what stands for the provider's address.
            pub fn url(&self) -> String {
                self.0.url()
            }

            /// Where it listens.
            pub fn addr(&self) -> std::net::SocketAddr {
                self.0.addr()
            }

            /// From now on this goes wrong, too.
            pub fn inject(&self, fault: crate::proxy::Fault) {
                self.0.inject(fault);
            }

            /// Ends all injected faults.
            pub fn heal(&self) {
                self.0.heal();
            }

            /// All requests that were answered so far.
            pub fn seen(&self) -> Vec<crate::proxy::Seen> {
                self.0.seen()
            }

            /// How many requests for paths that contain this were answered.
            pub fn count(&self, path: &str) -> usize {
                self.seen()
                    .iter()
                    .filter(|seen| seen.path.contains(path))
                    .count()
            }
        }
    };
}

pub(super) use service;
