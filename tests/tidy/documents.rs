//! Documents that a reader follows: links, records of decisions, migrations.

use std::collections::BTreeMap;
use std::path::Path;

use e2e::repository;
use sha2::{Digest, Sha256};

use super::{File, files, none};

/// Targets of the links in a Markdown text, with their line. Code is no text.
fn links(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut fenced) = (Vec::new(), false);
    for (n, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // what stands between backticks is code
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        let mut rest = prose.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let Some(end) = rest.find(')') else { break };
            let target = rest[..end].split_whitespace().next().unwrap_or("");
            found.push((n + 1, target.trim_matches(['<', '>']).to_owned()));
            rest = &rest[end..];
        }
    }
    found
}

/// The anchors that a heading gives, as forges make them.
fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && line.starts_with('#') {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            found.push(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    found
}

/// Links of a document that lead nowhere within `root`.
fn broken(file: &File, root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for (line, target) in links(&file.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = target.split_once('#').map_or((target.as_str(), None), |(p, a)| (p, Some(a)));
        let folder = root.join(&file.path).parent().unwrap().to_owned();
        let full = if path.is_empty() { root.join(&file.path) } else { folder.join(path) };
        let there = full.exists();
        let anchored = anchor.is_none_or(|anchor| {
            full.extension().is_none_or(|e| e != "md")
                || std::fs::read_to_string(&full).is_ok_and(|text| anchors(&text).iter().any(|a| a == anchor))
        });
        if !there || !anchored {
            faults.push(format!("{}:{line}: {target} leads nowhere", file.path));
        }
    }
    faults
}

/// Records of decisions: numbered without a gap, with a title and the three parts.
fn records(all: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for (n, file) in (1..).zip(all) {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if !name.starts_with(&format!("{n:04}-")) {
            faults.push(format!("{} is not number {n:04}", file.path));
        }
        let title = file.text.lines().next().unwrap_or_default();
        if title.strip_prefix("# ").is_none_or(|t| t.trim().len() < 8) {
            faults.push(format!("{} does not begin with `# ` and a title", file.path));
        }
        if file.text.lines().filter(|l| !l.trim().is_empty()).count() < 4 {
            faults.push(format!("{} gives no context, choice and price", file.path));
        }
    }
    faults
}

/// Digests as `CHECKSUMS` lists them against the files' own.
fn checksums(listed: &str, migrations: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut named = Vec::new();
    for line in listed.lines().filter(|l| !l.trim().is_empty()) {
        let Some((digest, path)) = line.split_once("  ") else {
            faults.push(format!("not `DIGEST  PATH`: {line}"));
            continue;
        };
        named.push(path);
        match migrations.get(path) {
            None => faults.push(format!("{path} is listed but absent")),
            Some(text) if hex::encode(Sha256::digest(text)) != digest => {
                faults.push(format!("{path} is not what was released"));
            }
            Some(_) => {}
        }
    }
    let missing = migrations.keys().filter(|path| !named.contains(&path.as_str()));
    faults.extend(missing.map(|path| format!("{path} is not listed")));
    faults
}

#[test]
fn links_lead_somewhere() {
    let faults: Vec<_> = files(".md").iter().flat_map(|file| broken(file, repository())).collect();
    none(&faults, "Mend the link, or write what it points to.");
}

#[test]
fn a_newcomer_finds_the_documents() {
    let expected = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/adding.md",
        "docs/config.md",
        "docs/operations.md",
        "docs/performance.md",
        "docs/quirks.md",
        "deny.toml",
        "justfile",
        ".ci/run",
        "testdata/marketdata/README.md",
    ];
    let missing: Vec<_> =
        expected.iter().filter(|p| !repository().join(p).is_file()).map(|p| format!("{p} is missing")).collect();
    none(&missing, "Each of them is linked or relied on from elsewhere.");
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(repository().join(licence).is_file(), "{licence} is missing, but the manifests say MIT OR Apache-2.0");
    }
}

#[test]
fn decisions_are_recorded() {
    let all: Vec<_> = files(".md").into_iter().filter(|f| f.path.starts_with("docs/adr/")).collect();
    assert!(!all.is_empty(), "docs/adr is empty");
    none(&records(&all), "NNNN-slug.md, a title, then context, choice and price.");
}

#[test]
fn released_migrations_stay() {
    let folder = repository().join("migrations");
    let listed = std::fs::read_to_string(folder.join("CHECKSUMS")).unwrap();
    let migrations = files(".sql")
        .into_iter()
        .filter_map(|f| Some((f.path.strip_prefix("migrations/")?.to_owned(), f.text.into_bytes())));
    let migrations: BTreeMap<_, _> = migrations.collect();
    assert!(!migrations.is_empty(), "no migrations: the walk is broken");
    none(&checksums(&listed, &migrations), "Released migrations never change: write a new one and list its SHA-256.");
}

#[test]
fn bad_samples_are_noticed() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("b.md"), "# A Title, here\n").unwrap();
    let document = |text: &str| File::sample("a.md", text);
    std::fs::write(root.path().join("a.md"), "").unwrap();
    for bad in ["[x](c.md)", "see [x](b.md#nothing)", "[x](#nothing)", "![p](p.png)"] {
        assert_eq!(broken(&document(bad), root.path()).len(), 1, "{bad}");
    }
    for good in
        ["[x](b.md)", "[x](b.md#a-title-here)", "[x](https://example.org/)", "`[x](c.md)`", "```\n[x](c.md)\n```"]
    {
        assert_eq!(broken(&document(good), root.path()), <[String; 0]>::default(), "{good}");
    }

    let record = |path: &str, text: &str| File::sample(path, text);
    let text = "# Decide in one place\n\nContext.\nChoice.\nPrice.\n";
    assert_eq!(records(&[record("docs/adr/0001-a.md", text)]).len(), 0);
    assert_eq!(records(&[record("docs/adr/0002-a.md", text)]).len(), 1);
    assert_eq!(records(&[record("docs/adr/0001-a.md", "Decide\nb\nc\nd\n")]).len(), 1);
    assert_eq!(records(&[record("docs/adr/0001-a.md", "# Decide in one place\n")]).len(), 1);

    let migrations = BTreeMap::from([("sqlite/0001_a.sql".to_owned(), b"SELECT 1;".to_vec())]);
    let digest = hex::encode(Sha256::digest(b"SELECT 1;"));
    assert_eq!(checksums(&format!("{digest}  sqlite/0001_a.sql\n"), &migrations).len(), 0);
    assert_eq!(checksums("", &migrations).len(), 1);
    assert_eq!(checksums(&format!("{}  sqlite/0001_a.sql\n", "0".repeat(64)), &migrations).len(), 1);
    assert_eq!(checksums(&format!("{digest}  sqlite/0001_a.sql\n{digest}  sqlite/0002_b.sql\n"), &migrations).len(), 1);
}
