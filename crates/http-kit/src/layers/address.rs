//! The client's address, also behind configured proxies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::HeaderMap;

/// An address range such as `10.0.0.0/8` or `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

/// The text is no address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address or a network like 10.0.0.0/8")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u32>().map_err(|_| NetworkError)?)),
            None => (text, None),
        };
        let base = plain(base.parse().map_err(|_| NetworkError)?);
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits <= most { Ok(Self { base, bits }) } else { Err(NetworkError) }
    }
}

impl Network {
    /// Is the address in the range?
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, plain(address)) {
            (IpAddr::V4(base), IpAddr::V4(a)) => equal_v4(base, a, self.bits),
            (IpAddr::V6(base), IpAddr::V6(a)) => equal_v6(base, a, self.bits),
            _ => false,
        }
    }
}

fn equal_v4(a: Ipv4Addr, b: Ipv4Addr, bits: u32) -> bool {
    let differing = u32::from(a) ^ u32::from(b);
    differing.checked_shr(32 - bits).unwrap_or(0) == 0
}

fn equal_v6(a: Ipv6Addr, b: Ipv6Addr, bits: u32) -> bool {
    let differing = u128::from(a) ^ u128::from(b);
    differing.checked_shr(128 - bits).unwrap_or(0) == 0
}

// a dual-stack socket shows IPv4 clients as ::ffff:a.b.c.d
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The address that the request comes from. `X-Forwarded-For` counts only when the peer is trusted,
/// and is then read from its end, where the nearest proxy wrote, to the first address that is not a
/// proxy of ours. At most 32 hops are looked at.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |a: IpAddr| trusted.iter().any(|n| n.contains(a));
    let mut client = plain(peer);
    if !is_trusted(client) {
        return client;
    }
    let values: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    for hop in values.iter().rev().flat_map(|v| v.rsplit(',')).take(32) {
        let Some(address) = parse_hop(hop.trim()) else { break };
        client = plain(address);
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// An address, as some proxies write it with a port or in brackets.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = || hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|a| a.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
        ] {
            let n: Network = network.parse().unwrap();
            assert!(n.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!n.contains(outside.parse().unwrap()), "{network} {outside}");
        }
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/", "example.org"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn forwarded_addresses_count_only_from_trusted_peers() {
        let check = |peer: &str, values: &[&str], trusted: &[&str], want: &str| {
            let mut headers = HeaderMap::new();
            for v in values {
                headers.append("x-forwarded-for", v.parse().unwrap());
            }
            let trusted: Vec<Network> = trusted.iter().map(|t| t.parse().unwrap()).collect();
            let got = client_address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(got, want.parse::<IpAddr>().unwrap(), "{peer} {values:?}");
        };
        check("9.9.9.9", &["1.2.3.4"], &[], "9.9.9.9");
        check("9.9.9.9", &["1.2.3.4"], &["127.0.0.1"], "9.9.9.9");
        check("127.0.0.1", &["1.2.3.4"], &["127.0.0.1"], "1.2.3.4");
        check("127.0.0.1", &["6.6.6.6, 1.2.3.4"], &["127.0.0.1"], "1.2.3.4");
        check("127.0.0.1", &["6.6.6.6", "1.2.3.4, 10.0.0.5"], &["127.0.0.1", "10.0.0.0/8"], "1.2.3.4");
        check("127.0.0.1", &["junk"], &["127.0.0.1"], "127.0.0.1");
        check("127.0.0.1", &["[2001:db8::1]:443"], &["127.0.0.1"], "2001:db8::1");
        check("127.0.0.1", &["1.2.3.4:5678"], &["127.0.0.1"], "1.2.3.4");
        check("127.0.0.1", &[], &["127.0.0.1"], "127.0.0.1");
    }
}
