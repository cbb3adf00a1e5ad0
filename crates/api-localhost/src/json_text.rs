//! JSON for people, from its text: digits and the order of keys stay as they were written.

/// What nested values are moved in by.
const INDENT: &str = "  ";

/// Objects and lists over several lines; a text without its quotes; everything else as it is. `json` is valid.
pub(crate) fn pretty(json: &str) -> String {
    let json = json.trim();
    if json.starts_with('"') {
        return serde_json::from_str(json).unwrap_or_else(|_| json.to_owned());
    }
    let (mut out, mut depth, mut in_text, mut escaped) = (String::with_capacity(json.len() * 2), 0_usize, false, false);
    let mut chars = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str(INDENT));
    };
    while let Some(c) = chars.next() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            ' ' | '\t' | '\r' | '\n' => {}
            '"' => {
                in_text = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while chars.peek().is_some_and(char::is_ascii_whitespace) {
                    chars.next();
                }
                if let Some(end) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::pretty;

    #[test]
    fn like_a_printer_with_two_spaces() {
        for text in [r#"{"a":1,"b":[true,null,{"c":"x,y:{}\"\\"}],"d":{},"e":[]}"#, "[]", "[1,[2,[3]]]", "5", "null"] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let spaced = text.replace(',', " ,\n ");
            assert_eq!(pretty(text), serde_json::to_string_pretty(&value).unwrap(), "{text}");
            if !text.contains('"') {
                assert_eq!(pretty(&spaced), pretty(text));
            }
        }
        assert_eq!(pretty("\"a\\n\\u00e9\""), "a\né");
        assert_eq!(pretty("12345678901234567890123"), "12345678901234567890123");
    }
}
