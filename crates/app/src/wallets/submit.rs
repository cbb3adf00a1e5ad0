//! Submitting transactions.
//!
//! A transaction is written down as pending, then posted in the ledger under a key that only it can have, then
//! settled. Whoever finds a pending one asks the ledger what became of it, so that a crash between any two of the
//! three loses nothing and does nothing twice.

use std::collections::BTreeMap;
use std::time::Duration;

use orrery_crypto::json::{Duplicates, JsValue, parse};
use orrery_crypto::transaction::{
    AssetTransfer, BasicTransaction, Operation, SmartTransaction, TOKEN_DOMAIN, TransactionError,
};
use orrery_kernel::{Asset, Error, ErrorCode, Result, Timestamp, parse_minor};
use orrery_ledger::{self as ledger, Actor, Answer, Command, IdemKey, NOT_MET, Outcome, Recorded, SHORT, WalletStep};
use orrery_wallets::{Party, State, Stored, Transaction, TransactionKind};

use super::{Wallets, tst};
use crate::Ctx;

/// How far a smart transaction's time may be off.
const SMART_AGE_MAX: Duration = Duration::from_secs(86_400);
/// A pending transaction that the ledger does not have is given up after this long.
const PENDING_MAX: Duration = Duration::from_secs(120);
/// Pending transactions looked at in one go.
const PENDING_PAGE: u32 = 1_000;

/// What a transaction tells those who listen, once it is in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: String,
    /// More about it.
    pub data: JsValue,
}

/// A transaction that is in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The transaction.
    pub transaction: Transaction,
    /// It was there before.
    pub replay: bool,
    /// What it tells; nothing when it was there before.
    pub events: Vec<Event>,
}

/// A verified transaction on its way to the ledger.
struct Plan {
    transaction: Transaction,
    steps: Vec<WalletStep>,
    fee: i64,
    events: Vec<Event>,
}

fn invalid(error: &TransactionError) -> Error {
    Error::invalid(error.field, format!("{} {}", error.field, error.problem))
}

fn parties(from: &str, steps: &[WalletStep], fee: i64) -> Vec<Party> {
    let mut all: BTreeMap<&str, Party> = BTreeMap::new();
    let party = |address: &str| Party { address: address.to_owned(), ..Party::default() };
    let payer = all.entry(from).or_insert_with(|| party(from));
    payer.fee = fee;
    for step in steps {
        if let WalletStep::Pay { to, amount } = step {
            let payer = all.entry(from).or_insert_with(|| party(from));
            payer.sent = payer.sent.saturating_add(*amount);
            let receiver = all.entry(to).or_insert_with(|| party(to));
            receiver.received = receiver.received.saturating_add(*amount);
        }
    }
    all.into_values().collect()
}

fn key_of(transaction: &Transaction) -> Result<IdemKey> {
    IdemKey::new(&transaction.ledger_key()).map_err(Error::internal)
}

impl Plan {
    fn operation(&self) -> Result<ledger::Operation> {
        let mut hash = [0; 32];
        // it was made from 32 bytes
        hex::decode_to_slice(&self.transaction.hash, &mut hash).map_err(Error::internal)?;
        let from = self.transaction.sender.as_str().into();
        Ok(ledger::Operation::WalletTransaction { from, hash, steps: self.steps.clone(), fee: self.fee })
    }
}

