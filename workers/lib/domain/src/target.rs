//! What is known of an instance, joined from its notices.

use hollowtrees_schemas::proto;

/// The target a notice describes.
#[must_use]
pub fn of_notice(notice: &proto::Notice) -> proto::Target {
    proto::Target {
        provider: notice.provider.clone(),
        account: notice.account.clone(),
        region: notice.region.clone(),
        zone: notice.zone.clone(),
        node: notice.node.clone(),
        group: notice.group.clone(),
        instance_type: notice.instance_type.clone(),
    }
}

/// Joins two descriptions field by field: what one knows fills what the other
/// does not. Where they contradict each other (an origin's mistake) the
/// smaller text wins, so that the order of arrival does not matter.
#[must_use]
pub fn join(a: &proto::Target, b: &proto::Target) -> proto::Target {
    let field = |a: &String, b: &String| match (a.is_empty(), b.is_empty()) {
        (true, _) => b.clone(),
        (_, true) => a.clone(),
        _ => a.min(b).clone(),
    };
    proto::Target {
        provider: field(&a.provider, &b.provider),
        account: field(&a.account, &b.account),
        region: field(&a.region, &b.region),
        zone: field(&a.zone, &b.zone),
        node: field(&a.node, &b.node),
        group: field(&a.group, &b.group),
        instance_type: field(&a.instance_type, &b.instance_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_origin_knows_fills_what_the_other_does_not() {
        let agent = proto::Target {
            provider: "aws".into(),
            node: "node-a".into(),
            ..Default::default()
        };
        let queue = proto::Target {
            provider: "aws".into(),
            group: "workers".into(),
            ..Default::default()
        };
        let both = join(&agent, &queue);
        assert_eq!((both.node.as_str(), both.group.as_str()), ("node-a", "workers"));
        assert_eq!(both, join(&queue, &agent));
        assert_eq!(both, join(&both, &agent));
    }
}
