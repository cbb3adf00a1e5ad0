//! From values to types, collecting everything that is wrong.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use orrery_http_kit::layers::Network;

use super::Problem;
use super::tree::{Tree, show};

/// Which routes a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// Everything.
    All,
    /// The BitTrade document's.
    BitTrade,
    /// The Localhost Web Server document's.
    Localhost,
    /// The STELS document's.
    WebFix,
    /// The Aether document's.
    Aether,
    /// Figures alone, without a token; only on `metrics.port`.
    Figures,
}

/// `host:port[=surface]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenSpec {
    /// A name or an address without brackets.
    pub host: String,
    /// 0 takes a free one.
    pub port: u16,
    /// What is served.
    pub surface: Surface,
}

const SURFACES: [(&str, Surface); 4] = [
    ("bittrade", Surface::BitTrade),
    ("localhost", Surface::Localhost),
    ("webfix", Surface::WebFix),
    ("aether", Surface::Aether),
];

impl ListenSpec {
    /// Can only this machine reach it?
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for ListenSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port)?,
            _ => write!(f, "{}:{}", self.host, self.port)?,
        }
        match SURFACES.iter().find(|(_, s)| *s == self.surface) {
            Some((name, _)) => write!(f, "={name}"),
            None => Ok(()),
        }
    }
}

/// Parses `host:port[=surface]`; an IPv6 address stands in brackets.
pub fn listen(text: &str) -> Result<ListenSpec, String> {
    let (address, surface) = match text.split_once('=') {
        None => (text, Surface::All),
        Some((address, name)) => {
            let found = SURFACES.iter().find(|(n, _)| *n == name).map(|(_, s)| *s);
            let names = SURFACES.map(|(n, _)| n).join(", ");
            (address, found.ok_or_else(|| format!("{name:?} is no surface; there are {names}"))?)
        }
    };
    let form = || "must be host:port or host:port=surface".to_owned();
    let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
    let port = port.parse().map_err(|_| format!("{port:?} is no port; it must be from 0 to 65535"))?;
    let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(six) => six.parse::<std::net::Ipv6Addr>().map_err(|_| format!("[{six}] is no IPv6 address"))?.to_string(),
        None if host.is_empty() || host.contains([':', '[', ']', '/', ' ']) => return Err(form()),
        None => host.to_owned(),
    };
    Ok(ListenSpec { host, port, surface })
}

/// `sqlite://…` or `postgres://…`, or why not.
pub fn database_url(text: &str) -> Result<(), String> {
    match text.split_once(':').map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest)) {
        Some((scheme, rest)) if scheme == "sqlite" => {
            let path = rest.trim_start_matches("//");
            if path.is_empty() || path.starts_with(":memory:") {
                Err("must name a file, as in sqlite:///var/lib/orrery/orrery.db".into())
            } else if path.contains('?') {
                Err("takes no parameters after the path".into())
            } else {
                Ok(())
            }
        }
        Some((scheme, rest)) if scheme == "postgres" || scheme == "postgresql" => match rest.strip_prefix("//") {
            Some(rest) if !rest.is_empty() => Ok(()),
            _ => Err("must be like postgres://user:password@host:5432/name".into()),
        },
        Some((scheme, _)) if scheme == "mysql" || scheme == "mariadb" => {
            Err("MySQL isn't supported; leave it empty for SQLite in the data directory".into())
        }
        _ => Err("must be empty or begin with sqlite:// or postgres://".into()),
    }
}

/// An `http(s)://host[:port]` origin as browsers send it.
pub fn origin(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '*', ' ', '@']) && host == host.to_ascii_lowercase() => {
            Ok(())
        }
        _ => Err(format!("{text:?} is no origin; it must be like https://trade.example.org, without a path")),
    }
}

/// An `http(s)://` URL.
pub fn http_url(text: &str) -> Result<(), String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|h| !h.is_empty() && !h.starts_with('/')) {
        Ok(())
    } else {
        Err("must begin with http:// or https:// and name a host".into())
    }
}

