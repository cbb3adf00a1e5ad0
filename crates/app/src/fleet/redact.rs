//! Takes secrets out of what scripts write: those that stand in the script itself, those that it was seen to use, and
//! what looks like one.

use std::sync::{Mutex, PoisonError};

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";
/// Names of what is secret, in lower case without `_` and `-`.
const NAMES: [&str; 7] = ["apikey", "secret", "password", "passphrase", "privatekey", "mnemonic", "authorization"];
/// Words before a secret.
const BEFORE: [&str; 3] = ["bearer ", "ok_", "xprv"];
/// What is shorter is none.
const SHORTEST: usize = 6;
/// Shortest after one of the [`BEFORE`].
const SHORTEST_AFTER: usize = 16;
/// Secrets of one run that are looked for.
const SECRETS_MAX: usize = 64;
const PEM: (&str, &str) = ("PRIVATE KEY-----", "-----END");

/// What stands in none of a run's lines: secrets that were learned of, and what looks like one.
#[derive(Debug, Default)]
pub struct Secrets(Mutex<Vec<String>>);

impl Secrets {
    /// The texts that a script gives to names such as `secret` or `apiKey`; the first of many.
    pub(super) fn of(script: &str) -> Self {
        let secrets = Self::default();
        for value in named(script).filter(|value| value.quoted) {
            secrets.hide(&script[value.start..value.end]);
        }
        secrets
    }

    /// Hides it from now on, unless it is so short that a text may have it by chance. Of too many the first are hidden.
    pub(super) fn hide(&self, secret: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() >= SHORTEST && all.len() < SECRETS_MAX && !all.iter().any(|known| known == secret) {
            all.push(secret.to_owned());
            // what holds another is hidden first
            all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// The text without the secrets that are known.
    pub(super) fn without_known(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), REDACTED);
            }
        }
        text
    }

    /// The text without these and without what looks like one.
    pub fn redact(&self, text: &str) -> String {
        let mut text = self.without_known(text);
        if let Some((head, rest)) = text.split_once(PEM.0) {
            let tail = rest.split_once(PEM.1).map_or("", |(_, tail)| tail);
            text = format!("{head}{}{REDACTED}{tail}", PEM.0);
        }
        let spans: Vec<(usize, usize)> = named(&text)
            .filter(|value| value.end - value.start >= SHORTEST)
            .map(|value| (value.start, value.end))
            .chain(after_words(&text))
            .collect();
        cover(&text, spans)
    }
}

fn cover(text: &str, mut spans: Vec<(usize, usize)>) -> String {
    spans.sort_unstable();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (start, end) in spans {
        if start < at {
            continue;
        }
        out.push_str(&text[at..start]);
        out.push_str(REDACTED);
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

/// A value that was given to a name; the bounds are those of letters.
struct Value {
    start: usize,
    end: usize,
    quoted: bool,
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$')
}

fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    NAMES.iter().any(|secret| plain.ends_with(secret))
}

/// `name: value`, `name = "value"`, `"name":"value"`, for names of secrets.
fn named(text: &str) -> impl Iterator<Item = Value> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            if !is_name(bytes[at]) {
                at += 1;
                continue;
            }
            let start = at;
            while at < bytes.len() && is_name(bytes[at]) {
                at += 1;
            }
            if is_secret(&text[start..at])
                && let Some(value) = value_after(bytes, at)
            {
                at = value.end;
                return Some(value);
            }
        }
        None
    })
}

fn value_after(bytes: &[u8], from: usize) -> Option<Value> {
    let blank = |at: usize| {
        let spaces = bytes.get(at..)?.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        Some(at + spaces)
    };
    let quote = |at: usize| bytes.get(at).copied().filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    // the name's own quote, also one that is escaped within a text
    let mut at = from;
    at += usize::from(bytes.get(at) == Some(&b'\\'));
    at += usize::from(quote(at).is_some());
    at = blank(at)?;
    if !matches!(bytes.get(at), Some(b':' | b'=')) {
        return None;
    }
    at = blank(at + 1)?;
    at += usize::from(bytes.get(at) == Some(&b'\\'));
    let open = quote(at);
    let start = at + usize::from(open.is_some());
    let ends = |b: u8| match open {
        Some(quote) => b == quote || b == b'\\' || b == b'\n',
        None => b.is_ascii_whitespace() || matches!(b, b',' | b';' | b'}' | b']' | b')' | b'"' | b'\''),
    };
    let length = bytes.get(start..)?.iter().take_while(|b| !ends(**b)).count();
    Some(Value { start, end: start + length, quoted: open.is_some() })
}

/// What follows words like `Bearer`.
fn after_words(text: &str) -> Vec<(usize, usize)> {
    let lower = text.to_ascii_lowercase();
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for word in BEFORE {
        let mut from = 0;
        while let Some(place) = lower.get(from..).and_then(|rest| rest.find(word)) {
            let (at, start) = (from + place, from + place + word.len());
            let letters = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+' | b'/' | b'=');
            let length = bytes.get(start..).map_or(0, |rest| rest.iter().take_while(|b| letters(b)).count());
            let begins = at == 0 || !is_name(bytes[at - 1]);
            if begins && length >= SHORTEST_AFTER {
                found.push((start, start + length));
            }
            from = start;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_of_a_script_are_found() {
        let script = "const ex = new Stels.runtime.cex.bybit({ apiKey: 'AbCdEf123', \"secret\": \"s3cr3t-value\" });\n\
                      const PASSWORD = `open sesame`; const secretCount = 5; let secret = '';";
        assert_eq!(*Secrets::of(script).0.lock().unwrap(), ["s3cr3t-value", "open sesame", "AbCdEf123"]);
    }

    #[test]
    fn lines_lose_their_secrets() {
        let secrets = Secrets::of("secret: 'hunter2hunter2'");
        for (line, kept) in [
            ("key hunter2hunter2 used", "key [redacted] used"),
            (r#"{"apiKey":"abcdef123","n":1}"#, r#"{"apiKey":"[redacted]","n":1}"#),
            (r#"{\"secret\":\"abcdef123\"}"#, r#"{\"secret\":\"[redacted]\"}"#),
            ("api_key=abcdef123&x=1 done", "api_key=[redacted] done"),
            ("Authorization: Bearer abcdefghijklmnop1", "Authorization: [redacted] [redacted]"),
            ("ok_0123456789abcdef0123", "ok_[redacted]"),
            ("password: short, all good", "password: short, all good"),
            (
                "-----BEGIN PRIVATE KEY-----abc-----END PRIVATE KEY-----",
                "-----BEGIN PRIVATE KEY-----[redacted] PRIVATE KEY-----",
            ),
            ("the secret of success: patience", "the secret of success: patience"),
            ("bought 0.5 BTC/USDT at 60000", "bought 0.5 BTC/USDT at 60000"),
        ] {
            assert_eq!(secrets.redact(line), kept, "{line}");
        }
    }

    #[test]
    fn what_was_used_is_hidden() {
        let secrets = Secrets::default();
        secrets.hide("a-long-key");
        secrets.hide("a-long-key-of-more");
        secrets.hide("short");
        assert_eq!(secrets.without_known("a-long-key a-long-key-of-more short"), "[redacted] [redacted] short");
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC*", head in "[a-zA-Z ]{0,9}") {
            let secrets = Secrets::of(&text);
            secrets.hide("0123456789abcdef");
            let line = format!("{head}secret: \"{text}\" 0123456789abcdef");
            prop_assert!(!secrets.redact(&line).contains("0123456789abcdef"));
        }
    }
}
