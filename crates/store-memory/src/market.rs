//! Market data in process.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::StoreError;
use orrery_market::{Chart, MarketStore, PriceRow, Sentiment, Setting, SpotPrice, Timeframe};

const PRICES_MAX: usize = 100_000;
const CHARTS_MAX: usize = 2;
const DAYS_MAX: usize = 1_000;

/// Prices, charts and sentiment in memory.
#[derive(Debug, Default)]
pub struct MemoryMarket {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_price: i64,
    prices: VecDeque<PriceRow>,
    last_chart: i64,
    charts: HashMap<Timeframe, VecDeque<(i64, Chart)>>,
    last_sentiment: i64,
    sentiments: BTreeMap<String, (i64, Sentiment)>,
    settings: BTreeMap<String, Setting>,
}

impl MemoryMarket {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MarketStore for MemoryMarket {
    async fn append_price(&self, price: &SpotPrice) -> Result<PriceRow, StoreError> {
        let mut state = self.state();
        state.last_price += 1;
        let row = PriceRow { id: state.last_price, price: price.clone() };
        state.prices.push_front(row.clone());
        state.prices.truncate(PRICES_MAX);
        Ok(row)
    }

    async fn prices(&self, limit: u32) -> Result<Vec<PriceRow>, StoreError> {
        Ok(self.state().prices.iter().take(limit as usize).cloned().collect())
    }

    async fn put_chart(&self, chart: &Chart) -> Result<i64, StoreError> {
        let mut state = self.state();
        state.last_chart += 1;
        let id = state.last_chart;
        let charts = state.charts.entry(chart.timeframe).or_default();
        charts.push_front((id, chart.clone()));
        charts.truncate(CHARTS_MAX);
        Ok(id)
    }

    async fn chart(&self, timeframe: Timeframe) -> Result<Option<(i64, Chart)>, StoreError> {
        Ok(self.state().charts.get(&timeframe).and_then(|charts| charts.front()).cloned())
    }

    async fn put_sentiment(&self, sentiment: &Sentiment) -> Result<i64, StoreError> {
        let mut state = self.state();
        let known = state.sentiments.get(&sentiment.data_date).map(|(id, _)| *id);
        let id = known.unwrap_or(state.last_sentiment + 1);
        state.last_sentiment = state.last_sentiment.max(id);
        state.sentiments.insert(sentiment.data_date.clone(), (id, sentiment.clone()));
        while state.sentiments.len() > DAYS_MAX {
            state.sentiments.pop_first();
        }
        Ok(id)
    }

    async fn settings(&self) -> Result<Vec<Setting>, StoreError> {
        Ok(self.state().settings.values().cloned().collect())
    }

    async fn put_settings(&self, settings: &[Setting]) -> Result<(), StoreError> {
        self.state().settings.extend(settings.iter().map(|s| (s.name.clone(), s.clone())));
        Ok(())
    }

    async fn sentiment(&self) -> Result<Option<(i64, Sentiment)>, StoreError> {
        Ok(self.state().sentiments.last_key_value().map(|(_, found)| found.clone()))
    }
}
