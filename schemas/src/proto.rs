//! The messages, generated from `schemas/proto` and committed in `src/gen`.
//!
//! Each type is a [`prost::Message`] and maps to and from proto3 JSON by serde: lower-camel names, 64-bit
//! integers as text, times as RFC 3339 in UTC ending in `Z`, default values left out; unknown fields, both
//! spellings of a name, and `null` for any field are accepted (<https://protobuf.dev/programming-guides/json/>).

pub mod time;

pub(crate) mod json;

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, rustdoc::all)]
mod generated {
    include!("gen/hollowtrees.v1.rs");
    include!("gen/hollowtrees.v1.serde.rs");
}

pub use generated::*;
