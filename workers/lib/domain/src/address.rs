//! Addresses that somebody has: one, or all of a prefix.

use std::{net::IpAddr, str::FromStr};

/// A text that is neither an address nor a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a prefix like `10.0.0.16/28` or `2001:db8::/80`, found `{0}`")]
pub struct BadPrefix(pub String);

/// All addresses that begin with the same bits: a delegated prefix, or a single address, which is one of full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u32,
}

impl Prefix {
    /// Whether an address is among them, however either was written.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, width) = bits(self.address);
        let (other, other_width) = bits(address.to_canonical());
        let differing = own ^ other;
        // All bits shifted out: no length, no difference.
        let kept = differing
            .checked_shr(width.saturating_sub(self.length))
            .unwrap_or(0);
        width == other_width && kept == 0
    }
}

/// As a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), u32::BITS),
        IpAddr::V6(address) => (address.to_bits(), u128::BITS),
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            address,
            length: bits(address).1,
        }
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let bad = || BadPrefix(text.to_owned());
        let Some((address, length)) = text.split_once('/') else {
            return text.parse().map(IpAddr::into).map_err(|_| bad());
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let length: u8 = length.parse().map_err(|_| bad())?;
        let length = u32::from(length);
        if length > bits(address).1 {
            return Err(bad());
        }
        Ok(Self { address, length })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_prefix_has() {
        let check = |prefix: &str, address: &str, expected: bool| {
            let found = prefix
                .parse::<Prefix>()
                .unwrap()
                .contains(address.parse().unwrap());
            assert_eq!(found, expected, "{address} in {prefix}");
        };
        check("10.0.0.16/28", "10.0.0.16", true);
        check("10.0.0.16/28", "10.0.0.31", true);
        check("10.0.0.16/28", "10.0.0.32", false);
        check("10.0.0.16/28", "10.0.0.15", false);
        check("10.0.0.7", "10.0.0.7", true);
        check("10.0.0.7", "10.0.0.6", false);
        check("0.0.0.0/0", "255.255.255.255", true);
        check("::/0", "10.0.0.1", false);
        check("2001:db8:0:0:1::/80", "2001:db8::1:0:0:ffff", true);
        check("2001:db8:0:0:1::/80", "2001:db8::2:0:0:1", false);
        // The same written otherwise.
        check("2001:db8::7", "2001:0db8:0000:0000:0000:0000:0000:0007", true);
        check("10.0.0.16/28", "::ffff:10.0.0.17", true);
        for bad in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "x/8",
            "i-1",
        ] {
            assert_eq!(bad.parse::<Prefix>(), Err(BadPrefix(bad.to_owned())));
        }
    }

    /// One bit after another.
    fn shares(a: u128, b: u128, width: u32, length: u32) -> bool {
        (0..length).all(|bit| {
            let place = width - 1 - bit;
            (a >> place) & 1 == (b >> place) & 1
        })
    }

    proptest! {
        #[test]
        fn it_has_what_begins_with_its_bits_and_nothing_else(
            own: u32, flipped in 0..32_u32, other: u32, length in 0..=32_u32,
        ) {
            let prefix: Prefix = format!("{}/{length}", Ipv4Addr::from_bits(own)).parse().unwrap();
            for address in [own, own ^ (1 << flipped), other] {
                let expected = shares(own.into(), address.into(), 32, length);
                prop_assert_eq!(prefix.contains(Ipv4Addr::from_bits(address).into()), expected);
            }
        }

        #[test]
        fn so_it_is_with_longer_ones(own: u128, flipped in 0..128_u32, length in 0..=128_u32) {
            // Those that stand for an address of the other kind are that one.
            prop_assume!(Ipv6Addr::from_bits(own).to_ipv4_mapped().is_none());
            let prefix: Prefix = format!("{}/{length}", Ipv6Addr::from_bits(own)).parse().unwrap();
            for address in [own, own ^ (1 << flipped)] {
                let expected = shares(own, address, 128, length);
                prop_assert_eq!(prefix.contains(Ipv6Addr::from_bits(address).into()), expected);
            }
        }
    }
}
