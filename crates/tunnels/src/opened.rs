//! Where a tunnel begins, and how one asks for a place.

/// Longest address of a tunnel, bytes.
const URL_BYTES_MAX: usize = 512;
/// Longest name, bytes, as in the domain name system.
const NAME_BYTES_MAX: usize = 253;

/// A name that a tunnel is asked to have: labels of letters, digits and hyphens, with dots between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// That name, in small letters; `None` when it is none.
    pub fn new(text: &str) -> Option<Self> {
        let name = text.to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        (name.len() <= NAME_BYTES_MAX && name.split('.').all(label)).then_some(Self(name))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A tunnel that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    url: String,
    /// Under which name it may be asked for again.
    pub name: Option<Name>,
}

impl Opened {
    /// At that address, which is `http` or `https` and has a host; `None` when it is not.
    pub fn new(url: &str, name: Option<Name>) -> Option<Self> {
        let url = url.trim();
        let plain =
            url.len() <= URL_BYTES_MAX && url.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>\\`".contains(&b));
        let opened = Self { url: url.to_owned(), name };
        (plain && !opened.host().is_empty()).then_some(opened)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The host of its address, in small letters and without a port.
    pub fn host(&self) -> String {
        let rest = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://")).unwrap_or_default();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        if host.contains('@') { String::new() } else { host.to_ascii_lowercase() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["my-app", "A1", "a.b-c.example", &"a".repeat(63)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good.to_ascii_lowercase(), "{good}");
        }
        for bad in ["", "-a", "a-", "a..b", ".", "a b", "a/b", "a?b", "--log", "ä", &"a".repeat(64), "a\n"] {
            assert_eq!(Name::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn addresses() {
        let host = |url: &str| Opened::new(url, None).map(|opened| opened.host());
        assert_eq!(host("https://My-App.loca.lt").unwrap(), "my-app.loca.lt");
        assert_eq!(host("http://x.example:8080/a?b#c\n").unwrap(), "x.example");
        assert_eq!(host("http://[::1]:8080/").unwrap(), "[::1]");
        for bad in ["", "ftp://x", "https://", "https://u@x", "javascript:alert(1)", "https://a b", "https://a\"b"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
