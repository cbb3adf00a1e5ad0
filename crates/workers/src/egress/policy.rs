//! Where scripts may go. It decides only: names and addresses come in, none is asked for here.

use std::net::IpAddr;

use super::address::Reach;

/// Ports of other protocols, which a request could be made to speak (WHATWG Fetch, "port blocking", in short).
const PORTS: [u16; 16] = [7, 9, 19, 21, 22, 23, 25, 53, 110, 111, 143, 389, 465, 587, 6000, 6667];
/// Most hosts that an operator names.
const HOSTS_MAX: usize = 256;

/// By what protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http` and `https`.
    Http,
    /// `ws` and `wss`.
    Socket,
}

impl Scheme {
    fn is(self, name: &str) -> bool {
        match self {
            Self::Http => matches!(name, "http" | "https"),
            Self::Socket => matches!(name, "ws" | "wss"),
        }
    }
}

/// Why a script may not go there. What it shows tells no address that the script did not name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// By that protocol.
    #[error("scripts may not use {0}: addresses")]
    Scheme(String),
    /// The address holds a user or a password.
    #[error("an address may hold no user and no password")]
    Userinfo,
    /// By that port.
    #[error("scripts may not use port {0}")]
    Port(u16),
    /// It is not of the internet, and the operator does not allow it.
    #[error("{0} leads to a private or reserved address, which scripts of this node may not reach")]
    Address(String),
}

/// A host that cannot be allowed, because it is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host: a name or an address is expected, with or without :port")]
pub struct BadHost(String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    host: String,
    port: Option<u16>,
}

/// Where scripts may go: to the internet, and to what the operator allows beside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    private: bool,
    hosts: Vec<Allowed>,
}

impl Policy {
    /// With networks of one's own if `private`, and with these hosts (`name`, `name:port`, `10.0.0.5:80`,
    /// `[::1]:80`) whatever their addresses are. What is special ([`Reach::Special`]) has to be named.
    ///
    /// Errors: a host that is none, or more than 256.
    ///
    /// ```
    /// use orrery_workers::egress::{Policy, Scheme};
    ///
    /// let policy = Policy::new(false, &["127.0.0.1:9000".into()]).unwrap();
    /// assert!(policy.admit(Scheme::Http, "http", "127.0.0.1", 9000).is_ok());
    /// assert!(policy.admit(Scheme::Http, "http", "127.0.0.1", 9001).is_err());
    /// assert!(policy.admit(Scheme::Http, "http", "169.254.169.254", 80).is_err());
    /// ```
    pub fn new(private: bool, hosts: &[String]) -> Result<Self, BadHost> {
        if let Some(beyond) = hosts.get(HOSTS_MAX) {
            return Err(BadHost(beyond.clone()));
        }
        let hosts = hosts.iter().map(|text| allowed(text.trim()).ok_or_else(|| BadHost(text.clone())));
        Ok(Self { private, hosts: hosts.collect::<Result<_, _>>()? })
    }

    /// May a script ask for this at all? A host that is an address (of IPv6 without brackets) is judged at once; a
    /// name's addresses are for [`Self::admit_address`].
    ///
    /// Errors: why not.
    pub fn admit(&self, by: Scheme, scheme: &str, host: &str, port: u16) -> Result<(), Refusal> {
        if !by.is(scheme) {
            return Err(Refusal::Scheme(scheme.to_owned()));
        }
        let host = plain(host);
        let named = || self.hosts.iter().filter(|allowed| allowed.host == host);
        if named().any(|allowed| allowed.port.is_none_or(|only| only == port)) {
            return Ok(());
        }
        if PORTS.contains(&port) || named().next().is_some() {
            // who named ports of a host meant these alone
            return Err(Refusal::Port(port));
        }
        match host.parse() {
            Ok(address) => self.admit_reach(&host, address),
            Err(_) => Ok(()),
        }
    }

    /// May a script reach the address that a name stands for? Asked of each before it is connected to.
    ///
    /// Errors: why not.
    pub fn admit_address(&self, host: &str, address: IpAddr) -> Result<(), Refusal> {
        let host = plain(host);
        if self.hosts.iter().any(|allowed| allowed.host == host) {
            return Ok(());
        }
        self.admit_reach(&host, address)
    }

