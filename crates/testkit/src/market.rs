//! The contract of the market data port.

use std::sync::Arc;

use orrery_kernel::Timestamp;
use orrery_market::{Chart, ChartPoint, MarketStore, Sentiment, Setting, SpotPrice, Timeframe};

/// A store under test.
pub type Store = Arc<dyn MarketStore>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn spot(usd_cents: i64) -> SpotPrice {
    SpotPrice {
        source: "coingecko".into(),
        usd_cents,
        market_cap_usd: "1288887333214.2537".parse().ok(),
        volume_24h_usd: None,
        high_24h_usd: "65000".parse().ok(),
        ath_usd: "73738.10".parse().ok(),
        ath_date: Some("2024-03-14".into()),
        ath_change_pct: "-11.93".parse().ok(),
        source_updated_at: Some(at(5)),
        observed_at: at(6),
    }
}

/// Observations come back as they went in, newest first, numbered by ones.
pub async fn prices(store: Store) {
    assert!(store.prices(10).await.expect("prices").is_empty());
    for n in 1..=5 {
        assert_eq!(store.append_price(&spot(n)).await.expect("a row").id, n);
    }
    let rows = store.prices(3).await.expect("prices");
    assert_eq!(rows.iter().map(|r| r.id).collect::<Vec<_>>(), [5, 4, 3]);
    assert_eq!(rows[0].price, spot(5));
    let bare = SpotPrice { market_cap_usd: None, source_updated_at: None, ath_date: None, ..spot(6) };
    store.append_price(&bare).await.expect("a row");
    assert_eq!(store.prices(1).await.expect("prices")[0].price, bare);
}

/// The newest chart of each timeframe is given, with its rising id.
pub async fn charts(store: Store) {
    let chart = |timeframe, n: i64| Chart {
        timeframe,
        source: "simulated".into(),
        points: (0..n).map(|i| ChartPoint { at: at(i), usd_cents: i64::MAX - i }).collect(),
        observed_at: at(n),
    };
    assert!(store.chart(Timeframe::D7).await.expect("an answer").is_none());
    let mut last = 0;
    for n in 1..=4 {
        store.put_chart(&chart(Timeframe::D1, 3)).await.expect("an id");
        let id = store.put_chart(&chart(Timeframe::D7, n)).await.expect("an id");
        assert!(id > last);
        last = id;
    }
    assert_eq!(store.chart(Timeframe::D7).await.expect("an answer"), Some((last, chart(Timeframe::D7, 4))));
    assert_eq!(store.chart(Timeframe::D1).await.expect("an answer").expect("a chart").1, chart(Timeframe::D1, 3));
}

/// A day has one value, the last one given, under the id it had; the newest day is given.
pub async fn sentiment(store: Store) {
    let day = |date: &str, value| Sentiment {
        source: "alternative.me".into(),
        value,
        classification: "Fear".into(),
        data_date: date.into(),
        observed_at: at(1),
    };
    assert!(store.sentiment().await.expect("an answer").is_none());
    store.put_sentiment(&day("2024-07-20", 30)).await.expect("an id");
    let first = store.put_sentiment(&day("2024-07-21", 31)).await.expect("an id");
    let again = store.put_sentiment(&day("2024-07-21", 32)).await.expect("an id");
    assert_eq!(first, again);
    store.put_sentiment(&day("2024-07-19", 29)).await.expect("an id");
    assert_eq!(store.sentiment().await.expect("an answer"), Some((again, day("2024-07-21", 32))));
}

/// Settings are kept by name, the last value of each.
pub async fn settings_are_replaced_by_name(store: Store) {
    let set = |name: &str, value_e4, s| Setting { name: name.into(), value_e4, updated_at: Timestamp::from_secs(s) };
    assert!(store.settings().await.expect("the store answers").is_empty());
    store.put_settings(&[set("b", 910_000, 1), set("a", 880_000, 1)]).await.expect("the store answers");
    store.put_settings(&[set("b", 920_000, 2)]).await.expect("the store answers");
    let found = store.settings().await.expect("the store answers");
    assert_eq!(found, [set("a", 880_000, 1), set("b", 920_000, 2)]);
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! market_contract {
    ($make:expr) => {
        $crate::market_contract!(@each $make;
            settings_are_replaced_by_name prices charts sentiment);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::market::$name($make.await).await;
            }
        )*
    };
}
