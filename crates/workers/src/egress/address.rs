//! What an address is: of everybody's internet, of a network of one's own, or of nobody's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// To the internet.
    Public,
    /// To this machine or to a network of one's own: loopback, RFC 1918, shared (RFC 6598), unique local (RFC 4193),
    /// and whatever holds such an address within (mapped, NAT64).
    Private,
    /// To the link or to a machine's own description of itself (169.254.169.254 and the like), to groups, and to what
    /// is reserved.
    Special,
}

/// The descriptions of machines that lie in networks of one's own, by the names of their providers' pages.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

/// IPv4 blocks that are not public (IANA's registry of special addresses): first address, length of the prefix.
const BLOCKS: [([u8; 4], u32, Reach); 16] = [
    ([0, 0, 0, 0], 8, Reach::Special),
    ([10, 0, 0, 0], 8, Reach::Private),
    ([100, 64, 0, 0], 10, Reach::Private),
    ([127, 0, 0, 0], 8, Reach::Private),
    ([169, 254, 0, 0], 16, Reach::Special),
    ([172, 16, 0, 0], 12, Reach::Private),
    ([192, 0, 0, 0], 24, Reach::Special),
    ([192, 0, 2, 0], 24, Reach::Special),
    ([192, 31, 196, 0], 24, Reach::Special),
    ([192, 88, 99, 0], 24, Reach::Special),
    ([192, 168, 0, 0], 16, Reach::Private),
    ([198, 18, 0, 0], 15, Reach::Special),
    ([198, 51, 100, 0], 24, Reach::Special),
    ([203, 0, 113, 0], 24, Reach::Special),
    ([224, 0, 0, 0], 4, Reach::Special),
    ([240, 0, 0, 0], 4, Reach::Special),
];

impl Reach {
    /// Of an address.
    pub fn of(address: IpAddr) -> Self {
        if METADATA.contains(&address) {
            return Self::Special;
        }
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let within = |(first, length, _): &&([u8; 4], u32, Self)| {
            (address.to_bits() ^ u32::from_be_bytes(*first)) >> (32 - length) == 0
        };
        BLOCKS.iter().find(within).map_or(Self::Public, |(.., reach)| *reach)
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        if let Some(within) = embedded(address) {
            // it leads there by ways that nobody looks after
            return Self::of(IpAddr::V4(within)).max(Self::Private);
        }
        match segments {
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Private,
            [0xfc00..=0xfdff, ..] => Self::Private,
            // protocol assignments, documentation, 6to4
            [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => Self::Special,
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Special,
        }
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated, NAT64 (RFC 6052, RFC 8215).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let known = match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => true,
        [0, 0, 0, 0, 0, 0] => high != 0,
        [0x64, 0xff9b, 1, ..] => true,
        _ => false,
    };
    known.then(|| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reach(text: &str) -> Reach {
        Reach::of(text.parse().unwrap())
    }

    #[test]
    fn the_internet_is_public() {
        for address in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::1111", "2a00::1"] {
            assert_eq!(reach(address), Reach::Public, "{address}");
        }
    }

    #[test]
    fn networks_of_ones_own_are_private() {
        for address in [
            "127.0.0.1",
            "127.255.255.255",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fc00::1",
            "fd12:3456::1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::192.168.0.1",
        ] {
            assert_eq!(reach(address), Reach::Private, "{address}");
        }
    }

    #[test]
    fn the_rest_is_special() {
        for address in [
            "0.0.0.0",
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "fec0::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "5f00::1",
        ] {
            assert_eq!(reach(address), Reach::Special, "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_way_of_writing_a_private_address_makes_it_public(bits in any::<u32>()) {
            let plain = Ipv4Addr::from_bits(bits);
            if Reach::of(IpAddr::V4(plain)) != Reach::Public {
                let low = u128::from(bits);
                for high in [0xffff_u128 << 32, 0xffff_u128 << 48, 0x0064_ff9b_u128 << 96, 0x2002_u128 << 112] {
                    let address = if high >> 112 == 0x2002 { high | low << 80 } else { high | low };
                    prop_assert_ne!(Reach::of(IpAddr::V6(Ipv6Addr::from_bits(address))), Reach::Public);
                }
            }
        }
    }
}
