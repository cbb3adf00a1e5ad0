//! Market data from services that answer well, badly, or not at all.

use std::time::Duration;

use e2e::{Gateway, Mode, Options, Upstream, eventually};
use serde_json::json;

use super::desk;

#[tokio::test]
async fn every_documented_market_route() {
    let (gateway, _upstream) = desk().await;
    let client = gateway.client();
    let current = client.get("/api/bitcoin/current").await.expect(200);
    assert_eq!(
        (current.int("btc_usd_price"), current.int("buy_rate_inr"), current.int("sell_rate_inr")),
        (45_000, 4_095_000, 3_960_000)
    );
    for field in ["market_cap_usd", "volume_24h_usd", "high_24h_usd", "ath_usd", "ath_change_pct"] {
        assert!(current.body[field].is_number(), "{field}: {}", current.body);
    }
    assert_eq!(current.text("ath_date").len(), "2021-11-10".len());
    assert!(current.body["cached"].is_boolean());
    assert_eq!(current.text("source"), "coingecko");

    let rates = client.get("/api/market-rates").await.expect(200);
    assert!(rates.text("timestamp").ends_with('Z'));

    for timeframe in ["1d", "7d", "30d", "90d", "365d"] {
        let chart = eventually("charts are fetched at start", Duration::from_secs(60), async || {
            let answer = client.get(&format!("/api/bitcoin/chart/{timeframe}")).await;
            if answer.status == 200 { Ok(answer) } else { Err(format!("{timeframe}: {}", answer.body)) }
        })
        .await;
        assert_eq!(chart.text("timeframe"), timeframe);
        let points = chart.body["price_data"].as_array().unwrap();
        assert_eq!(chart.int("data_points_count"), points.len() as i64);
        assert!(points.iter().all(|p| p["price"].is_i64() && p["timestamp"].as_str().unwrap().ends_with('Z')));
        let (first, last) = (points[0]["price"].as_f64().unwrap(), points[points.len() - 1]["price"].as_f64().unwrap());
        let change = chart.body["price_change_pct"].as_f64().unwrap();
        assert!((change - (last - first) / first * 100.0).abs() < 0.02, "{timeframe}: {change}");
        for field in ["date_from", "date_to"] {
            assert!(!chart.text(field).ends_with('Z'), "{field} has no zone in the document");
        }
    }
    client.get("/api/bitcoin/chart/2d").await.refuses(400, "Invalid timeframe");

    let sentiment = eventually("sentiment is fetched at start", Duration::from_secs(60), async || {
        let answer = client.get("/api/bitcoin/sentiment").await;
        if answer.status == 200 { Ok(answer) } else { Err(answer.body.to_string()) }
    })
    .await;
    assert_eq!((sentiment.int("fear_greed_value"), sentiment.text("fear_greed_classification")), (69, "Greed"));
    assert_eq!(sentiment.text("data_date"), "2023-11-14");
}

#[tokio::test]
async fn history_is_newest_first_and_bounded() {
    let (gateway, upstream) = desk().await;
    for usd in [45_100, 45_200, 45_300] {
        upstream.set_price(f64::from(usd));
        gateway.price_is(i64::from(usd)).await;
    }
    let client = gateway.client();
    let prices = |body: &serde_json::Value| -> Vec<i64> {
        body.as_array().unwrap().iter().map(|r| r["btc_usd_price"].as_i64().unwrap()).collect()
    };
    let all = client.get("/api/bitcoin/history").await.expect(200);
    assert_eq!(prices(&all.body), [45_300, 45_200, 45_100, 45_000]);
    assert!(all.body[0]["created_at"].as_str().unwrap().ends_with('Z'));
    let two = client.get("/api/bitcoin/history?limit=2").await.expect(200);
    assert_eq!(prices(&two.body), [45_300, 45_200]);
    for bad in ["0", "-1", "x", "1.5", "99999999999", ""] {
        client.get(&format!("/api/bitcoin/history?limit={bad}")).await.expect(400).error();
    }
}

