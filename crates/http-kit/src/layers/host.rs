//! Which names the server answers to. A page of another site whose name was made to point at this
//! machine (DNS rebinding) carries that name in `Host` and is turned away.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use http::{HeaderMap, Uri, header};

/// Names that may stand in `Host`.
#[derive(Clone, Debug, Default)]
pub struct HostPolicy {
    /// Lower case; `.example.org` is every name below it.
    pub names: Vec<String>,
    /// More of them, for a time.
    pub live: LiveNames,
}

/// Names that a server answers to as long as somebody holds them. As many as there are holders.
#[derive(Clone, Debug, Default)]
pub struct LiveNames(Arc<RwLock<Vec<Weak<str>>>>);

impl LiveNames {
    /// That name, in small letters, counts until what is given back is dropped.
    #[must_use]
    pub fn hold(&self, name: &str) -> Arc<str> {
        let name: Arc<str> = name.to_ascii_lowercase().into();
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        names.retain(|held| held.strong_count() > 0);
        names.push(Arc::downgrade(&name));
        name
    }

    fn has(&self, name: &str) -> bool {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().any(|held| held.upgrade().is_some_and(|held| *held == *name))
    }
}

/// Why a request's host is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// None, several, or not a host: 400.
    Malformed,
    /// Somebody else's name: 421.
    Foreign,
}

impl HostPolicy {
    /// Judges the target's authority where there is one (HTTP/2, absolute form), and the `Host`
    /// field.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), HostFault> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let named = match (hosts.next(), hosts.next()) {
            (Some(host), None) => Some(host.to_str().map_err(|_| HostFault::Malformed)?),
            (None, None) => None,
            _ => return Err(HostFault::Malformed),
        };
        let authority = uri.authority().map(http::uri::Authority::as_str);
        if named.is_none() && authority.is_none() {
            return Err(HostFault::Malformed);
        }
        [named, authority].into_iter().flatten().try_for_each(|host| self.check_one(host))
    }

    fn check_one(&self, host: &str) -> Result<(), HostFault> {
        let name = name_of(host).ok_or(HostFault::Malformed)?.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let listed = |n: &String| if n.starts_with('.') { name.ends_with(n.as_str()) } else { n == name };
        if name == "localhost" || bare.parse::<IpAddr>().is_ok() || self.names.iter().any(listed) || self.live.has(name)
        {
            Ok(())
        } else {
            Err(HostFault::Foreign)
        }
    }
}

/// `host` of `host[:port]`.
pub(crate) fn name_of(host: &str) -> Option<&str> {
    let authority: http::uri::Authority = host.parse().ok()?;
    if host.contains('@') || authority.host().is_empty() {
        return None;
    }
    // the parser takes any text after the colon
    let port = host.get(authority.host().len()..)?;
    let good = port.is_empty() || port == ":" || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
    good.then(|| host.get(..authority.host().len())).flatten()
}

/// Is `host[:port]` a name that only this machine answers to?
pub(crate) fn is_loopback_host(host: &str) -> bool {
    name_of(host).is_some_and(|name| {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let policy = HostPolicy { names: vec!["trade.example.org".into(), ".lan".into()], ..HostPolicy::default() };
        let check = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.append(header::HOST, host.parse().unwrap());
            policy.check(&Uri::from_static("/"), &headers)
        };
        for good in [
            "localhost",
            "LocalHost:8000",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]:8000",
            "192.168.1.5:8000",
            "trade.example.org",
            "Trade.Example.org.:443",
            "box.lan",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for foreign in ["evil.example", "localhost.evil.example", "xtrade.example.org", "127.0.0.1.nip.io", "lan", "a"]
        {
            assert_eq!(check(foreign), Err(HostFault::Foreign), "{foreign}");
        }
        for bad in ["", "a b", "user@localhost", "localhost:99999", "localhost:x", "/", "localhost/x"] {
            assert_eq!(check(bad), Err(HostFault::Malformed), "{bad}");
        }
    }

    #[test]
    fn some_names_count_for_a_time() {
        let policy = HostPolicy::default();
        let check = || policy.check(&Uri::from_static("http://my-app.loca.lt/"), &HeaderMap::new());
        assert_eq!(check(), Err(HostFault::Foreign));
        let held = policy.live.hold("My-App.loca.lt");
        let other = policy.live.hold("other.loca.lt");
        assert_eq!(check(), Ok(()));
        drop(held);
        assert_eq!(check(), Err(HostFault::Foreign));
        drop(other);
    }

    #[test]
    fn exactly_one_host_which_both_places_agree_to_serve() {
        let policy = HostPolicy::default();
        let mut headers = HeaderMap::new();
        assert_eq!(policy.check(&Uri::from_static("/"), &headers), Err(HostFault::Malformed));
        assert_eq!(policy.check(&Uri::from_static("http://localhost/"), &headers), Ok(()));
        headers.append(header::HOST, "localhost".parse().unwrap());
        assert_eq!(policy.check(&Uri::from_static("http://evil.example/"), &headers), Err(HostFault::Foreign));
        headers.append(header::HOST, "localhost".parse().unwrap());
        assert_eq!(policy.check(&Uri::from_static("/"), &headers), Err(HostFault::Malformed));
    }
}
