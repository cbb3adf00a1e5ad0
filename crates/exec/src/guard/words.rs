//! A shell's line as the commands in it: quotes taken off, what can be known of expansions put in.
//!
//! It reads more loosely than a shell: whatever a shell might run must come out as a command, the rest does not matter.

use std::collections::HashMap;

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Without quotes; what is not known is left out.
    pub text: String,
    /// Is something not known?
    pub dynamic: bool,
    /// Commands within it: `$(…)`, `<(…)`, backticks.
    pub inner: Vec<String>,
}

/// One command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Simple {
    pub words: Vec<Word>,
    /// Where it writes to by redirection.
    pub writes: Vec<Word>,
}

/// Commands whose output goes to the next.
pub(super) type Pipeline = Vec<Simple>;

/// What may stand before a command without being one.
const KEYWORDS: [&str; 14] =
    ["if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}", "time", "coproc"];

/// Where the next word goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Command,
    Write,
    Read,
}

struct Reader<'t> {
    text: &'t [char],
    at: usize,
    variables: HashMap<String, String>,
    word: Option<Word>,
    /// Was a part of the word in quotes? Then it is no keyword and no assignment.
    quoted: bool,
    to: To,
    simple: Simple,
    pipeline: Pipeline,
    done: Vec<Pipeline>,
}

