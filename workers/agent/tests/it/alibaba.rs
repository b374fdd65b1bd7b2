//! On Alibaba Cloud.

use std::time::Duration;

use hollowtrees_harness::{Nats, metadata::Alibaba};
use jiff::Timestamp;

use crate::rig::{Stream, agent, goes_at};

#[tokio::test]
async fn a_spot_instance_that_is_released() {
    let (nats, service) = (Nats::start().await.unwrap(), Alibaba::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = agent(&service.url(), &nats.url(), &[("HT_PROVIDER", "alibaba")]);
    agent.ready().await;
    service.expire_tokens();
    let after = Duration::from_secs(300);
    let at = Timestamp::now() + after;
    service.release(after);
    let envelope = stream.next().await;
    let notice = &envelope.data;
    assert_eq!(envelope.source, "/alibaba/1609123456789012/cn-hangzhou/imds");
    assert_eq!(
        (
            notice.kind.as_str(),
            notice.certainty.as_str(),
            notice.provider_action.as_str()
        ),
        ("spot-interruption", "certain", "terminate")
    );
    assert_eq!(
        (notice.instance.as_str(), notice.zone.as_str()),
        ("i-bp13znx0m0me8cquu123", "cn-hangzhou-i")
    );
    goes_at(notice, at);
    service.expire_tokens();
    stream.is_silent().await;
}
