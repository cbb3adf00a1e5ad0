//! What a source file may say.

use super::{File, files, none};

/// Files that begin without a `//!` line, and why.
const NO_HEADER: [(&str, &str); 0] = [];

/// Most lines of a file.
const LINES_MAX: usize = 900;

/// Code without comments, texts and character literals: those are blanked, line breaks stay.
fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut i = 0;
    let starts = |i: usize, what: &[u8]| bytes[i..].starts_with(what);
    while i < bytes.len() {
        let end = if starts(i, b"//") {
            bytes[i..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| i + n)
        } else if starts(i, b"/*") {
            block_comment_end(bytes, i)
        } else if let Some(end) = text_end(bytes, i) {
            end
        } else {
            code.push(bytes[i]);
            i += 1;
            continue;
        };
        code.extend(bytes[i..end].iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' }));
        i = end;
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < bytes.len() {
        if bytes[i..].starts_with(b"/*") {
            (depth, i) = (depth + 1, i + 2);
        } else if bytes[i..].starts_with(b"*/") {
            (depth, i) = (depth - 1, i + 2);
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    bytes.len()
}

/// The end of the text or character literal that starts here, if one does.
fn text_end(bytes: &[u8], start: usize) -> Option<usize> {
    let inside_a_word = start > 0 && (bytes[start - 1].is_ascii_alphanumeric() || bytes[start - 1] == b'_');
    let mut i = start;
    if !inside_a_word {
        if bytes[i] == b'b' || bytes[i] == b'c' {
            i += 1;
        }
        if bytes.get(i) == Some(&b'r') {
            let hashes = bytes[i + 1..].iter().take_while(|b| **b == b'#').count();
            if bytes.get(i + 1 + hashes) == Some(&b'"') {
                let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
                let body = i + hashes + 2;
                let found = bytes[body..].windows(close.len()).position(|w| w == close);
                return Some(found.map_or(bytes.len(), |n| body + n + close.len()));
            }
            return None;
        }
    }
    let quote = *bytes.get(i)?;
    if quote == b'\'' {
        // a lifetime has no closing quote after one character
        let one = bytes[i + 1..].iter().position(|b| *b == b'\'')?;
        let escaped = bytes.get(i + 1) == Some(&b'\\');
        let text = std::str::from_utf8(&bytes[i + 1..i + 1 + one]).ok()?;
        if !escaped && text.chars().count() != 1 {
            return None;
        }
        if bytes.get(i + 1..i + 3) == Some(b"\\'") {
            return Some(i + 4);
        }
        return Some(i + one + 2);
    }
    if quote != b'"' {
        return None;
    }
    let mut j = i + 1;
    while j < bytes.len() && bytes[j] != b'"' {
        j += if bytes[j] == b'\\' { 2 } else { 1 };
    }
    Some((j + 1).min(bytes.len()))
}

/// Code before the file's own tests.
fn shipped(code: &str) -> &str {
    let mut at = 0;
    let mut lines = code.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let next_is_module = lines.peek().is_some_and(|n| n.trim_start().starts_with("mod ") && n.contains('{'));
        if line.trim() == "#[cfg(test)]" && next_is_module {
            return &code[..at];
        }
        at += line.len();
    }
    code
}

/// Does `token` stand in `line` as a word (or path) of its own?
fn has_token(line: &str, token: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(token).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + token.len()..].chars().next();
        let goes_on_before = token.chars().next().is_some_and(word) && before.is_some_and(word);
        let goes_on_after = token.chars().next_back().is_some_and(word) && after.is_some_and(word);
        !goes_on_before && !goes_on_after
    })
}

/// Words that the shipped code of some crates must not contain, and why.
struct Forbidden {
    crates: &'static [&'static str],
    tokens: &'static [&'static str],
    why: &'static str,
}

const CORE: &[&str] = &[
    "kernel", "protocol", "crypto", "exec", "identity", "storage", "ledger", "market", "realtime", "venues", "wallets",
    "workers",
];

const FORBIDDEN: [Forbidden; 8] = [
    Forbidden {
        crates: CORE,
        tokens: &[
            "tokio",
            "std::fs",
            "std::process",
            "std::env",
            "std::thread",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ToSocketAddrs",
        ],
        why: "layers 0 and 1 do no I/O",
    },
    Forbidden { crates: CORE, tokens: &["SystemTime", "Instant"], why: "time comes in as an argument" },
    Forbidden {
        crates: CORE,
        tokens: &["OsRng", "SysRng", "thread_rng", "ThreadRng", "getrandom"],
        why: "randomness comes in through kernel::Entropy",
    },
    Forbidden { crates: &["kernel", "ledger"], tokens: &["f32", "f64"], why: "money is integers" },
    Forbidden {
        crates: &["ledger", "identity", "market"],
        tokens: &["Serialize", "Deserialize", "serde"],
        why: "domain types are not wire types; their twins live in protocol",
    },
    Forbidden {
        crates: &["app"],
        tokens: &[
            "sqlx",
            "axum",
            "reqwest",
            "hyper",
            "tokio::net",
            "tokio::fs",
            "tokio::process",
            "std::fs",
            "std::net::Tcp",
        ],
        why: "use cases reach the outside through ports",
    },
    Forbidden {
        crates: &["api-bittrade", "api-socketio", "console"],
        tokens: &["sqlx", "reqwest", "tokio::fs", "tokio::process", "std::fs", "std::process", "std::env"],
        why: "surfaces extract, call one use case and render",
    },
    Forbidden {
        crates: &[
            "store-sqlite",
            "store-memory",
            "feeds",
            "script",
            "http-kit",
            "api-bittrade",
            "api-socketio",
            "console",
            "app",
        ],
        tokens: &["std::env", "env!"],
        why: "configuration is read in server::config only",
    },
];

