//! What several accounts hold together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orrery_kernel::{Result, Timestamp};
use orrery_venues::Number;
use orrery_wallets::Account;

use super::snapshot::Snapshot;
use super::{Venues, lock};

/// How old a sum may be.
const FRESH: Duration = Duration::from_secs(10);
/// Sums that are kept; beyond that all are forgotten.
const KEPT_MAX: usize = 10_000;
/// Accounts that are summed up.
const ACCOUNTS_MAX: u32 = 500;

/// What several accounts hold together, in the currency of the valuation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portfolio {
    /// All they are worth.
    pub equity: Number,
    /// What can be spent.
    pub available: Number,
    /// What they are worth without the profit of open positions.
    pub balance: Number,
    /// What positions took to be made.
    pub initial: Number,
    /// What it takes to keep them.
    pub maintenance: Number,
    /// How much of each currency.
    pub coins: BTreeMap<String, Number>,
    /// Where the accounts are.
    pub exchanges: BTreeSet<String>,
    /// Their names.
    pub accounts: Vec<String>,
}

/// A sum and when it was made.
pub(super) type Added = (Timestamp, Portfolio);

impl Portfolio {
    fn add(&mut self, account: &Account, seen: &Snapshot) {
        let plus = |sum: &mut Number, more: Number| *sum = sum.plus(more).unwrap_or(*sum);
        let held = &seen.holdings;
        plus(&mut self.equity, held.equity.0);
        plus(&mut self.available, held.available.0);
        plus(&mut self.balance, held.balance.0);
        plus(&mut self.initial, held.initial.0);
        plus(&mut self.maintenance, held.maintenance.0);
        for coin in &held.coins {
            plus(self.coins.entry(coin.code.clone()).or_default(), coin.equity.0);
        }
        self.exchanges.insert(account.exchange.clone());
        self.accounts.push(account.nid.clone());
    }

    /// A part of the equity in hundredths; 0 where there is none.
    fn share(&self, of: Number) -> Number {
        let share = of.over(self.equity).and_then(|share| share.times(100.into()));
        share.and_then(|share| share.cut(2)).unwrap_or_default()
    }

    /// How much of the equity positions hold, in hundredths.
    pub fn rate(&self) -> Number {
        self.share(self.initial)
    }

    /// How much of the equity could be lost before positions are closed by force, in hundredths.
    pub fn protection(&self) -> Number {
        self.share(self.equity.minus(self.maintenance).unwrap_or_default())
    }
}

impl Venues {
    /// What a wallet's own accounts hold together, at most 10 s old. Those that were never looked at count nothing.
    pub async fn portfolio_of(&self, address: &str) -> Result<Portfolio> {
        let summed = Some(address.to_owned());
        if let Some(kept) = self.kept(summed.as_ref()) {
            return Ok(kept);
        }
        let seen = self.ports.store.accounts_seen_by(address, ACCOUNTS_MAX).await?;
        let own = seen.into_iter().filter(|account| account.owner == address);
        Ok(self.summed(summed, own.collect()).await)
    }

    /// What all accounts hold together that this server knows of; at most 10 s old, the first 500 by owner and name.
    pub async fn portfolio_of_all(&self) -> Result<Portfolio> {
        if let Some(kept) = self.kept(None) {
            return Ok(kept);
        }
        let all = self.ports.store.accounts_after("", "", ACCOUNTS_MAX).await?;
        Ok(self.summed(None, all).await)
    }

    fn kept(&self, of: Option<&String>) -> Option<Portfolio> {
        let now = self.ports.clock.now();
        let kept = lock(&self.portfolios);
        kept.get(&of.cloned()).filter(|(at, _)| now.since(*at) < FRESH).map(|(_, sum)| sum.clone())
    }

    async fn summed(&self, of: Option<String>, accounts: Vec<Account>) -> Portfolio {
        let mut sum = Portfolio::default();
        for account in &accounts {
            if let Some(seen) = self.snapshot(account).await {
                sum.add(account, &seen);
            }
        }
        let mut kept = lock(&self.portfolios);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(of, (self.ports.clock.now(), sum.clone()));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues::{Coin, Digits, Holdings};

    #[test]
    fn accounts_are_added() {
        let n = |digits: &str| Number::parse(digits).unwrap();
        let account = |exchange: &str| Account {
            owner: "g".into(),
            nid: format!("at-{exchange}"),
            exchange: exchange.into(),
            viewers: Vec::new(),
            public: "{}".into(),
            sealed: Vec::new(),
            public_key: String::new(),
            signature: String::new(),
            at: Timestamp::from_millis(0),
        };
        let seen = |equity: &str, maintenance: &str| {
            let coin = Coin { code: "BTC".into(), equity: Digits(n("0.1")), ..Coin::default() };
            let holdings = Holdings {
                equity: Digits(n(equity)),
                initial: Digits(n("50")),
                maintenance: Digits(n(maintenance)),
                coins: vec![coin],
                ..Holdings::default()
            };
            Snapshot { holdings, ..Snapshot::default() }
        };
        let mut sum = Portfolio::default();
        assert_eq!((sum.rate(), sum.protection()), (n("0"), n("0")));
        sum.add(&account("okx"), &seen("300.5", "20"));
        sum.add(&account("gate"), &seen("99.5", "0"));
        assert_eq!((sum.equity, sum.coins["BTC"]), (n("400"), n("0.2")));
        assert_eq!((sum.rate(), sum.protection()), (n("25"), n("95")));
        assert_eq!(sum.accounts, ["at-okx", "at-gate"]);
    }
}
