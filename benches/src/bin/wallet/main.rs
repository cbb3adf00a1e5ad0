//! How many signed transactions a core checks in a second, beside JavaScript on the same inputs.
//!
//! `wallet SECONDS [PEERS_DIR]`: with a directory, `wallet.mjs` there is run on the same texts.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use benches::signed_transactions;
use orrery_crypto::json::{Duplicates, parse};
use orrery_crypto::transaction::{Validity, validate_basic};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().unwrap_or_else(|| "3".into()).parse().context("SECONDS")?;
    let texts = signed_transactions();
    let ours = rate(seconds, &texts)?;
    println!("{:<34} {ours:>12.0} /s", "orrery-crypto");
    let Some(peers) = arguments.next() else { return Ok(()) };
    let mut child = Command::new("node")
        .args([format!("{peers}/wallet.mjs"), seconds.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("node")?;
    let mut input = child.stdin.take().context("node's input")?;
    input.write_all(format!("[{}]", texts.join(",")).as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("the peer failed; run `npm install` in {peers}");
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (name, rate) = line.rsplit_once(' ').context("a line of name and rate")?;
        let rate: f64 = rate.parse()?;
        println!("{name:<34} {rate:>12.0} /s   {:.1}x", ours / rate);
    }
    Ok(())
}

/// Reads, canonicalises, hashes and verifies the texts in turn, on one thread.
fn rate(seconds: u64, texts: &[String]) -> Result<f64> {
    #[expect(clippy::disallowed_methods, reason = "a load tool has a clock of its own")]
    let clock = std::time::Instant::now;
    let (start, mut done) = (clock(), 0_u32);
    while start.elapsed().as_secs() < seconds {
        for text in texts {
            if validate_basic(&parse(text, Duplicates::Refused)?) != Validity::Valid {
                bail!("a transaction that should be good is not");
            }
            done += 1;
        }
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}
