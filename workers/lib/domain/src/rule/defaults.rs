//! The rules of a router that is given none.

pub(super) const TEXT: &str = include_str!("default-rules.yaml");
