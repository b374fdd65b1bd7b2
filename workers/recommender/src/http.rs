//! What is answered by HTTP. The server itself is `hollowtrees_runtime::server`.
//!
//! | part | what it does |
//! |---|---|
//! | [`gate`] | who may ask; then the handler of the path |
//! | [`route`] | the paths there are |

pub mod gate;
pub mod route;

/// The OpenAPI document of all paths.
pub const OPENAPI: &str = include_str!("../openapi.yaml");
