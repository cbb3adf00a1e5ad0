//! Cached charts and sentiment as JSON. Private: another program reads the API, not the cache. What
//! cannot be read counts as absent.

use bytes::Bytes;
use orrery_kernel::Timestamp;
use orrery_market::{Chart, ChartPoint, Sentiment, Timeframe};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct ChartRecord {
    id: i64,
    timeframe: String,
    source: String,
    points: Vec<(i64, i64)>,
    observed_us: i64,
}

#[derive(Serialize, Deserialize)]
struct SentimentRecord {
    id: i64,
    source: String,
    value: u8,
    classification: String,
    data_date: String,
    observed_us: i64,
}

fn bytes(record: &impl Serialize) -> Bytes {
    // records of numbers and strings always serialise
    serde_json::to_vec(record).map(Bytes::from).unwrap_or_default()
}

pub(super) fn write_chart(id: i64, chart: &Chart) -> Bytes {
    bytes(&ChartRecord {
        id,
        timeframe: chart.timeframe.name().into(),
        source: chart.source.clone(),
        points: chart.points.iter().map(|p| (p.at.micros(), p.usd_cents)).collect(),
        observed_us: chart.observed_at.micros(),
    })
}

pub(super) fn read_chart(bytes: &[u8]) -> Option<(i64, Chart)> {
    let record: ChartRecord = serde_json::from_slice(bytes).ok()?;
    let point = |(us, usd_cents)| ChartPoint { at: Timestamp::from_micros(us), usd_cents };
    let chart = Chart {
        timeframe: Timeframe::parse(&record.timeframe)?,
        source: record.source,
        points: record.points.into_iter().map(point).collect(),
        observed_at: Timestamp::from_micros(record.observed_us),
    };
    Some((record.id, chart))
}

pub(super) fn write_sentiment(id: i64, sentiment: &Sentiment) -> Bytes {
    bytes(&SentimentRecord {
        id,
        source: sentiment.source.clone(),
        value: sentiment.value,
        classification: sentiment.classification.clone(),
        data_date: sentiment.data_date.clone(),
        observed_us: sentiment.observed_at.micros(),
    })
}

pub(super) fn read_sentiment(bytes: &[u8]) -> Option<(i64, Sentiment)> {
    let record: SentimentRecord = serde_json::from_slice(bytes).ok()?;
    let sentiment = Sentiment {
        source: record.source,
        value: record.value,
        classification: record.classification,
        data_date: record.data_date,
        observed_at: Timestamp::from_micros(record.observed_us),
    };
    Some((record.id, sentiment))
}
