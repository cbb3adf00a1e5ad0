//! `[market]`: where prices come from.

use std::time::Duration;

use orrery_kernel::Secret;
use orrery_market::Multipliers;

use super::check::{self, Reader};

/// Where prices are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// CoinGecko and alternative.me.
    CoinGecko,
    /// Invented, and labelled so.
    Simulated,
}

/// `[market]`.
#[derive(Clone, Debug)]
pub struct Market {
    /// Where prices are from.
    pub source: Source,
    /// Does this process fetch prices and run what follows from them? `None`: as fits the database.
    pub poll: Option<bool>,
    /// Older prices refuse trades.
    pub max_age: Duration,
    /// Rupees a dollar.
    pub multipliers: Multipliers,
    /// Between fetches.
    pub price_poll: Duration,
    /// One fetch.
    pub fetch_timeout: Duration,
    /// No slash at the end.
    pub coingecko_url: String,
    /// Key.
    pub coingecko_api_key: Option<Secret<String>>,
    /// No slash at the end.
    pub fear_greed_url: String,
    /// Of the simulated source.
    pub simulated_seed: u64,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>) -> Option<Market> {
    let poll = match r.text("market.poll").as_str() {
        "auto" => None,
        "on" => Some(true),
        "off" => Some(false),
        _ => {
            r.fault("market.poll", "must be auto, on or off");
            None
        }
    };
    let source = match r.text("market.source").as_str() {
        "coingecko" => Source::CoinGecko,
        "simulated" => Source::Simulated,
        _ => {
            r.fault("market.source", "must be coingecko or simulated");
            Source::CoinGecko
        }
    };
    let mut multiplier = |key: &str| {
        let parsed = r.text(key).parse::<rust_decimal::Decimal>();
        if parsed.is_err() {
            r.fault(key, "must be a decimal number such as 91 or 91.25");
        }
        parsed.ok()
    };
    let multipliers = match (multiplier("market.buy_multiplier"), multiplier("market.sell_multiplier")) {
        (Some(buy), Some(sell)) => match Multipliers::new(buy, sell) {
            Ok(m) => Some(m),
            Err(e) => {
                r.fault("market.sell_multiplier", format!("with market.buy_multiplier = {buy}: {e}"));
                None
            }
        },
        _ => None,
    };
    let base = |url: String| url.trim_end_matches('/').to_owned();
    let coingecko_url = base(r.checked("market.coingecko_url", check::http_url));
    let fear_greed_url = base(r.checked("market.fear_greed_url", check::http_url));
    Some(Market {
        source,
        poll,
        max_age: r.seconds("market.max_age", 1..=86_400),
        price_poll: r.seconds("market.price_poll_s", 1..=86_400),
        fetch_timeout: r.seconds("market.fetch_timeout_s", 1..=300),
        coingecko_url,
        coingecko_api_key: r.optional("market.coingecko_api_key").map(Secret::new),
        fear_greed_url,
        simulated_seed: r.whole("market.simulated_seed", "", 0..=i128::from(i64::MAX)),
        multipliers: multipliers?,
    })
}
