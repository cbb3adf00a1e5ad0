//! `ledger …`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use orrery_app::desk::refusal_error;
use orrery_app::ledger_writer::commit_once;
use orrery_identity::AuditEvent;
use orrery_kernel::{Asset, format_minor, parse_minor};
use orrery_ledger::{Actor, Answer, Bucket, Command, IdemKey, Operation, Outcome, Verifier, export_line, genesis};

use super::args::{BucketName, LedgerCommand, Money};
use super::output::{Lines, complain, say};
use super::users::email;
use crate::config::Config;
use crate::wire;

/// Entries read at a time.
const PAGE: u32 = 1_000;

pub async fn run(config: &Config, command: LedgerCommand) -> Result<ExitCode> {
    match command {
        LedgerCommand::Deposit { who, money, key } => {
            let parts = wire::open(config, true).await?;
            let address = email(&who.email)?;
            let found = parts.database.identity().credential(&address).await?;
            let Some((user, _)) = found else { bail!("there is no user {}", address.as_typed()) };
            let (asset, amount) = amount(&money)?;
            let operation = Operation::Deposit { user: user.id, asset, amount };
            let target = format!("user:{} {asset} {amount}", user.id);
            post(config, &parts, "deposit", &target, operation, key).await?;
            parts.database.close().await;
        }
        LedgerCommand::Fund { bucket, money, key } => {
            let parts = wire::open(config, true).await?;
            let (asset, amount) = amount(&money)?;
            let bucket = match bucket {
                BucketName::Inventory => Bucket::Inventory,
                BucketName::Treasury if asset == Asset::INR => Bucket::Treasury,
                BucketName::Treasury => bail!("the treasury holds rupees only; use --inr"),
            };
            let operation = Operation::FundHouse { asset, bucket, amount };
            let target = format!("house {} {asset} {amount}", bucket.name());
            post(config, &parts, "fund", &target, operation, key).await?;
            parts.database.close().await;
        }
        LedgerCommand::Grant { wallet, tst, key } => {
            if !orrery_crypto::is_address(&wallet) {
                bail!("--wallet {wallet} is not a wallet's address");
            }
            let amount = parse_minor(&tst, Asset::TST.decimals()).with_context(|| format!("--tst {tst}"))?;
            if amount == 0 {
                bail!("--tst {tst}: must be more than nothing");
            }
            let parts = wire::open(config, true).await?;
            let target = format!("wallet:{wallet} TST {amount}");
            let operation = Operation::Grant { wallet: wallet.into(), amount };
            post(config, &parts, "grant", &target, operation, key).await?;
            parts.database.close().await;
        }
        LedgerCommand::Verify => return verify(config).await,
        LedgerCommand::Export => export(config).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn amount(money: &Money) -> Result<(Asset, i64)> {
    let (flag, text, asset, decimals) = match (&money.inr, &money.btc_sat) {
        (Some(text), _) => ("--inr", text, Asset::INR, Asset::INR.decimals()),
        (None, Some(text)) => ("--btc-sat", text, Asset::BTC, 0),
        (None, None) => bail!("say how much, with --inr or --btc-sat"),
    };
    let minor = parse_minor(text, decimals).with_context(|| format!("{flag} {text}"))?;
    if minor == 0 {
        bail!("{flag} {text}: must be more than nothing");
    }
    Ok((asset, minor))
}

async fn post(
    config: &Config,
    parts: &wire::Parts,
    action: &str,
    target: &str,
    operation: Operation,
    key: Option<String>,
) -> Result<()> {
    let key = match key {
        Some(text) => IdemKey::new(&text).with_context(|| format!("--key {text}"))?,
        None => {
            let mut bits = [0; 16];
            parts.entropy.fill(&mut bits);
            IdemKey::from_bits(bits)
        }
    };
    let command = Command { actor: Actor::Operator, key, operation };
    let limits = wire::ledger_limits(config);
    let ledger = parts.database.ledger();
    let answer = commit_once(ledger.as_ref(), parts.clock.as_ref(), limits, command).await;
    let (outcome, replay) = match answer? {
        Answer::New(outcome) => (outcome, false),
        Answer::Replay(outcome) => (outcome, true),
        Answer::KeyReused => bail!("this key was used for something else; nothing was done"),
        Answer::Invalid(field) => bail!("invalid {field}; nothing was done"),
    };
    let receipt = match outcome {
        Outcome::Posted(receipt) => receipt,
        Outcome::Refused(refusal) => bail!("refused: {}", refusal_error(&refusal)),
    };
    if !replay {
        let event = AuditEvent {
            at: parts.clock.now(),
            actor: "operator".into(),
            action: action.into(),
            target: target.into(),
            outcome: "ok".into(),
            address: String::new(),
        };
        parts.database.identity().audit(&event).await.context("the entry is posted, but not in the audit log")?;
    }
    let again = if replay { " (done before under this key; nothing was added)" } else { "" };
    let mut line = format!("entry {}: {action} {target}{again}", receipt.seq);
    if receipt.user.is_some() {
        let inr = format_minor(receipt.sheet.available_inr, Asset::INR.decimals());
        line.push_str(&format!("; available then: {inr} INR, {} sat", receipt.sheet.available_btc));
    }
    say(&line);
    Ok(())
}

async fn verify(config: &Config) -> Result<ExitCode> {
    let parts = wire::open(config, false).await?;
    let mut verifier = Verifier::default();
    parts.database.ledger().audit(&mut verifier).await?;
    let report = verifier.finish();
    for fault in &report.faults {
        complain(&format!("fault: {fault}"));
    }
    let hidden = report.fault_count.saturating_sub(report.faults.len() as u64);
    if hidden > 0 {
        complain(&format!("fault: and {hidden} more"));
    }
    let verdict = match report.fault_count {
        0 => "no faults".to_owned(),
        n => format!("{n} faults"),
    };
    say(&format!("{} entries, {verdict}", report.head.seq));
    say(&hex::encode(report.head.hash));
    parts.database.close().await;
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn export(config: &Config) -> Result<()> {
    let parts = wire::open(config, false).await?;
    let ledger = parts.database.ledger();
    let (mut after, mut head) = (0, genesis());
    loop {
        let entries = ledger.entries(after, PAGE).await?;
        let Some(last) = entries.last() else { break };
        (after, head) = (last.seq, last.hash);
        // made for each page, so that the lock on standard output is not held across an await
        let mut lines = Lines::new();
        entries.iter().for_each(|entry| lines.line(&export_line(entry)));
        if lines.gone() {
            return Ok(());
        }
    }
    say(&hex::encode(head));
    parts.database.close().await;
    Ok(())
}