fn forbidden(file: &File) -> Vec<String> {
    let Some(crate_name) = file.path.strip_prefix("crates/").and_then(|p| p.split_once("/src/")).map(|(n, _)| n) else {
        return Vec::new();
    };
    let test_file = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    if test_file {
        return Vec::new();
    }
    let code = code_only(&file.text);
    let code = shipped(&code);
    let mut faults = Vec::new();
    for rule in FORBIDDEN.iter().filter(|r| r.crates.contains(&crate_name)) {
        for (n, line) in code.lines().enumerate() {
            for token in rule.tokens.iter().filter(|t| has_token(line, t)) {
                faults.push(format!("{}:{}: {token}: {}", file.path, n + 1, rule.why));
            }
        }
    }
    faults
}

/// The same words everywhere: what must not be left in any source.
fn leftovers(file: &File) -> Vec<String> {
    let code = code_only(&file.text);
    let mut faults = Vec::new();
    for (n, line) in code.lines().enumerate() {
        for (token, instead) in [
            ("#[allow", "use #[expect(…, reason = \"…\")]"),
            ("#![allow", "use #![expect(…, reason = \"…\")]"),
            ("todo!", "finish it"),
            ("unimplemented!", "finish it"),
            ("dbg!", "take it out"),
            ("#[ignore", "a test runs or is deleted"),
        ] {
            if has_token(line, token) {
                faults.push(format!("{}:{}: {token}: {instead}", file.path, n + 1));
            }
        }
    }
    faults
}

/// Notes to oneself, in comments too.
fn notes(file: &File) -> Vec<String> {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat(), ["HA", "CK"].concat()];
    let mut faults = Vec::new();
    for (n, line) in file.text.lines().enumerate() {
        for word in words.iter().filter(|w| has_token(line, w)) {
            faults.push(format!("{}:{}: {word}", file.path, n + 1));
        }
    }
    faults
}

fn header(file: &File) -> Option<String> {
    let listed = NO_HEADER.iter().any(|(path, _)| *path == file.path);
    let there = file.text.lines().next().is_some_and(|l| l.starts_with("//! ") && l.len() > 8);
    (!listed && !there).then(|| format!("{} does not begin with `//! ` and what it is for", file.path))
}

fn long(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    (lines > LINES_MAX).then(|| format!("{} has {lines} lines, more than {LINES_MAX}", file.path))
}

/// Reasons are given with every exception from a lint.
fn reasons(file: &File) -> Vec<String> {
    let code = code_only(&file.text);
    let (mut faults, mut at) = (Vec::new(), 0);
    while let Some(found) = code[at..].find("[expect(") {
        let start = at + found;
        let end = code[start..].find(']').map_or(code.len(), |n| start + n);
        if !has_token(&code[start..end], "reason") {
            let line = code[..start].matches('\n').count() + 1;
            faults.push(format!("{}:{line}: an #[expect] without a reason", file.path));
        }
        at = end;
    }
    faults
}

/// Tests in JavaScript that would be passed over.
fn skipped_js(file: &File) -> Vec<String> {
    let words =
        ["it.skip", "test.skip", "describe.skip", "skip: true", "it.only", "test.only", "only: true", "test.todo"];
    let mut faults = Vec::new();
    for (n, line) in file.text.lines().enumerate() {
        for word in words.iter().filter(|w| has_token(line, w)) {
            faults.push(format!("{}:{}: {word}", file.path, n + 1));
        }
    }
    faults
}

#[test]
fn crates_keep_to_their_layer() {
    let faults: Vec<_> = files(".rs").iter().flat_map(forbidden).collect();
    none(&faults, "Move it to an adapter, `app` or `server`, and let it in through a port or an argument.");
}

#[test]
fn nothing_is_left_over() {
    let faults: Vec<_> = files(".rs").iter().flat_map(leftovers).collect();
    none(&faults, "Finish it before it is committed.");
}

#[test]
fn notes_are_issues() {
    let mut all = files(".rs");
    for ending in [".toml", ".sql", ".md", ".html", ".css", ".js", ".mjs"] {
        all.extend(files_or_none(ending));
    }
    let faults: Vec<_> = all.iter().flat_map(notes).collect();
    none(&faults, "Do it, or write it where work is planned.");
}

