//! `[venues]`: how exchanges are reached, and what is asked of them.

use std::collections::BTreeMap;
use std::time::Duration;

use orrery_kernel::Secret;
use orrery_venue_net::{Bases, HttpOptions, VenueOptions};
use orrery_venues::Venue;

use super::check::{self, Reader};

/// Streamed markets of one exchange.
const MARKETS_MAX: usize = 1_000;
/// Bytes of a market's or a currency's name.
const NAME_MAX: usize = 64;

/// `[venues]` and the section of each exchange.
#[derive(Clone, Debug)]
pub struct Venues {
    /// The currency that accounts are valued in.
    pub equity: String,
    /// Between two looks at an account.
    pub refresh: Duration,
    /// Accounts looked at at the same time.
    pub refresh_at_once: usize,
    /// Whose prices the exchange of play money takes.
    pub paper_source: Venue,
    /// How each is reached.
    pub options: VenueOptions,
    /// Markets to stream, by CCXT's names, without repetition; exchanges without any are left out.
    pub markets: BTreeMap<Venue, Vec<String>>,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>) -> Venues {
    let (mut options, mut markets) = (VenueOptions::new(), BTreeMap::new());
    for venue in Venue::ALL {
        options.insert(venue, http(r, venue));
        let named = market_list(r, &format!("venues.{venue}.markets"));
        if !named.is_empty() {
            markets.insert(venue, named);
        }
    }
    let equity = r.checked("venues.equity", |code| {
        let good = is_currency(code);
        if good { Ok(()) } else { Err("must be the code of a currency, such as USDT".into()) }
    });
    let paper_source = r.checked("venues.paper_source", |id| {
        id.parse::<Venue>().map(|_| ()).map_err(|_| "must be one of the ten exchanges, such as binance".into())
    });
    Venues {
        paper_source: paper_source.parse().unwrap_or(Venue::Binance),
        equity,
        refresh: r.seconds("venues.refresh_s", 1..=3_600),
        refresh_at_once: r.whole("venues.refresh_at_once", "", 1..=256),
        options,
        markets,
    }
}

fn http(r: &mut Reader<'_>, venue: Venue) -> HttpOptions {
    let (rest, stream) = (format!("venues.{venue}.rest_url"), format!("venues.{venue}.ws_url"));
    // each for itself, so that a fault names its key
    for (key, bases) in
        [(&rest, Bases::new(Some(&r.text(&rest)), None)), (&stream, Bases::new(None, Some(&r.text(&stream))))]
    {
        if let Err(error) = bases {
            r.fault(key, error.to_string());
        }
    }
    let mut bases = Bases::new(Some(&r.text(&rest)), Some(&r.text(&stream))).unwrap_or_default();
    let sandbox = format!("venues.{venue}.sandbox");
    if r.flag(&sandbox) {
        bases = bases.of_sandbox(venue);
        if !venue.has_sandbox() {
            r.fault(&sandbox, format!("cannot be on: {venue} has no testnet"));
        }
    }
    let proxy = r.optional(&format!("venues.{venue}.proxy"));
    if let Some(Err(message)) = proxy.as_deref().map(check::http_url) {
        r.fault(&format!("venues.{venue}.proxy"), message);
    }
    let timeout = r.seconds(&format!("venues.{venue}.timeout_s"), 1..=300);
    let defaults = HttpOptions::default();
    HttpOptions {
        bases,
        connect_timeout: defaults.connect_timeout.min(timeout),
        timeout,
        proxy: proxy.map(Secret::new),
    }
}

fn market_list(r: &mut Reader<'_>, key: &str) -> Vec<String> {
    let mut named = r.parsed_list(key, market);
    named.sort();
    named.dedup();
    if named.len() > MARKETS_MAX {
        r.fault(key, format!("must be at most {MARKETS_MAX} markets"));
    }
    named
}

