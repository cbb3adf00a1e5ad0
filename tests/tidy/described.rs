//! Types of the OpenAPI document: it knows them by their names alone, of two with one name it keeps one without a word.

use std::collections::BTreeMap;

use super::{File, files, none};

/// The names of what is described in a source, each with its line: the type's own or the one of `schema(as = …)`.
fn described(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut renamed, mut wanted) = (Vec::new(), None, false);
    for (n, line) in text.lines().map(str::trim).enumerate() {
        wanted |= line.starts_with("#[derive(") && line.contains("ToSchema");
        if let Some(name) = line.strip_prefix("#[schema(as = ").filter(|_| wanted) {
            renamed = name.split([')', ',']).next().map(str::to_owned);
        }
        let mut words = line.split_whitespace().skip_while(|word| !["struct", "enum"].contains(word)).skip(1);
        if let Some(name) = words.next().filter(|_| wanted && !line.starts_with('#')) {
            let own: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push((n + 1, renamed.take().unwrap_or(own)));
            wanted = false;
        }
    }
    found
}

fn named_twice(files: &[File]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        for (line, name) in described(&file.text) {
            places.entry(name).or_default().push(format!("{}:{line}", file.path));
        }
    }
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    twice.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

#[test]
fn described_types_have_names_of_their_own() {
    let sources: Vec<_> = files(".rs").into_iter().filter(|f| f.path.starts_with("crates/")).collect();
    let seen: usize = sources.iter().map(|f| described(&f.text).len()).sum();
    assert!(seen > 100, "only {seen} described types: the search is broken");
    none(&named_twice(&sources), "give one of them another name in the document: #[schema(as = Name)]");
}

#[test]
fn two_of_one_name_are_found() {
    let sample = "#[derive(Debug, ToSchema)]\npub struct Body<T> {\n}\nstruct Body {}\n";
    let other = "#[derive(ToSchema)]\n#[schema(as = Body)]\n#[serde(default)]\npub(crate) enum Kind { A }\n";
    let faults = named_twice(&[File::sample("a.rs", sample), File::sample("b.rs", other)]);
    assert_eq!(faults, ["Body: a.rs:2, b.rs:4"]);
    assert!(named_twice(&[File::sample("a.rs", sample)]).is_empty());
}