#[tokio::test]
async fn bad_answers_change_no_price() {
    let upstream = Upstream::start(45_000.0);
    let options = Options::default().upstream(&upstream).env("ORRERY_MARKET__FETCH_TIMEOUT_S", "1");
    let gateway = Gateway::start(options).await;
    gateway.priced().await;
    let client = gateway.client();
    for mode in [Mode::Garbage, Mode::OtherShape, Mode::Status(404, None), Mode::Status(503, None), Mode::Hang] {
        upstream.set_mode(mode);
        upstream.set_price(1.0);
        let before = upstream.hits("/coins");
        eventually("the source is asked again", Duration::from_secs(60), async || {
            if upstream.hits("/coins") > before { Ok(()) } else { Err(format!("{mode:?}")) }
        })
        .await;
        let rates = client.get("/api/market-rates").await.expect(200);
        assert_eq!(rates.int("btc_usd_price"), 45_000, "{mode:?}");
        client.get("/health").await.expect(200);
        upstream.set_price(45_000.0);
        upstream.set_mode(Mode::Good);
        // whatever it waits after a failure, it comes back by itself
        let good = upstream.hits("/coins");
        eventually("it recovers", Duration::from_secs(60), async || {
            let health = client.get("/health").await.expect(200);
            let well = health.body["feeds"]["price"]["last_error"].is_null() && upstream.hits("/coins") > good;
            if well { Ok(()) } else { Err(format!("{mode:?}: {}", health.body["feeds"]["price"])) }
        })
        .await;
    }
    for absurd in [0.0, -5.0, 1e18] {
        upstream.set_price(absurd);
        let before = upstream.hits("/coins");
        eventually("the source is asked again", Duration::from_secs(60), async || {
            if upstream.hits("/coins") > before + 1 { Ok(()) } else { Err(format!("{absurd}")) }
        })
        .await;
        let rates = client.get("/api/market-rates").await.expect(200);
        assert_eq!(rates.int("btc_usd_price"), 45_000, "{absurd}");
        upstream.set_price(45_000.0);
    }
}

#[tokio::test]
async fn an_unchanged_price_is_asked_for_conditionally_and_stays_fresh() {
    let upstream = Upstream::start(45_000.0);
    let options = Options::default().upstream(&upstream).env("ORRERY_MARKET__MAX_AGE", "5");
    let gateway = Gateway::start(options).await;
    gateway.priced().await;
    let client = gateway.client();
    let first = client.get("/api/market-rates").await.expect(200).text("observed_at").to_owned();
    eventually("304s are counted as sightings", Duration::from_secs(60), async || {
        let rates = client.get("/api/market-rates").await.expect(200);
        let fresh = rates.body["stale"] == json!(false) && rates.text("observed_at") > first.as_str();
        if upstream.not_modified() >= 3 && fresh {
            Ok(())
        } else {
            Err(format!("{} {}", upstream.not_modified(), rates.body))
        }
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_are_waited_for() {
    let upstream = Upstream::start(45_000.0);
    let gateway = Gateway::start(Options::default().upstream(&upstream)).await;
    gateway.priced().await;
    upstream.set_mode(Mode::Status(429, Some(3_600)));
    // one answer is enough to stay away; a busy fetch may still be under way when it comes
    let before = upstream.hits("/coins/markets") + upstream.hits("/simple");
    let client = gateway.client();
    let asked = || upstream.hits("/coins/markets") + upstream.hits("/simple");
    eventually("the 429 shows in /health", Duration::from_secs(60), async || {
        let health = client.get("/health").await.expect(200);
        let seen = !health.body["feeds"]["price"]["last_error"].is_null();
        if seen { Ok(()) } else { Err(health.body["feeds"]["price"].to_string()) }
    })
    .await;
    // several polls of other things later (each takes the server a second), nothing more was asked
    let stamp = client.get("/health").await.expect(200).int("uptime_s");
    eventually("time passes", Duration::from_secs(60), async || {
        let now = client.get("/health").await.expect(200).int("uptime_s");
        if now >= stamp + 5 { Ok(()) } else { Err(format!("{now}")) }
    })
    .await;
    assert!(asked() <= before + 2, "{} requests in spite of Retry-After", asked() - before);
}
