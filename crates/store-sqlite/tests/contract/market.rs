//! Prices, charts, sentiment.

use orrery_market::{Chart, ChartPoint, MarketStore, Sentiment, SpotPrice, Timeframe};

use crate::support::{Db, at};

fn spot(cents: i64) -> SpotPrice {
    SpotPrice {
        source: "coingecko".into(),
        usd_cents: cents,
        market_cap_usd: Some("1288887333214.2537".parse().unwrap()),
        volume_24h_usd: None,
        high_24h_usd: Some("65000".parse().unwrap()),
        ath_usd: Some("73738.10".parse().unwrap()),
        ath_date: Some("2024-03-14".into()),
        ath_change_pct: Some("-11.93".parse().unwrap()),
        source_updated_at: Some(at(5)),
        observed_at: at(6),
    }
}

#[tokio::test]
async fn prices_survive_and_are_numbered_without_gaps() {
    let db = Db::new().await;
    for n in 1..=5 {
        assert_eq!(db.store.append_price(&spot(n)).await.unwrap().id, n);
    }
    let rows = db.store.prices(3).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.id).collect::<Vec<_>>(), [5, 4, 3]);
    assert_eq!(rows[0].price, spot(5));
    let bare = SpotPrice { market_cap_usd: None, source_updated_at: None, ath_date: None, ..spot(6) };
    db.store.append_price(&bare).await.unwrap();
    assert_eq!(db.store.prices(1).await.unwrap()[0].price, bare);
}

#[tokio::test]
async fn old_prices_go() {
    let db = Db::new().await;
    db.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO prices (source, usd_cents, observed_at) SELECT 'simulated', i, i FROM n",
    )
    .await
    .unwrap();
    assert_eq!(db.store.append_price(&spot(7)).await.unwrap().id, 100_001);
    assert_eq!(db.count("SELECT count(*) FROM prices").await, 100_000);
    assert_eq!(db.count("SELECT min(id) FROM prices").await, 2);
}

#[tokio::test]
async fn the_newest_two_charts_are_kept() {
    let db = Db::new().await;
    let chart = |timeframe, n: i64| Chart {
        timeframe,
        source: "simulated".into(),
        points: (0..n).map(|i| ChartPoint { at: at(i), usd_cents: i64::MAX - i }).collect(),
        observed_at: at(n),
    };
    assert!(db.store.chart(Timeframe::D7).await.unwrap().is_none());
    let mut last = 0;
    for n in 1..=4 {
        db.store.put_chart(&chart(Timeframe::D1, 3)).await.unwrap();
        let id = db.store.put_chart(&chart(Timeframe::D7, n)).await.unwrap();
        assert!(id > last);
        last = id;
    }
    assert_eq!(db.store.chart(Timeframe::D7).await.unwrap(), Some((last, chart(Timeframe::D7, 4))));
    assert_eq!(db.count("SELECT count(*) FROM charts").await, 4);
}

#[tokio::test]
async fn a_day_has_one_sentiment() {
    let db = Db::new().await;
    let day = |date: &str, value| Sentiment {
        source: "alternative.me".into(),
        value,
        classification: "Fear".into(),
        data_date: date.into(),
        observed_at: at(1),
    };
    assert!(db.store.sentiment().await.unwrap().is_none());
    db.store.put_sentiment(&day("2024-07-20", 30)).await.unwrap();
    db.store.put_sentiment(&day("2024-07-21", 31)).await.unwrap();
    let id = db.store.put_sentiment(&day("2024-07-21", 32)).await.unwrap();
    db.store.put_sentiment(&day("2024-07-19", 29)).await.unwrap();
    assert_eq!(db.store.sentiment().await.unwrap(), Some((id, day("2024-07-21", 32))));
    assert_eq!(db.count("SELECT count(*) FROM sentiment").await, 3);
    db.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
         INSERT INTO sentiment (data_date, source, value, classification, observed_at)
         SELECT date('2000-01-01', i || ' days'), 's', 1, 'c', 1 FROM n",
    )
    .await
    .unwrap();
    db.store.put_sentiment(&day("2024-07-22", 33)).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM sentiment").await, 1_000);
    assert_eq!(db.store.sentiment().await.unwrap().unwrap().1, day("2024-07-22", 33));
}
