//! What administrators set: the multipliers and the interest of new loans.

use std::sync::Arc;

use orrery_kernel::{Error, Result};
use orrery_ledger::{NewSnapshot, Snapshot};
use orrery_market::{Multipliers, Setting};

use super::{Market, Quote};
use crate::admin::{BUY_MULTIPLIER, LOAN_INTEREST_RATE, SELL_MULTIPLIER};
use crate::events::Event;

/// Interest of new loans unless set otherwise: 15 % a year, × 10⁴ per cent.
const INTEREST_E4: i64 = 150_000;

/// The settings in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InForce {
    pub multipliers: Multipliers,
    interest_e4: i64,
    /// As stored; what was never set is missing.
    stored: Vec<Setting>,
}

impl InForce {
    pub(super) fn new(multipliers: Multipliers) -> Self {
        Self { multipliers, interest_e4: INTEREST_E4, stored: Vec::new() }
    }

    /// These, overlaid with what is stored. Stored multipliers that are not good ones are left out.
    fn overlaid(&self, defaults: Multipliers, stored: Vec<Setting>) -> Self {
        let value = |name: &str| stored.iter().find(|s| s.name == name).map(|s| s.value_e4);
        let buy = value(BUY_MULTIPLIER).unwrap_or(defaults.buy_e4());
        let sell = value(SELL_MULTIPLIER).unwrap_or(defaults.sell_e4());
        let multipliers = Multipliers::from_e4(buy, sell).unwrap_or_else(|error| {
            tracing::error!(%error, "the stored multipliers are not used");
            self.multipliers
        });
        Self { multipliers, interest_e4: value(LOAN_INTEREST_RATE).unwrap_or(INTEREST_E4), stored }
    }
}

impl Market {
    /// The multipliers in force.
    pub fn multipliers(&self) -> Multipliers {
        self.in_force.load().multipliers
    }

    /// Interest of a loan opened now, hundredths of a percent a year.
    pub fn loan_rate_bps(&self) -> i64 {
        self.in_force.load().interest_e4 / 100
    }

    /// The settings in force, whether set or not.
    pub fn settings(&self) -> Vec<Setting> {
        let now = self.in_force.load();
        let named = [
            (BUY_MULTIPLIER, now.multipliers.buy_e4()),
            (SELL_MULTIPLIER, now.multipliers.sell_e4()),
            (LOAN_INTEREST_RATE, now.interest_e4),
        ];
        let setting = |(name, value_e4): (&str, i64)| {
            let stored = now.stored.iter().find(|s| s.name == name);
            let updated_at = stored.map(|s| s.updated_at).unwrap_or_default();
            Setting { name: name.into(), value_e4, updated_at }
        };
        named.into_iter().map(setting).collect()
    }

    /// Takes up what is stored; `true`: it differs from what was in force.
    pub(super) async fn read_settings(&self) -> Result<bool> {
        let stored = self.store.settings().await?;
        let now = self.in_force.load();
        if now.stored == stored {
            return Ok(false);
        }
        self.in_force.store(Arc::new(now.overlaid(self.settings.multipliers, stored)));
        Ok(true)
    }

    /// Stores settings and puts them into force: the rates follow from the last price at once.
    pub(crate) async fn apply_settings(&self, changed: &[Setting], multipliers: Multipliers) -> Result<()> {
        // a price that gives no usable rate under them must be told before anything changes
        let requoted = self.quote().map(|quote| self.requote(&quote, multipliers)).transpose()?;
        self.store.put_settings(changed).await?;
        self.read_settings().await?;
        if let Some((quote, price)) = requoted {
            let id = self.ledger.put_snapshot(&price).await?;
            self.adopt(Arc::new(Quote { row: quote.row.clone(), snapshot: Snapshot { id, price } }), true).await;
        }
        self.events.send(Event::Settings);
        Ok(())
    }

    fn requote(&self, quote: &Arc<Quote>, multipliers: Multipliers) -> Result<(Arc<Quote>, NewSnapshot)> {
        let usd_cents = quote.row.price.usd_cents;
        let rates = multipliers.rates(usd_cents).map_err(|e| Error::invalid(BUY_MULTIPLIER, e.to_string()))?;
        let price = NewSnapshot {
            buy_mult_e4: multipliers.buy_e4(),
            sell_mult_e4: multipliers.sell_e4(),
            buy_rate: rates.buy,
            sell_rate: rates.sell,
            received_at: self.clock.now(),
            ..quote.snapshot.price.clone()
        };
        Ok((quote.clone(), price))
    }
}