/// `BASE/QUOTE`, with `:SETTLE` for contracts.
fn market(text: &str) -> Result<String, String> {
    let bad = || format!("{text:?} is no market; it must be like BTC/USDT or BTC/USDT:USDT");
    let (pair, settled) = text.split_once(':').map_or((text, None), |(pair, settled)| (pair, Some(settled)));
    let (base, quote) = pair.split_once('/').ok_or_else(bad)?;
    let good = is_currency(base) && is_currency(quote) && settled.is_none_or(is_currency);
    good.then(|| text.to_owned()).ok_or_else(bad)
}

fn is_currency(code: &str) -> bool {
    (1..=NAME_MAX).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic() && !b"/:.,\"".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::super::{Sources, load};
    use super::*;

    fn sources(env: &[(&str, &str)]) -> Sources {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sources { env, cwd: "/nowhere".into(), ..Sources::default() }
    }

    #[test]
    fn each_exchange_has_its_own() {
        let env = [
            ("ORRERY_VENUES__BINANCE__REST_URL", "http://127.0.0.1:9000"),
            ("ORRERY_VENUES__BINANCE__WS_URL", "ws://127.0.0.1:9001"),
            ("ORRERY_VENUES__OKX__MARKETS", "ETH/USDT, BTC/USDT:USDT,ETH/USDT"),
            ("ORRERY_VENUES__OKX__PROXY", "http://u:hunter2@127.0.0.1:3128"),
            ("ORRERY_VENUES__GATE__TIMEOUT_S", "3"),
        ];
        let loaded = load(&sources(&env)).unwrap();
        let venues = &loaded.config.venues;
        let binance = &venues.options[&Venue::Binance].bases;
        assert_eq!(binance.rest("https://api.binance.com/api/v3/time"), "http://127.0.0.1:9000/api/v3/time");
        assert_eq!(binance.stream("wss://stream.binance.com:9443/ws"), "ws://127.0.0.1:9001/ws");
        let bybit = &venues.options[&Venue::Bybit];
        assert_eq!(bybit.bases.rest("https://api.bybit.com/v5"), "https://api.bybit.com/v5");
        assert_eq!((bybit.timeout.as_secs(), bybit.connect_timeout.as_secs()), (15, 5));
        let gate = &venues.options[&Venue::Gate];
        assert_eq!((gate.timeout.as_secs(), gate.connect_timeout.as_secs()), (3, 3));
        assert_eq!(venues.markets, BTreeMap::from([(Venue::Okx, vec!["BTC/USDT:USDT".into(), "ETH/USDT".into()])]));
        assert_eq!((venues.equity.as_str(), venues.refresh.as_secs()), ("USDT", 30));
        let printed = crate::config::print(&loaded);
        assert!(!printed.contains("hunter2") && printed.contains("[venues.okx]"), "{printed}");
    }

    #[test]
    fn faults_name_their_key() {
        for (name, value) in [
            ("ORRERY_VENUES__BINANCE__REST_URL", "http://127.0.0.1/path"),
            ("ORRERY_VENUES__BINANCE__WS_URL", "http://127.0.0.1"),
            ("ORRERY_VENUES__KRAKEN__MARKETS", "BTCUSDT"),
            ("ORRERY_VENUES__KRAKEN__MARKETS", "BTC/"),
            ("ORRERY_VENUES__KRAKEN__PROXY", "socks5://127.0.0.1"),
            ("ORRERY_VENUES__KRAKEN__TIMEOUT_S", "0"),
            ("ORRERY_VENUES__EQUITY", ""),
            ("ORRERY_VENUES__PAPER_SOURCE", "mtgox"),
            ("ORRERY_VENUES__KRAKEN__SANDBOX", "on"),
        ] {
            let text = load(&sources(&[(name, value)])).unwrap_err().to_string();
            let key = name.trim_start_matches("ORRERY_").replace("__", ".").to_lowercase();
            assert!(text.contains(&key), "{name}={value}: {text}");
        }
        let unknown = load(&sources(&[("ORRERY_VENUES__MTGOX__REST_URL", "http://h")])).unwrap_err().to_string();
        assert!(unknown.contains("did you mean ORRERY_VENUES__"), "{unknown}");
    }
}
