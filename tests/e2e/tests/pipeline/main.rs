//! The pipeline from a notice to its outcomes: real routers, workers and servers, each a process.

mod cancel;
mod happy;
mod hostile;
mod outage;
mod support;
