//! Prices, charts, sentiment.

use super::Sql;

pub(crate) const INSERT_PRICE: Sql = Sql::new(
    "insert_price",
    10,
    1,
    "INSERT INTO prices (source, usd_cents, market_cap_usd, volume_24h_usd, high_24h_usd, ath_usd, ath_date,
                         ath_change_pct, source_updated_at, observed_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
);
pub(crate) const PRUNE_PRICES: Sql = Sql::new("prune_prices", 1, 0, "DELETE FROM prices WHERE id <= $1");
pub(crate) const PRICES: Sql = Sql::new(
    "prices",
    1,
    11,
    "SELECT id, source, usd_cents, market_cap_usd, volume_24h_usd, high_24h_usd, ath_usd, ath_date,
            ath_change_pct, source_updated_at, observed_at
     FROM prices ORDER BY id DESC LIMIT $1",
);

pub(crate) const INSERT_CHART: Sql = Sql::new(
    "insert_chart",
    4,
    1,
    "INSERT INTO charts (timeframe, source, points, observed_at) VALUES ($1, $2, $3, $4) RETURNING id",
);
/// Drops all but the newest `$2` charts of a timeframe.
pub(crate) const PRUNE_CHARTS: Sql = Sql::new(
    "prune_charts",
    2,
    0,
    "DELETE FROM charts WHERE id IN (
         SELECT id FROM charts WHERE timeframe = $1 ORDER BY id DESC OFFSET $2)",
);
pub(crate) const CHART: Sql = Sql::new(
    "chart",
    1,
    4,
    "SELECT id, source, points, observed_at FROM charts WHERE timeframe = $1 ORDER BY id DESC LIMIT 1",
);

pub(crate) const PUT_SENTIMENT: Sql = Sql::new(
    "put_sentiment",
    5,
    1,
    "INSERT INTO sentiment (data_date, source, value, classification, observed_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (data_date) DO UPDATE SET source = excluded.source, value = excluded.value,
         classification = excluded.classification, observed_at = excluded.observed_at
     RETURNING id",
);
/// Drops all but the newest `$1` days.
pub(crate) const PRUNE_SENTIMENT: Sql = Sql::new(
    "prune_sentiment",
    1,
    0,
    "DELETE FROM sentiment WHERE id IN (
         SELECT id FROM sentiment ORDER BY data_date DESC OFFSET $1)",
);
pub(crate) const SENTIMENT: Sql = Sql::new(
    "sentiment",
    0,
    6,
    "SELECT id, source, value, classification, data_date, observed_at FROM sentiment ORDER BY data_date DESC LIMIT 1",
);

pub(crate) const SETTINGS: Sql =
    Sql::new("settings", 0, 3, "SELECT name, value_e4, updated_at FROM settings ORDER BY name");
pub(crate) const PUT_SETTING: Sql = Sql::new(
    "put_setting",
    3,
    0,
    "INSERT INTO settings (name, value_e4, updated_at) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET value_e4 = excluded.value_e4, updated_at = excluded.updated_at",
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &SETTINGS,
    &PUT_SETTING,
    &INSERT_PRICE,
    &PRUNE_PRICES,
    &PRICES,
    &INSERT_CHART,
    &PRUNE_CHARTS,
    &CHART,
    &PUT_SENTIMENT,
    &PRUNE_SENTIMENT,
    &SENTIMENT,
];
