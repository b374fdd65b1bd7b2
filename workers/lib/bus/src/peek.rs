//! One record as it is stored: for who may read single keys and nothing about the bucket, and wants a part of the record only.

use async_nats::{Message, StatusCode};
use bytes::Bytes;
use hollowtrees_schemas::names::Bucket;

use crate::{
    Bus,
    store::{OPERATION, StoreError},
};

impl Bus {
    /// The newest value this read sees of a key, as proto3-JSON; another replica may know a newer one. `None`: it sees none.
    ///
    /// Its right to ask is `$JS.API.DIRECT.GET.KV_<bucket>.$KV.<bucket>.<key>`.
    pub async fn peek(&self, bucket: Bucket, key: &str) -> Result<Option<Bytes>, StoreError> {
        let bucket = bucket.name();
        let unavailable = |cause: String| StoreError::Unavailable {
            bucket,
            key: key.to_owned(),
            cause,
        };
        let subject = format!("$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.{key}");
        let asked = self.client().request(subject, Bytes::new()).await;
        let answer = asked.map_err(|error| unavailable(error.to_string()))?;
        match answer.status {
            None => Ok(Some(answer)
                .filter(|answer| !is_marker(answer))
                .map(|answer| answer.payload)),
            Some(StatusCode::NOT_FOUND) => Ok(None),
            Some(status) => Err(unavailable(status.to_string())),
        }
    }
}

/// A key that was removed has a marker in its place.
fn is_marker(answer: &Message) -> bool {
    let headers = answer.headers.as_ref();
    headers.is_some_and(|headers| headers.get(OPERATION).is_some())
}
