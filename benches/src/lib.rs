//! What the benches and the load tool share: a funded ledger, trades, and figures.

pub mod compare;
pub mod http;

use std::time::Duration;

use hdrhistogram::Histogram;
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
    let operation = Operation::Trade { user, side: Side::Buy, size: Size::Inr(100_000), snapshot, worst_rate: None };
    Command { actor: Actor::User(user), key: key("t", n), operation }
}

/// `count` buys from number `from` on.
pub fn buys(snapshot: SnapshotId, users: u64, from: u64, count: u64) -> Vec<Command> {
    (from..from + count).map(|n| buy(snapshot, users, n)).collect()
}

/// How often and how fast.
pub struct Figures {
    /// What was measured.
    pub name: String,
    /// How long.
    pub took: Duration,
    /// Latency of each success, microseconds, from send to answer.
    pub latency: Histogram<u64>,
    /// Answers that were no success.
    pub failures: u64,
}

impl Figures {
    /// Nothing yet.
    ///
    /// # Panics
    /// Never: three significant digits are allowed.
    pub fn new(name: &str) -> Self {
        let latency = Histogram::new(3).unwrap_or_else(|e| panic!("{e}"));
        Self { name: name.to_owned(), took: Duration::ZERO, latency, failures: 0 }
    }

    /// One more success.
    pub fn record(&mut self, latency: Duration) {
        self.latency.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// Puts another worker's figures to these.
    pub fn add(&mut self, other: &Self) {
        // both have the same settings
        let _ = self.latency.add(&other.latency);
        self.failures += other.failures;
    }

    /// Successes a second.
    pub fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// A quantile of the latency, milliseconds.
    pub fn ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// One row of a table under [`Figures::HEAD`].
    pub fn row(&self) -> String {
        format!(
            "{:<34} {:>9.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9}",
            self.name,
            self.rate(),
            self.ms(0.5),
            self.ms(0.9),
            self.ms(0.99),
            self.ms(1.0),
            self.failures
        )
    }

    /// The table's head.
    pub const HEAD: &str =
        "                                    trades/s    p50 ms    p90 ms    p99 ms    max ms  failures";

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "trades_per_s": self.rate(),
            "p50_ms": self.ms(0.5),
            "p90_ms": self.ms(0.9),
            "p99_ms": self.ms(0.99),
            "max_ms": self.ms(1.0),
            "trades": self.latency.len(),
            "failures": self.failures,
            "seconds": self.took.as_secs_f64(),
        })
    }
}
