//! How what a worker says is written.

use hollowtrees_schemas::envelope::DataFormat;
use serde::{Deserialize, Serialize};

/// `json` or `protobuf`: how the data of messages is written. Either is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// proto3-JSON.
    Json,
    /// Protobuf.
    Protobuf,
}

impl From<Format> for DataFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Protobuf => Self::Protobuf,
        }
    }
}