/// Reads typed values out of a tree. What is wrong is collected; the reader goes on with a harmless
/// value so that all faults are found at once.
pub struct Reader<'a> {
    tree: &'a Tree,
    /// What was wrong.
    pub problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Reads from `tree`.
    pub fn new(tree: &'a Tree) -> Self {
        Self { tree, problems: Vec::new() }
    }

    /// Reports a fault of a key.
    pub fn fault(&mut self, key: &str, message: impl Into<String>) {
        let (shown, origin) = match self.tree.get(key) {
            Some((value, origin)) => (show(&value), origin),
            None => ("nothing".into(), "default".into()),
        };
        self.problems.push(Problem::at(key, &shown, &origin, message));
    }

    /// Where a value is from.
    pub fn origin(&mut self, key: &str) -> String {
        self.tree.get(key).map(|(_, origin)| origin).unwrap_or_default()
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> String {
        self.tree.get(key).and_then(|(v, _)| v.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// A text that is set.
    pub fn optional(&mut self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|t| !t.is_empty())
    }

    /// A switch.
    pub fn flag(&mut self, key: &str) -> bool {
        self.tree.get(key).and_then(|(v, _)| v.to_bool()).unwrap_or_default()
    }

    /// A list of texts.
    pub fn list(&mut self, key: &str) -> Vec<String> {
        let array = self.tree.get(key).and_then(|(v, _)| v.into_array()).unwrap_or_default();
        array.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }

    /// A whole number within bounds.
    pub fn whole<T: TryFrom<i128> + Default>(&mut self, key: &str, unit: &str, range: RangeInclusive<i128>) -> T {
        let n = self.tree.get(key).and_then(|(v, _)| v.to_i128()).unwrap_or_default();
        match T::try_from(n) {
            Ok(value) if range.contains(&n) => value,
            _ => {
                let unit = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
                self.fault(key, format!("must be a whole number{unit} from {} to {}", range.start(), range.end()));
                T::default()
            }
        }
    }

    /// Whole seconds within bounds.
    pub fn seconds(&mut self, key: &str, range: RangeInclusive<i128>) -> Duration {
        Duration::from_secs(self.whole(key, "seconds", range))
    }

    /// A text that `check` accepts.
    pub fn checked(&mut self, key: &str, check: impl Fn(&str) -> Result<(), String>) -> String {
        let text = self.text(key);
        if let Err(message) = check(&text) {
            self.fault(key, message);
        }
        text
    }

    /// A list whose items `parse` understands.
    pub fn parsed_list<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let mut out = Vec::new();
        for item in self.list(key) {
            match parse(&item) {
                Ok(value) => out.push(value),
                Err(message) => self.fault(key, message),
            }
        }
        out
    }
}

/// An address or a network.
pub fn network(text: &str) -> Result<Network, String> {
    text.parse().map_err(|_| format!("{text:?} is no address or network like 10.0.0.0/8"))
}

/// A host name as it may stand in `Host`: lower case, no port; `.example.org` for all below it.
pub fn host_name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if plain && !name.trim_matches('.').is_empty() {
        Ok(name)
    } else {
        Err(format!("{text:?} is no host name; it must be like trade.example.org, without a port"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners() {
        for text in ["127.0.0.1:8000", "[::1]:0=aether", "example.org:443=bittrade", "0.0.0.0:1=webfix"] {
            assert_eq!(listen(text).unwrap().to_string(), text);
        }
        for text in ["", "8000", ":8000", "127.0.0.1", "::1:80", "h:65536", "h:80=", "h:80=web", "http://h:80", "h:-1"]
        {
            assert!(listen(text).is_err(), "{text}");
        }
        assert!(listen("127.0.0.9:1").unwrap().is_loopback());
        assert!(listen("[::1]:1").unwrap().is_loopback());
        assert!(listen("localhost:1").unwrap().is_loopback());
        assert!(!listen("0.0.0.0:1").unwrap().is_loopback());
        assert!(!listen("example.org:1").unwrap().is_loopback());
    }

    #[test]
    fn databases() {
        assert_eq!(database_url("sqlite:///a.db"), Ok(()));
        assert_eq!(database_url("sqlite://a.db"), Ok(()));
        assert_eq!(database_url("postgres://u:p@h/d"), Ok(()));
        assert_eq!(database_url("postgresql://h/d"), Ok(()));
        for (url, word) in [
            ("postgres:u", "postgres://user"),
            ("mysql://h/d", "MySQL"),
            ("sqlite::memory:", "file"),
            ("sqlite://", "file"),
            ("sqlite://a.db?mode=ro", "parameters"),
            ("orrery.db", "sqlite://"),
        ] {
            assert!(database_url(url).unwrap_err().contains(word), "{url}");
        }
    }

    #[test]
    fn origins() {
        for good in ["https://a.example", "http://localhost:3000", "http://[::1]:3000"] {
            assert_eq!(origin(good), Ok(()), "{good}");
        }
        for bad in ["*", "https://a.example/", "a.example", "https://*.example", "HTTPS://A", "https://A.example"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
