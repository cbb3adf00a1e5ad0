//! `config print`, and what must not be seen in it.

use std::fmt::Write as _;

use super::Loaded;

/// Keys whose values are never shown.
const SECRETS: [&str; 4] = ["auth.jwt_secret", "market.coingecko_api_key", "fred.api_key", "tunnels.ngrok_authtoken"];

/// Does the key's value name a server and how to log in to it?
fn is_login(key: &str) -> bool {
    matches!(key, "database.url" | "redis.url") || key.starts_with("venues.") && key.ends_with(".proxy")
}

/// Origins stand in one column unless a value is longer than this.
const WIDTH_MAX: usize = 60;

/// The value as it may be shown: secrets are replaced, passwords in URLs too.
pub fn redact(key: &str, shown: &str) -> String {
    if SECRETS.contains(&key) {
        return if shown == "\"\"" { shown.to_owned() } else { "[redacted]".to_owned() };
    }
    if is_login(key) && !is_plain(shown) { "[redacted]".to_owned() } else { redact_url(shown) }
}

/// Is it clear where a password would stand, so that [`redact_url`] finds it?
fn is_plain(shown: &str) -> bool {
    let text = shown.trim_matches('"');
    if text.is_empty() || text.starts_with("sqlite:") {
        return true;
    }
    let Some((_, rest)) = text.split_once("://") else { return false };
    let tail = rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or_default();
    // a slash within a password hides its end; parameters may be passwords too
    !tail.contains(['@', '?', '#'])
}

/// `scheme://user:password@host` without the password. The last `@` before the path ends the
/// credentials.
fn redact_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@').and_then(|(login, _)| login.split_once(':')) {
        // the text is cut at ASCII characters only
        Some((user, password)) => {
            let tail = rest.get(user.len() + 1 + password.len()..).unwrap_or_default();
            format!("{scheme}://{user}:[redacted]{tail}")
        }
        None => text.to_owned(),
    }
}

/// Every key with its value and origin, in TOML that could be saved as `orrery.toml`.
pub fn print(loaded: &Loaded) -> String {
    let name_of = |key: &str| key.rsplit_once('.').map_or(key.to_owned(), |(_, name)| name.to_owned());
    let lengths = loaded.values.iter().map(|v| name_of(&v.key).len() + v.value.len());
    let width = lengths.max().unwrap_or(0).min(WIDTH_MAX);
    let mut out = String::new();
    let mut section = "";
    for value in &loaded.values {
        let (of, name) = value.key.rsplit_once('.').unwrap_or(("", &value.key));
        if of != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}[{of}]");
            section = of;
        }
        let pad = width.saturating_sub(name.len() + value.value.len());
        let _ = writeln!(out, "{name} = {}{:pad$}  # {}", value.value, "", value.origin);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_not_shown() {
        for (url, want) in [
            ("postgres://u:p@h/db", "postgres://u:[redacted]@h/db"),
            ("postgres://u:p@ss:w@h/db?x=1", "postgres://u:[redacted]@h/db?x=1"),
            ("redis://:p@h", "redis://:[redacted]@h"),
            ("sqlite:///a/b@c:d.db", "sqlite:///a/b@c:d.db"),
            ("https://h/path", "https://h/path"),
        ] {
            assert_eq!(redact_url(url), want);
        }
        for url in ["postgres:p", "p", "postgres://u:p/q@h/db", "postgres://h/db?password=p", "redis:p@h"] {
            assert_eq!(redact("database.url", &format!("\"{url}\"")), "[redacted]", "{url}");
        }
        let long = "\"postgres://u:p@h:5432/db\"";
        assert_eq!(redact("database.url", long), "\"postgres://u:[redacted]@h:5432/db\"");
        assert_eq!(redact("venues.okx.proxy", long), "\"postgres://u:[redacted]@h:5432/db\"");
        assert_eq!(redact("venues.okx.proxy", "\"u:p@h:80\""), "[redacted]");
        for url in ["\"\"", "\"sqlite:///a?b@c\"", "\"redis://h:6379\""] {
            assert_eq!(redact("redis.url", url), url);
        }
    }
}
