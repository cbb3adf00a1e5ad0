//! `wallet …`: what `orrery-crypto` does, for shells.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use orrery_crypto::Wallet;
use orrery_crypto::json::{Duplicates, JsValue, parse};
use orrery_crypto::vectors::{Group, check_vectors};
use zeroize::Zeroizing;

use super::args::WalletCommand;
use super::output::{Lines, say};
use crate::system::SystemEntropy;

/// Most that is read from standard input; a transaction carries up to 2 MiB of data.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Largest file of vectors.
const VECTORS_BYTES_MAX: u64 = 256 * 1024 * 1024;

pub fn run(command: &WalletCommand) -> Result<ExitCode> {
    match command {
        WalletCommand::New => say(&whole(&Wallet::generate(&SystemEntropy))),
        WalletCommand::Import => say(&whole(&wallet(&object()?)?)),
        WalletCommand::Address => say(&public(&wallet(&object()?)?).to_string()),
        WalletCommand::Sign => {
            let input = object()?;
            let wallet = wallet(&input)?;
            say(&serde_json::json!({ "signature": wallet.sign(&data(&input)?) }).to_string());
        }
        WalletCommand::Verify => {
            let input = object()?;
            let field = |key| text(&input, key);
            let good = orrery_crypto::verify(&data(&input)?, &field("signature")?, &field("public_key")?);
            say(if good { "true" } else { "false" });
        }
        WalletCommand::Canonicalize => {
            // as JavaScript reads it: of a key that is there twice the last counts
            let value = parse(&input()?, Duplicates::LastWins).context("standard input")?;
            say(&value.canonical().unwrap_or_default());
        }
        WalletCommand::CheckVectors { file } => return check(file),
    }
    Ok(ExitCode::SUCCESS)
}

fn input() -> Result<Zeroizing<String>> {
    read(std::io::stdin().lock(), INPUT_BYTES_MAX).context("standard input")
}

fn read(from: impl Read, most: u64) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        bail!("is longer than {most} bytes");
    }
    Ok(text)
}

fn object() -> Result<JsValue> {
    let value = parse(&input()?, Duplicates::Refused).context("standard input")?;
    if value.as_object().is_none() {
        bail!("standard input has to be a JSON object");
    }
    Ok(value)
}

fn text(object: &JsValue, key: &str) -> Result<String> {
    let found = object.get(key).and_then(JsValue::as_js_string);
    let found = found.with_context(|| format!("{key:?} has to be a text in the object on standard input"))?;
    Ok(found.to_text().to_owned())
}

/// What is signed: a text as it is, any other value by its deterministic text.
fn data(object: &JsValue) -> Result<String> {
    match object.get("data") {
        Some(JsValue::String(_)) => text(object, "data"),
        other => other.and_then(JsValue::canonical).context("\"data\" is missing in the object on standard input"),
    }
}

fn wallet(input: &JsValue) -> Result<Wallet> {
    let key = Zeroizing::new(text(input, "private_key")?);
    Ok(Wallet::import(&key)?)
}

fn public(wallet: &Wallet) -> serde_json::Value {
    serde_json::json!({
        "address": wallet.address(),
        "number": wallet.number(),
        "public_key": wallet.public_key(),
        "uncompressed": wallet.uncompressed(),
    })
}

fn whole(wallet: &Wallet) -> String {
    let mut shown = public(wallet);
    shown["private_key"] = wallet.private_key().into();
    shown.to_string()
}

fn check(file: &Path) -> Result<ExitCode> {
    let name = || file.display().to_string();
    let opened = std::fs::File::open(file).with_context(name)?;
    let groups = check_vectors(&read(opened, VECTORS_BYTES_MAX).with_context(name)?).with_context(name)?;
    let mut lines = Lines::new();
    for group in &groups {
        lines.line(&format!("{} {}/{}", group.id, group.passed(), group.total));
        for failed in &group.failed {
            super::output::complain(&format!("{}: failed: {failed}", group.id));
        }
    }
    let sum = |count: fn(&Group) -> usize| groups.iter().map(count).sum::<usize>();
    let (passed, total) = (sum(Group::passed), sum(|g| g.total));
    lines.line(&format!("vectors: {passed}/{total}"));
    Ok(if passed == total { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