/// The commands of a line.
pub(super) fn read(line: &str) -> Vec<Pipeline> {
    let text: Vec<char> = line.chars().collect();
    let mut reader = Reader {
        text: &text,
        at: 0,
        variables: HashMap::new(),
        word: None,
        quoted: false,
        to: To::Command,
        simple: Simple::default(),
        pipeline: Vec::new(),
        done: Vec::new(),
    };
    reader.run();
    reader.done
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0);
        self.at += usize::from(c.is_some());
        c
    }

    fn word(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    fn run(&mut self) {
        while let Some(c) = self.next() {
            match c {
                ' ' | '\t' | '\r' => self.end_word(),
                '\n' | ';' => self.end_pipeline(),
                '#' if self.word.is_none() => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '(' | ')' => self.end_pipeline(),
                '&' if self.peek(0) == Some('>') => self.end_word(),
                '&' => self.end_pipeline(),
                '|' if self.peek(0) == Some('|') => {
                    self.at += 1;
                    self.end_pipeline();
                }
                '|' => {
                    self.end_simple();
                    if self.peek(0) == Some('&') {
                        self.at += 1;
                    }
                }
                '<' | '>' => self.redirection(c),
                '\\' => {
                    // at a line's end it joins the lines
                    match self.next() {
                        Some('\n') | None => {}
                        Some(c) => self.quoted_char(c),
                    }
                }
                '\'' => {
                    self.start_quote();
                    while let Some(c) = self.next().filter(|c| *c != '\'') {
                        self.word().text.push(c);
                    }
                }
                '"' => {
                    self.start_quote();
                    self.double_quoted();
                }
                '$' if self.peek(0) == Some('\'') => {
                    self.at += 1;
                    self.start_quote();
                    self.ansi_quoted();
                }
                '$' => self.expansion(false),
                '`' => self.backticks(),
                c => self.word().text.push(c),
            }
        }
        self.end_pipeline();
    }

    fn start_quote(&mut self) {
        self.quoted = true;
        self.word();
    }

    fn quoted_char(&mut self, c: char) {
        self.quoted = true;
        self.word().text.push(c);
    }

    fn double_quoted(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' => match self.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => self.word().text.push(c),
                    Some('\n') | None => {}
                    Some(c) => self.word().text.extend(['\\', c]),
                },
                '$' => self.expansion(true),
                '`' => self.backticks(),
                c => self.word().text.push(c),
            }
        }
    }

    /// `$'…'`: escapes as C has them.
    fn ansi_quoted(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\'' => return,
                '\\' => {
                    let c = match self.next() {
                        Some('x') => self.number(16, 2),
                        Some('u') => self.number(16, 4),
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some(c) if c.is_digit(8) => {
                            self.at -= 1;
                            self.number(8, 3)
                        }
                        Some(c) => c,
                        None => return,
                    };
                    self.word().text.push(c);
                }
                c => self.word().text.push(c),
            }
        }
    }

    fn number(&mut self, radix: u32, digits: usize) -> char {
        let mut value = 0;
        for _ in 0..digits {
            let Some(digit) = self.peek(0).and_then(|c| c.to_digit(radix)) else { break };
            value = value * radix + digit;
            self.at += 1;
        }
        char::from_u32(value).unwrap_or('\u{FFFD}')
    }

    /// After a `$`.
    fn expansion(&mut self, quoted: bool) {
        match self.peek(0) {
            Some('(') => {
                self.at += 1;
                let inner = self.until_closed('(', ')');
                let word = self.word();
                word.dynamic = true;
                word.inner.push(inner);
            }
            Some('{') => {
                self.at += 1;
                let inside = self.until_closed('{', '}');
                let name: String = inside.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                self.variable(&name, quoted);
                // `${x:-$(…)}`
                if inside.contains(['$', '`']) {
                    self.word().inner.push(format!(": {inside}"));
                }
            }
            Some(c) if c.is_alphabetic() || c == '_' => {
                let mut name = String::new();
                while let Some(c) = self.peek(0).filter(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                    self.at += 1;
                }
                self.variable(&name, quoted);
            }
            Some('@' | '*' | '#' | '?' | '!' | '$' | '0'..='9') => {
                self.at += 1;
                self.word().dynamic = true;
            }
            _ => self.word().text.push('$'),
        }
    }

    fn variable(&mut self, name: &str, quoted: bool) {
        match name {
            "IFS" if !quoted => self.end_word(),
            "HOME" => self.word().text.push('~'),
            name => {
                let known = self.variables.get(name).cloned();
                let word = self.word();
                match known {
                    Some(value) => word.text.push_str(&value),
                    None => word.dynamic = true,
                }
            }
        }
    }

    fn backticks(&mut self) {
        let mut inner = String::new();
        while let Some(c) = self.next().filter(|c| *c != '`') {
            match c {
                '\\' => inner.extend(self.next()),
                c => inner.push(c),
            }
        }
        let word = self.word();
        word.dynamic = true;
        word.inner.push(inner);
    }

    /// The text up to the bracket that closes; quotes in it count.
    fn until_closed(&mut self, open: char, close: char) -> String {
        let (mut inner, mut depth, mut quote) = (String::new(), 1, None);
        while let Some(c) = self.next() {
            match (quote, c) {
                (Some(q), c) if q == c => quote = None,
                (Some('\''), _) => {}
                (_, '\\') => {
                    inner.push(c);
                    inner.extend(self.next());
                    continue;
                }
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, c) if c == open => depth += 1,
                (None, c) if c == close => {
                    depth -= 1;
                    if depth == 0 {
                        return inner;
                    }
                }
                (None, _) => {}
            }
            inner.push(c);
        }
        inner
    }

    fn redirection(&mut self, c: char) {
        if self.peek(0) == Some('(') {
            self.at += 1;
            let inner = self.until_closed('(', ')');
            let word = self.word();
            word.dynamic = true;
            word.inner.push(inner);
            return;
        }
        // `2>`: the number is no word
        if self.word.as_ref().is_some_and(|w| !w.text.is_empty() && w.text.chars().all(|c| c.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        while self.peek(0).is_some_and(|c| matches!(c, '<' | '>' | '|' | '&' | '-')) {
            self.at += 1;
        }
        self.to = if c == '>' || self.text.get(self.at - 1) == Some(&'>') { To::Write } else { To::Read };
    }

    fn end_word(&mut self) {
        let quoted = std::mem::take(&mut self.quoted);
        let Some(word) = self.word.take() else { return };
        match std::mem::replace(&mut self.to, To::Command) {
            To::Write => self.simple.writes.push(word),
            // what is read does no harm; what is run to be read may
            To::Read if word.inner.is_empty() => {}
            _ if quoted => self.simple.words.push(word),
            _ => self.plain_word(word),
        }
    }

    fn plain_word(&mut self, word: Word) {
        let first = self.simple.words.is_empty();
        if first && KEYWORDS.contains(&word.text.as_str()) && !word.dynamic {
            return;
        }
        if let Some((name, value)) = word.text.split_once('=').filter(|(name, _)| first && is_name(name)) {
            self.variables.insert(name.to_owned(), value.to_owned());
            if !word.inner.is_empty() {
                self.simple.words.push(Word { text: ":".into(), ..word });
            }
            return;
        }
        // `{rm,-rf,/}` is three words
        let braced = word.text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).filter(|t| t.contains(','));
        match braced {
            Some(parts) => {
                let word = |text: &str| Word { text: text.to_owned(), ..Word::default() };
                self.simple.words.extend(parts.split(',').map(word));
            }
            None => self.simple.words.push(word),
        }
        if let [word, name, _, value] = self.simple.words.as_slice()
            && word.text == "for"
        {
            self.variables.insert(name.text.clone(), value.text.clone());
        }
    }

    fn end_simple(&mut self) {
        self.end_word();
        self.to = To::Command;
        let simple = std::mem::take(&mut self.simple);
        if !simple.words.is_empty() || !simple.writes.is_empty() {
            self.pipeline.push(simple);
        }
    }

    fn end_pipeline(&mut self) {
        self.end_simple();
        let pipeline = std::mem::take(&mut self.pipeline);
        if !pipeline.is_empty() {
            self.done.push(pipeline);
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(line: &str) -> Vec<Vec<Vec<String>>> {
        let words = |simple: Simple| simple.words.into_iter().map(|w| w.text).collect();
        read(line).into_iter().map(|pipeline| pipeline.into_iter().map(words).collect()).collect()
    }

    #[test]
    fn lines_are_commands() {
        for (line, commands) in [
            ("a b; c && d || e & f", "a b;c;d;e;f"),
            ("a | b |& c", "a|b|c"),
            ("r''m \"-r\"f '/ x' \\/", "rm -rf / x /"),
            ("x=rm; $x -rf ${HOME}/y", "rm -rf ~/y"),
            ("rm${IFS}-rf$IFS/", "rm -rf /"),
            ("{rm,-rf,/}", "rm -rf /"),
            ("$'\\x72\\155' /", "rm /"),
            ("if a; then { b; }; fi # rm", "a;b"),
            ("a 2>/dev/null >x <y b", "a b"),
            ("(a; b)\nc", "a;b;c"),
            ("a \\\n b", "a b"),
        ] {
            let read: Vec<String> =
                plain(line).iter().map(|p| p.iter().map(|s| s.join(" ")).collect::<Vec<_>>().join("|")).collect();
            assert_eq!(read.join(";"), commands, "{line}");
        }
    }

    #[test]
    fn what_is_within() {
        let pipelines = read("$(echo \")\" x) `b` <(c (d)) > /dev/sda 2>> e");
        let simple = &pipelines[0][0];
        let inner: Vec<_> = simple.words.iter().flat_map(|w| w.inner.clone()).collect();
        assert_eq!(inner, ["echo \")\" x", "b", "c (d)"]);
        let writes: Vec<_> = simple.writes.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(writes, ["/dev/sda", "e"]);
    }
}
