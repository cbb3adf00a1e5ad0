//! What the criterion benches share: a funded ledger and trades.

use orrery_kernel::{Asset, SnapshotId, StoreError, Timestamp, UserId};
use orrery_ledger::{Actor, Command, IdemKey, LedgerStore, Limits, NewSnapshot, Operation, Side, Size, decide, needs};

/// The moment that benches stand still at.
pub const START: Timestamp = Timestamp::from_secs(1_795_518_600);

/// A key of digits.
///
/// # Panics
/// Never: digits are visible ASCII.
pub fn key(prefix: &str, n: u64) -> IdemKey {
    IdemKey::new(&format!("{prefix}{n}")).unwrap_or_else(|e| panic!("{prefix}{n} {e}"))
}

/// Gives `users` users more than they will spend, and a price; gives the price's id.
///
/// # Panics
/// When the store does not answer: a bench cannot go on.
pub async fn funded(store: &dyn LedgerStore, users: u64) -> SnapshotId {
    let price = NewSnapshot {
        source: "bench".into(),
        btc_usd_cents: 4_500_000,
        buy_mult_e4: 910_000,
        sell_mult_e4: 880_000,
        buy_rate: 409_500_000,
        sell_rate: 396_000_000,
        observed_at: START,
        received_at: START,
    };
    let failed = |e: StoreError| -> SnapshotId { panic!("the store: {e}") };
    let snapshot = store.put_snapshot(&price).await.unwrap_or_else(failed);
    let commands: Vec<_> = (1..=users)
        .map(|user| Command {
            actor: Actor::Operator,
            key: key("fund", user),
            operation: Operation::Deposit { user: id(user), asset: Asset::INR, amount: 1_000_000_000_000_000 },
        })
        .collect();
    for commands in commands.chunks(256).map(<[Command]>::to_vec) {
        let needs = needs(&commands);
        let decider = Box::new(move |view| decide(view, &commands, START, &Limits::default()));
        if let Err(e) = store.commit(&needs, decider).await {
            failed(e);
        }
    }
    snapshot
}

fn id(user: u64) -> UserId {
    UserId(i64::try_from(user).unwrap_or(i64::MAX))
}

/// A buy of 1,000 rupees by one of `users` users, numbered `n`.
pub fn buy(snapshot: SnapshotId, users: u64, n: u64) -> Command {
    let user = id(1 + n % users);
    let operation =
        Operation::Trade { user, side: Side::Buy, size: Size::Inr(100_000), snapshot, worst_rate: None, plan: false };
    Command { actor: Actor::User(user), key: key("t", n), operation }
}

/// `count` buys from number `from` on.
pub fn buys(snapshot: SnapshotId, users: u64, from: u64, count: u64) -> Vec<Command> {
    (from..from + count).map(|n| buy(snapshot, users, n)).collect()
}

/// Signed basic transactions as they come over the wire, JSON: those of the recorded vectors that say so of
/// themselves.
pub fn signed_transactions() -> Vec<String> {
    use orrery_crypto::json::{Duplicates, JsValue, parse};
    let file = include_str!("../../testdata/gliesereum.json");
    let file = parse(file, Duplicates::Refused).unwrap_or_else(|e| panic!("{e}"));
    let groups = file.get("groups").and_then(JsValue::as_array).unwrap_or_default();
    let named = |name: &str| {
        let group = groups.iter().find(|g| g.get("id").and_then(JsValue::as_str) == Some(name));
        group.and_then(|g| g.get("cases")).and_then(JsValue::as_array).unwrap_or_default()
    };
    let good = |case: &&JsValue| case.get("wire_validates").and_then(JsValue::as_bool) == Some(true);
    let cases = named("basic_transaction_head").iter().chain(named("basic_transaction_seed"));
    let wire = |case: &JsValue| case.get("wire_json").and_then(JsValue::as_str).map(str::to_owned);
    // a few are as large as they may be, and would be all that is measured
    cases.filter(good).filter_map(wire).filter(|text| text.len() < 4_096).collect()
}
