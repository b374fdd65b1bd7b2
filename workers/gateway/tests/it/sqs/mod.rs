//! Queues of a real SQS (moto's) to notices on a real bus, by the gateway as a process.

mod burst;
mod faults;
pub(crate) mod ground;
mod routes;
mod shapes;
