//! Figures of the economy on their way to channels.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use orrery_app::App;
use orrery_app::hub::Publish;
use orrery_app::market::PollError;
use orrery_feeds::{Fred as Feed, Observation, Options};
use orrery_kernel::{Entropy, Timestamp};
use orrery_market::FeedError;
use orrery_protocol::stels::ChannelName;
use serde_json::json;
use serde_json::value::RawValue;

use crate::config::{Fred, Series};

/// What is known is told again so often, for those who come late.
pub const PERIOD: Duration = Duration::from_secs(600);

/// Fetches series and tells them.
pub struct Indicators {
    feed: Feed,
    config: Fred,
    /// The newest of each series, and when it was seen.
    known: Mutex<HashMap<String, (Observation, Timestamp)>>,
}

impl Indicators {
    /// None without a key.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(config: &Fred, entropy: &Arc<dyn Entropy>) -> Result<Option<Arc<Self>>> {
        let Some(key) = config.api_key.clone() else { return Ok(None) };
        let feed = Feed::new(Options::new(&config.base_url), key, entropy.clone()).context("fred.base_url")?;
        Ok(Some(Arc::new(Self { feed, config: config.clone(), known: Mutex::default() })))
    }

    fn known(&self) -> HashMap<String, (Observation, Timestamp)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches what was not seen for long, and tells all that is known.
    ///
    /// # Errors
    /// What the source said to the last series that it did not give; the others are told all the same.
    pub async fn run(&self, app: &App) -> Result<(), PollError> {
        let fetched = self.fetch(app).await;
        let known = self.known();
        for series in &self.config.series {
            if let Some((observation, _)) = known.get(&series.id) {
                tell(app, series, observation).await;
            }
        }
        Ok(fetched?)
    }

    async fn fetch(&self, app: &App) -> Result<(), FeedError> {
        let mut failed = None;
        for series in &self.config.series {
            let seen = self.known().remove(&series.id);
            let now = app.clock.now();
            if seen.as_ref().is_some_and(|(_, at)| now.since(*at) < self.config.refresh) {
                continue;
            }
            let observation = match self.feed.latest(&series.id).await {
                Ok(Some(observation)) => Some(observation),
                Ok(None) => seen.map(|(observation, _)| observation),
                Err(error @ FeedError::RateLimited { .. }) => return Err(error),
                Err(error) => {
                    tracing::warn!(series = series.id, %error, "a series was not fetched");
                    failed = Some(error);
                    None
                }
            };
            if let Some(observation) = observation {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(series.id.clone(), (observation, now));
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// The names of a series' channels: the documented one, and the one that the document's client looks for.
fn names(network: &str, series: &Series) -> [String; 2] {
    [false, true].map(|marked| {
        let name = ChannelName::Indicator {
            network: network.to_owned(),
            country: series.country.clone(),
            group: series.group.clone(),
            indicator: series.id.to_ascii_lowercase(),
            marked,
        };
        name.to_string()
    })
}

/// Lets clients join the channels of the configured series.
pub fn offer(config: &Fred, app: &App) {
    for series in &config.series {
        names(app.wallets.network(), series).iter().for_each(|name| app.hub.announce_own(name));
    }
}

/// `raw` of the indicator widget (document, "FRED Indicator Widget"); none for a value beyond a double.
fn raw(series: &Series, observation: &Observation) -> Option<Box<RawValue>> {
    let value: serde_json::Number = serde_json::from_str(&observation.value.to_string()).ok()?;
    let mut raw = json!({
        "source": "FRED",
        "groupId": series.group,
        "indicator": series.id,
        "indicatorName": series.name,
        "unit": series.unit,
        "agg": series.aggregation,
        "country": series.country,
        "countryName": series.country_name,
        "date": observation.date,
        "value": value,
        "decimal": series.decimal,
    });
    if let Some(scale) = series.scale {
        raw["scale"] = scale.into();
    }
    if series.invert {
        raw["invert"] = true.into();
    }
    serde_json::value::to_raw_value(&raw).ok()
}

/// To those who hear everything, and to those who joined the series' own channels.
async fn tell(app: &App, series: &Series, observation: &Observation) {
    let Some(raw) = raw(series, observation) else { return };
    let network = app.wallets.network();
    let all = format!("{network}.runtime");
    for name in &names(network, series) {
        for channel in [&all, name] {
            let message = Publish { channel, content: &raw, key: Some(name), sequence: None };
            if let Err(error) = app.hub.publish_own(&message, None).await {
                tracing::debug!(%error, name, "not told");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_shown_as_documented() {
        let series = Series {
            id: "GDP".into(),
            country: "usa".into(),
            country_name: "United States".into(),
            group: "macro".into(),
            name: "Gross domestic product".into(),
            unit: "$".into(),
            scale: Some(1_000_000_000),
            aggregation: "avg".into(),
            decimal: 1,
            invert: false,
        };
        assert_eq!(names("testnet", &series), ["testnet.fred.usa.macro.gdp", "testnet.fred.usa.macro.gdp.indicator"]);
        let observation = Observation { date: "2023-07-01".into(), value: "27610.128".parse().unwrap() };
        let seen: serde_json::Value = serde_json::from_str(raw(&series, &observation).unwrap().get()).unwrap();
        let expected = json!({
            "source": "FRED", "groupId": "macro", "indicator": "GDP", "indicatorName": "Gross domestic product",
            "unit": "$", "scale": 1_000_000_000, "agg": "avg", "country": "usa", "countryName": "United States",
            "date": "2023-07-01", "value": 27610.128, "decimal": 1,
        });
        assert_eq!(seen, expected);
    }
}
