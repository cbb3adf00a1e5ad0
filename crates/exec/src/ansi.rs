//! Texts without what steers a terminal.

/// `text` without escape sequences (ECMA-48: CSI, OSC and the like) and without control characters other than
/// line breaks and tabs.
pub fn strip(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => skip_sequence(&mut rest),
            '\u{9b}' => skip_until(&mut rest, |c| ('\x40'..='\x7e').contains(&c)),
            '\n' | '\t' | '\r' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    let peek = |rest: &std::str::Chars<'_>| rest.clone().next();
    match peek(rest) {
        Some('[') => {
            rest.next();
            skip_until(rest, |c| ('\x40'..='\x7e').contains(&c));
        }
        // strings: up to BEL or ESC \
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = rest.next() {
                if c == '\x07' {
                    return;
                }
                if c == '\x1b' {
                    if peek(rest) == Some('\\') {
                        rest.next();
                    }
                    return;
                }
            }
        }
        Some(' '..='/') => {
            rest.next();
            skip_until(rest, |c| ('\x30'..='\x7e').contains(&c));
        }
        Some(_) => {
            rest.next();
        }
        None => {}
    }
}

fn skip_until(rest: &mut std::str::Chars<'_>, last: impl Fn(char) -> bool) {
    for c in rest.by_ref() {
        // a line break ends what was no sequence
        if last(c) || c == '\n' {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequences_go() {
        for (text, plain) in [
            ("\x1b[31mred\x1b[0m\n", "red\n"),
            ("\x1b]0;title\x07a\x1b]8;;u\x1b\\b", "ab"),
            ("\x1b(Bx\x1b=y\x1b", "xy"),
            ("a\x07\tb\r\n", "a\tb\r\n"),
            ("\x1b[?2004h>>> ", ">>> "),
        ] {
            assert_eq!(strip(text), plain, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_to_strip(text in "[\\x1b\\[\\]a;0m\n\\\\\\x07é]{0,40}") {
            let once = strip(&text);
            prop_assert!(!once.contains('\x1b'));
            prop_assert_eq!(strip(&once), once);
        }
    }
}
