//! Tables of single decisions; the whole saga is in [`model`].

mod book;
mod choices;
mod model;
mod node;
mod sources;
mod steps;