impl Wallets {
    /// Takes a basic, smart or asset transaction: verifies it, executes it in the ledger as one entry, and remembers
    /// it. The same one again is answered as it was.
    ///
    /// # Errors
    /// `Invalid` names a field; `InsufficientFunds`; `Conflict` for one whose place in its sender's chain is taken or
    /// whose assertions do not hold.
    pub async fn submit(&self, ctx: &Ctx, transaction: &JsValue) -> Result<Submitted> {
        let plan = self.plan(transaction, ctx.now)?;
        let hash = plan.transaction.hash.clone();
        self.settle_pending(Some(&plan.transaction.sender), ctx.now).await?;
        if let Some(there) = self.ports.store.transaction(&hash).await?
            && there.state != State::Pending
        {
            return Ok(Submitted { transaction: there, replay: true, events: Vec::new() });
        }
        if plan.transaction.kind == TransactionKind::Smart {
            let last = self.ports.store.last_smart(&plan.transaction.sender).await?;
            if last != plan.transaction.prev_hash {
                let text = match last {
                    None => "prev_hash has to be null: the account has no smart transaction yet".to_owned(),
                    Some(last) => format!("prev_hash has to be {last}, the account's last smart transaction"),
                };
                return Err(Error { field: Some("prev_hash"), ..Error::new(ErrorCode::Conflict, text) });
            }
        }
        // known already when another request is at it: the ledger lets one of them through
        let _: Stored = self.ports.store.put_transaction(&plan.transaction).await?;
        self.execute(plan).await
    }

    async fn execute(&self, plan: Plan) -> Result<Submitted> {
        let (operation, key) = (plan.operation()?, key_of(&plan.transaction)?);
        let Plan { mut transaction, events, .. } = plan;
        let answer = self.ports.writer.submit(Command { actor: Actor::System, key, operation }).await?;
        let refused = match answer {
            Answer::New(Outcome::Posted(receipt)) | Answer::Replay(Outcome::Posted(receipt)) => {
                let replay = matches!(answer, Answer::Replay(_));
                transaction.state = State::Confirmed(receipt.seq);
                if !self.ports.store.settle_transaction(&transaction.hash, transaction.state).await? {
                    // another request gave the same one up in between
                    self.ports.store.put_transaction(&transaction).await?;
                }
                metrics::counter!("wallet_transactions_total", "kind" => transaction.kind.name()).increment(1);
                return Ok(Submitted { transaction, replay, events: if replay { Vec::new() } else { events } });
            }
            Answer::Invalid(SHORT) => {
                let held = self.balance(&transaction.sender).await?.held;
                let text = format!("Insufficient TST balance: {} holds {}", transaction.sender, tst(held));
                Error::new(ErrorCode::InsufficientFunds, text)
            }
            Answer::Invalid(NOT_MET) => Error::new(ErrorCode::Conflict, "assert.balance does not hold"),
            Answer::Invalid("fee") => {
                Error::invalid("fee", "fee has to be more than zero where nothing is transferred")
            }
            Answer::Invalid(field) => Error::invalid("transaction", format!("The ledger refuses {field}")),
            Answer::KeyReused => {
                let text = "prev_hash: another transaction has followed the account's last one";
                Error { field: Some("prev_hash"), ..Error::new(ErrorCode::Conflict, text) }
            }
            Answer::New(Outcome::Refused(_)) | Answer::Replay(Outcome::Refused(_)) => {
                Error::new(ErrorCode::Conflict, "The ledger cannot hold that much")
            }
        };
        self.ports.store.forget_transaction(&transaction.hash).await?;
        Err(refused)
    }

    /// Finds out what became of pending transactions.
    pub(super) async fn settle_pending(&self, sender: Option<&str>, now: Timestamp) -> Result<()> {
        for pending in self.ports.store.pending_transactions(sender, PENDING_PAGE).await? {
            let key = (Actor::System, key_of(&pending)?);
            let recorded = self.ports.ledger.recorded(std::slice::from_ref(&key)).await?;
            match recorded.get(&key) {
                // two smart ones may have claimed one place: the key is that of the one which it was made with
                Some(Recorded { outcome: Outcome::Posted(receipt), fingerprint })
                    if self.fingerprint_of(&pending) == Some(*fingerprint) =>
                {
                    let state = State::Confirmed(receipt.seq);
                    self.ports.store.settle_transaction(&pending.hash, state).await?;
                }
                _ if now.since(pending.at) > PENDING_MAX => {
                    self.ports.store.forget_transaction(&pending.hash).await?;
                }
                // another request may be at it
                _ => {}
            }
        }
        Ok(())
    }

    fn fingerprint_of(&self, pending: &Transaction) -> Option<[u8; 32]> {
        let body = parse(&pending.body, Duplicates::LastWins).ok()?;
        Some(self.plan(&body, pending.at).ok()?.operation().ok()?.fingerprint())
    }

