//! Scripts that leave the house: without what looks like a secret.

/// Parts of names whose texts are secrets, in lower case and without `_` and `-`.
const NAMED: [&str; 10] = [
    "apikey",
    "secret",
    "password",
    "passphrase",
    "privatekey",
    "mnemonic",
    "accesstoken",
    "authtoken",
    "bearertoken",
    "credential",
];
/// A text of as many letters and digits is a key.
const KEY_CHARS_MIN: usize = 32;

/// A script in which texts that look like secrets are empty, and how many there were: texts that are given to a name
/// such as `apiKey`, and any of 32 letters and digits or more. It rather takes out too much.
pub fn without_secrets(script: &str) -> (String, usize) {
    let (mut out, mut taken, mut count) = (String::with_capacity(script.len()), 0, 0);
    let mut from = 0;
    while let Some(found) = script.get(from..).and_then(|rest| rest.find(['"', '\'', '`'])) {
        let quote = from + found;
        from = quote + 1;
        let Some(end) = end(script, quote) else { continue };
        let inside = script.get(quote + 1..end).unwrap_or_default();
        let before = script.get(..quote).unwrap_or_default();
        if !inside.is_empty() && (is_key(inside) || is_given_to_a_secret(before)) {
            out.push_str(script.get(taken..=quote).unwrap_or_default());
            (taken, from, count) = (end, end + 1, count + 1);
        }
    }
    out.push_str(script.get(taken..).unwrap_or_default());
    (out, count)
}

/// Where the text that begins with the quote at `start` ends; none if it does not, as after an apostrophe in a comment.
fn end(script: &str, start: usize) -> Option<usize> {
    let quote = *script.as_bytes().get(start)?;
    let mut escaped = false;
    for (i, byte) in script.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'\n' if quote != b'`' => return None,
            byte if byte == quote => return Some(i),
            _ => {}
        }
    }
    None
}

fn is_key(text: &str) -> bool {
    let letters = text.strip_prefix("0x").unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/' | '=');
    letters.len() >= KEY_CHARS_MIN
        && letters.chars().all(plain)
        && letters.contains(|c: char| c.is_ascii_digit())
        && letters.contains(|c: char| c.is_ascii_alphabetic())
}

/// Does the source end in `apiKey:`, `secret =` or the like?
fn is_given_to_a_secret(before: &str) -> bool {
    let before = before.trim_end();
    let Some(before) = before.strip_suffix(':').or_else(|| before.strip_suffix('=')) else { return false };
    let before = before.trim_end().trim_end_matches(['"', '\'', '`', ']']);
    let start = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$')));
    let name = start.and_then(|i| before.get(i..)).unwrap_or(before);
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    NAMED.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_taken_out() {
        for (script, clean, count) in [
            ("new X({ apiKey: \"abc\", secret: 'd\\'e' })", "new X({ apiKey: \"\", secret: '' })", 2),
            (
                "const API_SECRET = `x`; // don't\nconst s = 'BTC/USDT'",
                "const API_SECRET = ``; // don't\nconst s = 'BTC/USDT'",
                1,
            ),
            ("{\"password\" : \"p\", 'note': 'n'}", "{\"password\" : \"\", 'note': 'n'}", 1),
            ("o['privateKey'] = \"k\"", "o['privateKey'] = \"\"", 1),
            ("f('0123456789abcdef0123456789abcdef')", "f('')", 1),
            ("f('a sentence that is longer than thirty-two')", "f('a sentence that is longer than thirty-two')", 0),
            ("apiKey: '' , x: \"\"", "apiKey: '' , x: \"\"", 0),
            ("if (secret == 'x') {}", "if (secret == 'x') {}", 0),
        ] {
            assert_eq!(without_secrets(script), (clean.to_owned(), count), "{script}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(script in "[a:='\"`\\\\\n é]{0,60}") {
            let script = format!("secret: {script}");
            let (clean, count) = without_secrets(&script);
            prop_assert!(count > 0 || clean == script);
        }

        #[test]
        fn no_secret_stays(secret in "[a-z]{1,20}", around in "[a-z'\"` \n]{0,20}") {
            let secret = format!("{secret}!");
            let (clean, count) = without_secrets(&format!("{around}\nconst apiKey = \"{secret}\";"));
            prop_assert!(count > 0 && !clean.contains(&secret));
        }
    }
}
