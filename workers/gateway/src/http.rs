//! The server of all sources that come by HTTP.
//!
//! | part | what it does |
//! |---|---|
//! | [`serve`] | connections: so many, no slow ones, TLS |
//! | [`tls`] | certificates, and the names in a client's |
//! | [`gate`] | who speaks, how often, how much; then the handler of the path |
//! | [`body`] | a request's body, bounded in size, time and memory |
//! | [`answer`] | answers in the words of each interface |

pub mod answer;
pub mod body;
pub mod gate;
pub mod route;
pub mod serve;
pub mod tls;
