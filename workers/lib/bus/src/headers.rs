//! Between header pairs and the client's map.

use async_nats::HeaderMap;

/// Pairs in order; values that are no valid header text are left to the codec, which never makes them.
pub(crate) fn to_map<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, value);
    }
    map
}

/// All pairs of a message, names as they came.
pub(crate) fn to_pairs(map: Option<&HeaderMap>) -> Vec<(String, String)> {
    map.map(|map| {
        map.iter()
            .flat_map(|(name, values)| {
                values
                    .iter()
                    .map(move |value| (name.to_string(), value.as_str().to_owned()))
            })
            .collect()
    })
    .unwrap_or_default()
}
