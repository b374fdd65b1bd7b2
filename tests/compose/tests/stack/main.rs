//! The local stack as a person starts it, in Docker: `docker-compose.yml` and the images of its Dockerfile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod docker;
mod files;
mod images;
mod notice;
mod stack;