    fn admit_reach(&self, host: &str, address: IpAddr) -> Result<(), Refusal> {
        match Reach::of(address) {
            Reach::Public => Ok(()),
            Reach::Private if self.private => Ok(()),
            Reach::Private | Reach::Special => Err(Refusal::Address(host.to_owned())),
        }
    }
}

/// In lower case, without the root's dot and without brackets; addresses in their shortest form.
fn plain(host: &str) -> String {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    host.parse::<IpAddr>().map_or(host, |address| address.to_string())
}

fn allowed(text: &str) -> Option<Allowed> {
    let whole = |host: &str, port: Option<u16>| {
        let host = plain(host);
        let good = !host.is_empty() && !host.contains(['/', ' ', '@', '[', ']']);
        good.then_some(Allowed { host, port })
    };
    if text.parse::<IpAddr>().is_ok() {
        return whole(text, None);
    }
    match text.rsplit_once(':') {
        // an address of IPv6 in brackets, with or without a port
        _ if text.ends_with(']') => whole(text, None),
        Some((host, port)) => {
            whole(host, Some(port.parse().ok()?)).filter(|_| !host.contains(':') || host.ends_with(']'))
        }
        None => whole(text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(private: bool, hosts: &[&str]) -> Policy {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        Policy::new(private, &hosts).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn by_default_there_is_the_internet_alone() {
        let policy = Policy::default();
        let admit = |host: &str| policy.admit(Scheme::Http, "https", host, 443);
        assert_eq!(admit("api.example.com"), Ok(()));
        assert_eq!(admit("8.8.8.8"), Ok(()));
        for host in ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            assert!(matches!(admit(host), Err(Refusal::Address(_))), "{host}");
        }
        let of = |text: &str| policy.admit_address("metadata.example.com", address(text));
        assert_eq!(of("93.184.216.34"), Ok(()));
        let refused = of("169.254.169.254").unwrap_err();
        assert_eq!(refused, Refusal::Address("metadata.example.com".into()));
        assert!(!refused.to_string().contains("169"), "a name's address is not told");
    }

    #[test]
    fn schemes_and_ports_are_those_of_the_web() {
        let policy = policy(true, &[]);
        let by = |by, scheme: &str, port| policy.admit(by, scheme, "example.com", port);
        assert_eq!(by(Scheme::Socket, "wss", 443), Ok(()));
        assert_eq!(by(Scheme::Http, "file", 80), Err(Refusal::Scheme("file".into())));
        assert_eq!(by(Scheme::Http, "ws", 80), Err(Refusal::Scheme("ws".into())));
        assert_eq!(by(Scheme::Http, "http", 25), Err(Refusal::Port(25)));
    }

    #[test]
    fn what_the_operator_allows_is_reached() {
        let private = policy(true, &[]);
        assert_eq!(private.admit(Scheme::Http, "http", "192.168.0.9", 80), Ok(()));
        assert!(private.admit(Scheme::Http, "http", "169.254.169.254", 80).is_err(), "has to be named");
        let named = policy(false, &["Intra.Local", "10.0.0.5:8080", "[::1]:99", "::2", "169.254.1.1"]);
        let admit = |host: &str, port| named.admit(Scheme::Http, "http", host, port);
        assert_eq!(admit("intra.local.", 1234), Ok(()));
        assert_eq!(named.admit_address("intra.local", address("10.9.9.9")), Ok(()));
        assert_eq!(admit("10.0.0.5", 8080), Ok(()));
        assert_eq!(admit("10.0.0.5", 80), Err(Refusal::Port(80)));
        assert_eq!(admit("[::1]", 99), Ok(()));
        assert_eq!(admit("::2", 1), Ok(()));
        assert_eq!(admit("169.254.1.1", 80), Ok(()));
        assert!(admit("10.0.0.6", 8080).is_err());
    }

    #[test]
    fn hosts_that_are_none_are_told() {
        for bad in ["", "http://x", "a:b", "a b", "x:99999", "u@h"] {
            assert!(Policy::new(false, &[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
