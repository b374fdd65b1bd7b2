//! Who an instance is, and whose it is: a part of an identity can stand in a subject and in a label, and no document proves
//! two clouds.
//!
//! Input: bodies, an empty line between two; Google's identity is of the first five.

use std::time::Duration;

use bytes::Bytes;
use hollowtrees_agent::{
    detect::probe,
    document::{Garbage, Identity, alibaba, azure, ec2, gcp},
    provider::Provider,
};

/// Whose documents differ from all others'; a number may be Google's or `DigitalOcean`'s.
const PLAIN: [Provider; 4] = [
    Provider::Aws,
    Provider::Azure,
    Provider::Alibaba,
    Provider::Oracle,
];

pub(crate) fn reads(input: &[u8]) -> bool {
    let bodies = crate::parts(input);
    let google: [Option<Bytes>; 5] =
        std::array::from_fn(|part| bodies.get(part).map(|body| Bytes::copy_from_slice(body)));
    let mut read = is_sound(gcp::identity(&google));
    for body in bodies {
        for identity in [
            ec2::identity(body),
            ec2::instance_id(body),
            azure::identity(body),
            alibaba::identity(body),
        ] {
            read |= is_sound(identity);
        }
        if let Ok(notice) = gcp::notice(body) {
            assert!(notice <= Duration::from_secs(3600), "{notice:?}");
            read = true;
        }
        let proven: Vec<_> = PLAIN
            .into_iter()
            .filter(|provider| probe::proves(*provider, body))
            .collect();
        assert!(proven.len() <= 1, "{proven:?}");
        read |= !proven.is_empty() || probe::proves(Provider::Gcp, body);
    }
    read
}

fn is_sound(identity: Result<Identity, Garbage>) -> bool {
    let Ok(identity) = identity else { return false };
    assert!(!identity.instance_id.is_empty());
    for part in [
        &identity.instance_id,
        &identity.name,
        &identity.account_id,
        &identity.region,
        &identity.availability_zone,
        &identity.instance_type,
    ] {
        let long = if *part == identity.availability_zone {
            129
        } else {
            64
        };
        assert!(
            part.len() <= long && part.bytes().all(|byte| byte.is_ascii_graphic()),
            "{part}"
        );
    }
    true
}
