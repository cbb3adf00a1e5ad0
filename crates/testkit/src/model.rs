//! The reference model of the ledger: as plain as it can be, written from the rules and not from the
//! code. It knows accounts by their text codes, keeps everything, optimises nothing, and computes the
//! hash chain from the documented layout by itself.

use std::collections::BTreeMap;

use orrery_kernel::{AMOUNT_MAX, ONE_BTC, Timestamp, UserId};
use orrery_ledger::{Actor, Answer, Bucket, Command, NewSnapshot, Operation, Outcome, Refusal, Side, Size};
use sha2::{Digest, Sha256};

/// What the model says to a command, in words that are easy to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Decided now.
    New(Said1),
    /// Decided before.
    Replay(Said1),
    /// The key belongs to another request.
    KeyReused,
    /// Broken shape.
    Invalid,
}

/// An outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said1 {
    /// Entry, paise, satoshis, rate, time and the user's seven balances.
    Posted(i64, i128, i128, i128, i64, [i128; 7]),
    /// The refusal's name; for shortages the amount needed and the amount there.
    Refused(&'static str, i128, i128),
}

impl Said {
    /// A store's answer in the model's words.
    pub fn of(answer: &Answer) -> Self {
        let outcome = |outcome: &Outcome| match outcome {
            Outcome::Posted(r) => {
                let s = r.sheet;
                let sheet = [
                    s.available_inr,
                    s.available_btc,
                    s.reserved_inr,
                    s.reserved_btc,
                    s.collateral_btc,
                    s.borrowed_inr,
                    s.interest_accrued,
                ];
                Said1::Posted(r.seq, r.inr.into(), r.btc.into(), r.rate.into(), r.at.micros(), sheet.map(i128::from))
            }
            Outcome::Refused(refusal) => match refusal {
                Refusal::Insufficient { required, available, .. } => {
                    Said1::Refused("insufficient", i128::from(*required), i128::from(*available))
                }
                Refusal::Bound { .. } => Said1::Refused("bound", 0, 0),
                Refusal::Dust => Said1::Refused("dust", 0, 0),
                Refusal::StalePrice => Said1::Refused("stale", 0, 0),
                Refusal::Slippage => Said1::Refused("slippage", 0, 0),
                Refusal::NoSuchEntry => Said1::Refused("no entry", 0, 0),
                Refusal::NotReversible => Said1::Refused("not reversible", 0, 0),
            },
        };
        match answer {
            Answer::New(o) => Self::New(outcome(o)),
            Answer::Replay(o) => Self::Replay(outcome(o)),
            Answer::KeyReused => Self::KeyReused,
            Answer::Invalid(_) => Self::Invalid,
        }
    }
}

#[derive(Clone)]
struct Entry {
    kind: u8,
    legs: Vec<(String, String, i128)>,
    undone: bool,
}

/// The whole state.
pub struct Model {
    balances: BTreeMap<String, i128>,
    journal: Vec<Entry>,
    keys: BTreeMap<(String, String), (Operation, Said1)>,
    snapshots: Vec<NewSnapshot>,
    max_age_us: i64,
    floor: i128,
    now: i64,
    /// The journal's head.
    pub head: [u8; 32],
}

impl Model {
    /// An empty ledger with stored prices 1, 2, 3 …; `floor` bounds both inventories.
    pub fn new(snapshots: Vec<NewSnapshot>, max_age_us: i64, floor: i64) -> Self {
        Self {
            balances: BTreeMap::new(),
            journal: Vec::new(),
            keys: BTreeMap::new(),
            snapshots,
            max_age_us,
            floor: floor.into(),
            now: 0,
            head: Sha256::digest(b"ledger/v1").into(),
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now.micros());
    }

    /// Balance of an account by its code.
    pub fn balance(&self, code: &str) -> i128 {
        self.balances.get(code).copied().unwrap_or(0)
    }

    /// Entries so far.
    pub fn length(&self) -> i64 {
        i64::try_from(self.journal.len()).expect("a short journal")
    }

    /// A user's seven balances as shown.
    pub fn sheet(&self, user: UserId) -> [i128; 7] {
        let at = |rest: &str| self.balance(&format!("user:{user}/{rest}"));
        [
            at("INR/available"),
            at("BTC/available"),
            at("INR/reserved"),
            at("BTC/reserved"),
            at("BTC/collateral"),
            -at("INR/borrowed"),
            -at("INR/interest"),
        ]
    }

    /// Does one command.
    pub fn execute(&mut self, command: &Command) -> Said {
        let key = (command.actor.code(), command.key.as_str().to_owned());
        if let Some((operation, said)) = self.keys.get(&key) {
            return if same_request(operation, &command.operation) {
                Said::Replay(said.clone())
            } else {
                Said::KeyReused
            };
        }
        let Some(said) = self.step(command) else { return Said::Invalid };
        self.keys.insert(key, (command.operation.clone(), said.clone()));
        Said::New(said)
    }