    fn plan(&self, transaction: &JsValue, now: Timestamp) -> Result<Plan> {
        let of = |kind, hash: String, sender: String, prev_hash, steps: Vec<WalletStep>, fee, events| {
            let body = transaction.to_json().unwrap_or_default();
            let parties = parties(&sender, &steps, fee);
            let (token, state) = (self.native.id.clone(), State::Pending);
            let transaction = Transaction { hash, kind, sender, parties, token, prev_hash, body, state, at: now };
            Plan { transaction, steps, fee, events }
        };
        match transaction.get("type").and_then(JsValue::as_str) {
            Some("smart") => {
                let smart = SmartTransaction::verify(transaction, now.millis()).map_err(|e| invalid(&e))?;
                if u128::from(now.millis().abs_diff(smart.timestamp)) > SMART_AGE_MAX.as_millis() {
                    return Err(Error::invalid("timestamp", "timestamp is more than 24 hours off"));
                }
                let (steps, events) = steps_of(&smart, now)?;
                let SmartTransaction { from, fee, prev_hash, hash, .. } = smart;
                Ok(of(TransactionKind::Smart, hash, from, prev_hash, steps, fee, events))
            }
            Some("asset.transfer") => {
                let sent = AssetTransfer::verify(transaction, &TOKEN_DOMAIN).map_err(|e| invalid(&e))?;
                if sent.network != self.network() {
                    return Err(Error::invalid("network.id", "network.id is another network"));
                }
                if sent.token != self.native.id || sent.currency != Asset::TST.code() {
                    let text = "token_id is a token whose units this ledger does not hold";
                    return Err(Error::invalid("token_id", text));
                }
                let amount = parse_minor(&sent.amount, Asset::TST.decimals())
                    .map_err(|why| Error::invalid("amount", format!("amount {why}")))?;
                let steps = vec![WalletStep::Pay { to: sent.to.as_str().into(), amount }];
                Ok(of(TransactionKind::Asset, sent.hash, sent.from, None, steps, sent.fee, Vec::new()))
            }
            None => {
                let sent = BasicTransaction::verify(transaction).map_err(|e| invalid(&e))?;
                let pay = WalletStep::Pay { to: sent.to.as_str().into(), amount: sent.amount };
                let steps = if sent.amount > 0 { vec![pay] } else { Vec::new() };
                Ok(of(TransactionKind::Basic, sent.hash, sent.from, None, steps, sent.fee, Vec::new()))
            }
            Some(_) => Err(Error::invalid("type", "type has to be smart or asset.transfer, or missing")),
        }
    }
}

/// What the ledger has to do, after what can be asserted without it.
fn steps_of(smart: &SmartTransaction, now: Timestamp) -> Result<(Vec<WalletStep>, Vec<Event>)> {
    let fails = |what: &'static str| Err(Error::new(ErrorCode::Conflict, what));
    // milliseconds of any year that matters are exact in a double
    let now_ms = now.millis() as f64;
    let (mut steps, mut events) = (Vec::new(), Vec::new());
    for operation in &smart.operations {
        match operation {
            Operation::Transfer { to, amount } => {
                steps.push(WalletStep::Pay { to: to.as_str().into(), amount: *amount });
            }
            Operation::AssertBalance { address, gte } => {
                steps.push(WalletStep::AtLeast { wallet: address.as_str().into(), amount: *gte });
            }
            Operation::AssertTime { before_ms, after_ms } => {
                let early = after_ms.is_some_and(|after| now_ms <= after);
                if early || before_ms.is_some_and(|before| now_ms >= before) {
                    return fails("assert.time does not hold");
                }
            }
            Operation::AssertCompare { left, cmp, right } => {
                if !cmp.holds(left, right) {
                    return fails("assert.compare does not hold");
                }
            }
            Operation::EmitEvent { kind, data } => {
                events.push(Event { kind: kind.clone(), data: data.clone().unwrap_or(JsValue::Null) });
            }
        }
    }
    Ok((steps, events))
}
