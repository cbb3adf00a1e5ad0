//! Figures of the economy from the St. Louis Fed (<https://fred.stlouisfed.org/docs/api/fred/>).

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{Entropy, Secret};
use orrery_market::FeedError;
use rust_decimal::Decimal;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{FeedClient, OpenError, Options};

/// The source allows 120 calls a minute with a key.
const CALL_PERIOD: Duration = Duration::from_millis(500);
/// Observations that are asked for: the newest ones may be missing.
const OBSERVATIONS: u32 = 12;
/// Bytes of a series' name.
const SERIES_BYTES_MAX: usize = 32;

/// The newest value of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The day that the period begins with: `2023-10-01`.
    pub date: String,
    /// In the series' own unit.
    pub value: Decimal,
}

/// The source of series.
pub struct Fred {
    client: FeedClient,
    key: Secret<String>,
    /// When the next call may be made; calls wait for each other.
    turn: Mutex<Option<Instant>>,
}

#[derive(Deserialize)]
struct Answer {
    observations: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    date: String,
    /// `.` where there is none.
    value: String,
}

/// Is it a series' name, of capital letters, digits and `_`?
pub fn is_series(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    (1..=SERIES_BYTES_MAX).contains(&name.len()) && name.bytes().all(good)
}

impl Fred {
    /// Asks at `options.base_url`, which has no path at the real source. The key is of letters and digits.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn new(options: Options, key: Secret<String>, entropy: Arc<dyn Entropy>) -> Result<Self, OpenError> {
        if key.expose().is_empty() || !key.expose().bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(OpenError::Key);
        }
        Ok(Self { client: FeedClient::new("fred", options, entropy)?, key, turn: Mutex::default() })
    }

    /// The newest value of a series that has one; `Ok(None)`: it is as it was told before. Waits for its turn: two
    /// calls a second.
    ///
    /// # Errors
    /// [`FeedError`]; none names the key.
    pub async fn latest(&self, series: &str) -> Result<Option<Observation>, FeedError> {
        if !is_series(series) {
            return Err(FeedError::Bad("no name of a series".into()));
        }
        let path = format!(
            "/fred/series/observations?series_id={series}&api_key={}&file_type=json&sort_order=desc&limit={OBSERVATIONS}",
            self.key.expose()
        );
        // held while the call is made, with its repetitions
        let mut turn = self.turn.lock().await;
        if let Some(at) = *turn {
            tokio::time::sleep_until(at).await;
        }
        let answer = self.client.get("observations", &path).await;
        *turn = Some(Instant::now() + CALL_PERIOD);
        drop(turn);
        let Some(body) = answer? else { return Ok(None) };
        match newest(&body) {
            Some(observation) => Ok(Some(observation)),
            None => {
                self.client.forget(&path);
                Err(FeedError::Bad("observations of another shape, or none with a value".into()))
            }
        }
    }
}

fn newest(body: &[u8]) -> Option<Observation> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let is_day = |date: &str| date.len() == 10 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let with_value = answer.observations.into_iter().filter(|row| is_day(&row.date));
    let read = |row: Row| Some(Observation { value: row.value.parse().ok()?, date: row.date });
    // days in this form are ordered as texts
    with_value.filter_map(read).max_by(|a, b| a.date.cmp(&b.date))
}