    /// `None`: broken shape.
    fn step(&mut self, command: &Command) -> Option<Said1> {
        let money = |n: i64| (1..=AMOUNT_MAX).contains(&n).then_some(i128::from(n));
        let refused = |name| Some(Said1::Refused(name, 0, 0));
        match command.operation {
            Operation::Deposit { user, asset, amount } => {
                let amount = money(amount)?;
                let leg = (format!("world/{asset}/outside"), format!("user:{user}/{asset}/available"), amount);
                let (inr, btc) = if asset.code() == "INR" { (amount, 0) } else { (0, amount) };
                Some(self.post(command, 1, 0, None, 0, vec![leg], Some(user), inr, btc, 0))
            }
            Operation::FundHouse { asset, bucket, amount } => {
                let name = match (bucket, asset.code()) {
                    (Bucket::Inventory, "INR" | "BTC") => "inventory",
                    (Bucket::Treasury, "INR") => "treasury",
                    _ => return None,
                };
                let amount = money(amount)?;
                let leg = (format!("world/{asset}/outside"), format!("house/{asset}/{name}"), amount);
                let (inr, btc) = if asset.code() == "INR" { (amount, 0) } else { (0, amount) };
                Some(self.post(command, 2, 0, None, 0, vec![leg], None, inr, btc, 0))
            }
            Operation::Trade { user, side, size, snapshot, worst_rate } => {
                let (Size::Inr(n) | Size::Btc(n)) = size;
                let n = money(n)?;
                if worst_rate.is_some_and(|r| r <= 0) {
                    return None;
                }
                let price = usize::try_from(snapshot.0 - 1).ok().and_then(|i| self.snapshots.get(i));
                let Some(price) = price else { return refused("stale") };
                if self.now - price.observed_at.micros() > self.max_age_us {
                    return refused("stale");
                }
                let buy = side == Side::Buy;
                let rate = i128::from(if buy { price.buy_rate } else { price.sell_rate });
                if worst_rate.is_some_and(|w| if buy { rate > i128::from(w) } else { rate < i128::from(w) }) {
                    return refused("slippage");
                }
                let one = i128::from(ONE_BTC);
                let up = |a: i128, b: i128| a / b + i128::from(a % b != 0);
                let (p, q) = match (buy, size) {
                    (true, Size::Inr(_)) => (n, n * one / rate),
                    (true, Size::Btc(_)) => (up(n * rate, one), n),
                    (false, Size::Btc(_)) => (n * rate / one, n),
                    (false, Size::Inr(_)) => (n, up(n * one, rate)),
                };
                if p == 0 || q == 0 {
                    return refused("dust");
                }
                if p > i128::from(AMOUNT_MAX) || q > i128::from(AMOUNT_MAX) {
                    return None;
                }
                // no free value: at every rate between sell and buy the user does not gain
                let (dp, dq) = if buy { (-p, q) } else { (p, -q) };
                for r in [price.sell_rate, price.buy_rate] {
                    assert!(dp * one + dq * i128::from(r) <= 0, "a trade gave value away");
                }
                let account = |asset: &str| format!("user:{user}/{asset}/available");
                let house = |asset: &str| format!("house/{asset}/inventory");
                let legs = if buy {
                    vec![(account("INR"), house("INR"), p), (house("BTC"), account("BTC"), q)]
                } else {
                    vec![(account("BTC"), house("BTC"), q), (house("INR"), account("INR"), p)]
                };
                let kind = if buy { 3 } else { 4 };
                Some(self.post(command, kind, snapshot.0, Some(size), 0, legs, Some(user), p, q, rate))
            }
            Operation::Reverse { seq } => {
                let at = usize::try_from(seq).ok().filter(|s| *s > 0)? - 1;
                let Some(entry) = self.journal.get(at).cloned() else { return refused("no entry") };
                if entry.kind == 5 || entry.undone {
                    return refused("not reversible");
                }
                let legs: Vec<_> = entry.legs.iter().rev().map(|(f, t, n)| (t.clone(), f.clone(), *n)).collect();
                let user = legs
                    .iter()
                    .flat_map(|(f, t, _)| [f, t])
                    .find_map(|code| code.strip_prefix("user:")?.split('/').next()?.parse().ok().map(UserId));
                let moved = |asset: &str| {
                    let of = legs.iter().filter(|(f, _, _)| f.contains(&format!("/{asset}/")));
                    of.map(|(_, _, n)| n).sum::<i128>()
                };
                let (inr, btc) = (moved("INR"), moved("BTC"));
                let said = self.post(command, 5, 0, None, seq, legs, user, inr, btc, 0);
                if let Said1::Posted(..) = said {
                    self.journal[at].undone = true;
                }
                Some(said)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "it writes one record")]
    fn post(
        &mut self,
        command: &Command,
        kind: u8,
        snapshot: i64,
        size: Option<Size>,
        refs: i64,
        legs: Vec<(String, String, i128)>,
        user: Option<UserId>,
        inr: i128,
        btc: i128,
        rate: i128,
    ) -> Said1 {
        let mut after = self.balances.clone();
        for (from, to, amount) in &legs {
            *after.entry(from.clone()).or_default() -= amount;
            *after.entry(to.clone()).or_default() += amount;
        }
        let max = i128::from(AMOUNT_MAX);
        let mut verdict = None;
        for (code, balance) in &after {
            let (low, high) = match code.as_str() {
                c if c.starts_with("world") || c.ends_with("borrowed") || c.ends_with("interest") => (-max, 0),
                c if c.starts_with("house") && c.ends_with("inventory") => (self.floor, max),
                _ => (0, max),
            };
            if !(low..=high).contains(balance) {
                let there = self.balance(code);
                let of_user = code.starts_with("user:");
                let refusal = if of_user && code.ends_with("available") && *balance < low {
                    Said1::Refused("insufficient", there - balance, there)
                } else {
                    Said1::Refused("bound", 0, 0)
                };
                if verdict.is_none() || of_user {
                    verdict = Some(refusal);
                }
            }
        }
        if let Some(refusal) = verdict {
            return refusal;
        }
        self.balances = after;
        let seq = self.length() + 1;
        let text = |bytes: &mut Vec<u8>, t: &str| {
            bytes.extend(u16::try_from(t.len()).expect("short").to_le_bytes());
            bytes.extend(t.as_bytes());
        };
        let mut bytes = self.head.to_vec();
        bytes.push(1);
        bytes.extend(seq.to_le_bytes());
        bytes.push(kind);
        text(&mut bytes, &command.actor.code());
        text(&mut bytes, command.key.as_str());
        bytes.extend(snapshot.to_le_bytes());
        let (tag, number) = match size {
            None => (0, 0),
            Some(Size::Inr(n)) => (1, n),
            Some(Size::Btc(n)) => (2, n),
        };
        bytes.push(tag);
        bytes.extend(number.to_le_bytes());
        bytes.extend(refs.to_le_bytes());
        bytes.extend(self.now.to_le_bytes());
        bytes.extend(u16::try_from(legs.len()).expect("few").to_le_bytes());
        for (from, to, amount) in &legs {
            text(&mut bytes, from);
            text(&mut bytes, to);
            bytes.extend(i64::try_from(*amount).expect("money").to_le_bytes());
        }
        self.head = Sha256::digest(&bytes).into();
        self.journal.push(Entry { kind, legs, undone: false });
        Said1::Posted(seq, inr, btc, rate, self.now, user.map_or([0; 7], |u| self.sheet(u)))
    }

    /// The laws that hold after every command.
    pub fn check(&self) {
        for asset in ["/INR/", "/BTC/"] {
            let sum: i128 = self.balances.iter().filter(|(c, _)| c.contains(asset)).map(|(_, b)| b).sum();
            assert_eq!(sum, 0, "conservation of {asset}");
        }
        let mut folded: BTreeMap<&str, i128> = BTreeMap::new();
        for (from, to, amount) in self.journal.iter().flat_map(|e| &e.legs) {
            *folded.entry(from).or_default() -= amount;
            *folded.entry(to).or_default() += amount;
        }
        for (code, balance) in &self.balances {
            assert_eq!(folded.get(code.as_str()).copied().unwrap_or(0), *balance, "{code} is the sum of its legs");
            assert!(!code.starts_with("user:") || *balance >= 0, "{code} is {balance}");
        }
    }
}

/// A trade names the price of its moment, which a retry cannot know.
fn same_request(a: &Operation, b: &Operation) -> bool {
    match (a, b) {
        (
            Operation::Trade { user: u1, side: s1, size: z1, worst_rate: w1, .. },
            Operation::Trade { user: u2, side: s2, size: z2, worst_rate: w2, .. },
        ) => (u1, s1, z1, w1) == (u2, s2, z2, w2),
        _ => a == b,
    }
}

/// The actor that a generated command gets for a number.
pub fn actor(n: u8) -> Actor {
    match n % 6 {
        0 => Actor::Operator,
        1 => Actor::System,
        n => Actor::User(UserId(i64::from(n) - 1)),
    }
}
