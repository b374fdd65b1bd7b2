//! What is answered by HTTP. The server itself is `hollowtrees_runtime::server`.
//!
//! | part | what it does |
//! |---|---|
//! | [`gate`] | who speaks, how often, how much; then the handler of the path |
//! | [`route`] | the paths there are |
//! | [`answer`] | answers in the words of each interface |

pub mod answer;
pub mod gate;
pub mod route;
