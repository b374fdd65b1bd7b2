//! Which of several servers has the word.

use hollowtrees_harness::{NatsCluster, eventually, http_get};
use hollowtrees_schemas::names::Stream;

/// The index of the server that leads the replicas of a stream, as server `seen_by` sees it.
pub async fn stream_leader(cluster: &NatsCluster, stream: Stream, seen_by: usize) -> usize {
    eventually(
        format!("a leader of {}", stream.name()),
        std::time::Duration::from_secs(30),
        async || {
            let url = format!("{}/jsz?accounts=true&streams=true", cluster.monitor_url(seen_by));
            let (_, body) = http_get::get(&url).await.map_err(|error| error.to_string())?;
            let view: serde_json::Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
            leader_of(&view, stream.name()).ok_or_else(|| view.to_string())
        },
    )
    .await
}

fn leader_of(view: &serde_json::Value, stream: &str) -> Option<usize> {
    let accounts = view["account_details"].as_array()?.iter();
    let mut streams = accounts
        .filter_map(|account| account["stream_detail"].as_array())
        .flatten();
    let found = streams.find(|found| found["name"] == stream)?;
    let leader = found["cluster"]["leader"].as_str()?;
    leader.strip_prefix("nats-server-")?.parse().ok()
}