fn files_or_none(ending: &str) -> Vec<File> {
    // kinds of files that a checkout may be without
    std::panic::catch_unwind(|| files(ending)).unwrap_or_default()
}

#[test]
fn files_say_what_they_are_for() {
    let faults: Vec<_> = files(".rs").iter().filter_map(header).collect();
    none(&faults, "Begin the file with `//! ` and one sentence: what it is for, and what must hold.");
}

#[test]
fn files_have_one_subject() {
    let faults: Vec<_> = files(".rs").iter().filter_map(long).collect();
    none(&faults, "Split it by subject.");
}

#[test]
fn exceptions_have_reasons() {
    let faults: Vec<_> = files(".rs").iter().flat_map(reasons).collect();
    none(&faults, "Say in `reason` why the lint is wrong here.");
}

#[test]
fn no_javascript_test_is_passed_over() {
    let all: Vec<_> = files_or_none(".js").into_iter().chain(files_or_none(".mjs")).collect();
    let faults: Vec<_> = all.iter().filter(|f| f.path.starts_with("tests/")).flat_map(skipped_js).collect();
    none(&faults, "A test runs or is deleted.");
}

#[test]
fn comments_and_texts_are_no_code() {
    let source = concat!(
        "//! tokio in a comment\n",
        "let a = \"std::fs \\\" std::env\"; let b = 'x'; let c: &'static str = r#\"Instant \"quoted\" \"#;\n",
        "/* SystemTime /* nested */ f64 */ let d = '\\''; let e = b\"f64\"; let q = '\"'; fn f<'a>() {}\n",
        "real::Instant::now();\n",
    );
    let code = code_only(source);
    assert_eq!(code.lines().count(), 4);
    for gone in ["tokio", "std::fs", "std::env", "SystemTime", "f64", "quoted"] {
        assert!(!code.contains(gone), "{gone} in {code}");
    }
    for kept in ["let b =", "&'static str", "let d =", "fn f<'a>() {}", "real::Instant::now()"] {
        assert!(code.contains(kept), "no {kept} in {code}");
    }
    assert_eq!(shipped("a\n#[cfg(test)]\nmod tests {\nb\n"), "a\n");
    assert_eq!(shipped("#[cfg(test)]\nfn only() {}\nb\n"), "#[cfg(test)]\nfn only() {}\nb\n");
}

#[test]
fn bad_samples_are_noticed() {
    let in_crate = |name: &str, text: &str| File::sample(&format!("crates/{name}/src/a.rs"), text);
    for (name, text) in [
        ("kernel", "use tokio::sync::Mutex;"),
        ("crypto", "let t = std::time::Instant::now();"),
        ("market", "std::fs::read(path)"),
        ("ledger", "let rate: f64 = 1.0;"),
        ("ledger", "#[derive(Serialize)]"),
        ("storage", "std::env::var(\"HOME\")"),
        ("identity", "getrandom::fill(&mut b)"),
        ("app", "sqlx::query(\"\")"),
        ("api-bittrade", "std::fs::read(path)"),
        ("feeds", "std::env::var(\"KEY\")"),
    ] {
        assert!(!forbidden(&in_crate(name, text)).is_empty(), "{name}: {text}");
    }
    for (name, text) in [
        ("kernel", "// tokio is not used here\nlet instant = InstantLike;"),
        ("ledger", "let x = a;\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n"),
        ("market", "let f64ish = 1;"),
        ("app", "use std::net::IpAddr;"),
        ("server", "std::env::var(\"PORT\")"),
    ] {
        assert_eq!(forbidden(&in_crate(name, text)), <[String; 0]>::default(), "{name}: {text}");
    }
    for text in ["#[allow(dead_code)]", "#![allow(unused)]", "todo!()", "dbg!(x)", "unimplemented!()", "#[ignore]"] {
        assert_eq!(leftovers(&in_crate("app", text)).len(), 1, "{text}");
    }
    assert_eq!(leftovers(&in_crate("app", "// todo!() in a comment\nlet s = \"dbg!\";")).len(), 0);
    assert_eq!(notes(&in_crate("app", &["// TO", "DO: later"].concat())).len(), 1);
    assert!(header(&in_crate("app", "use std::fmt;")).is_some());
    assert!(header(&in_crate("app", "//! x\n")).is_some(), "a header says something");
    assert!(header(&in_crate("app", "//! What it is for.\n")).is_none());
    assert!(long(&in_crate("app", &"\n".repeat(LINES_MAX + 1))).is_some());
    assert_eq!(reasons(&in_crate("app", "#[expect(dead_code)]\nfn a() {}")).len(), 1);
    assert_eq!(reasons(&in_crate("app", "#[expect(\n dead_code,\n reason = \"x\")]\nfn a() {}")).len(), 0);
    assert_eq!(skipped_js(&File::sample("tests/js/a.mjs", "test.skip('x', () => {})")).len(), 1);
}
