//! The Fear & Greed index of alternative.me.

use std::sync::Arc;

use async_trait::async_trait;
use orrery_kernel::{Entropy, Timestamp};
use orrery_market::{FeedError, Sentiment, SentimentFeed};
use serde::Deserialize;

use crate::{FeedClient, OpenError, Options};

/// The index; changes once a day.
pub struct AlternativeMe {
    client: FeedClient,
}

impl AlternativeMe {
    /// A feed from `options.base_url`, which ends in `/fng` at the real source.
    pub fn new(options: Options, entropy: Arc<dyn Entropy>) -> Result<Self, OpenError> {
        Ok(Self { client: FeedClient::new("alternative.me", options, entropy)? })
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    value: String,
    value_classification: String,
    timestamp: String,
}

const PATH: &str = "/?limit=1";

#[async_trait]
impl SentimentFeed for AlternativeMe {
    fn source(&self) -> &'static str {
        "alternative.me"
    }

    async fn latest(&self, now: Timestamp) -> Result<Option<Sentiment>, FeedError> {
        let Some(body) = self.client.get("fng", PATH).await? else { return Ok(None) };
        let read = || {
            let answer: Answer = serde_json::from_slice(&body).ok()?;
            let row = answer.data.into_iter().next()?;
            Some(Sentiment {
                source: self.source().into(),
                value: row.value.parse().ok().filter(|v| *v <= 100)?,
                classification: row.value_classification.chars().filter(|c| !c.is_control()).take(40).collect(),
                data_date: Timestamp::from_secs(row.timestamp.parse().ok()?).date(),
                observed_at: now,
            })
        };
        match read() {
            Some(sentiment) => Ok(Some(sentiment)),
            None => {
                self.client.forget(PATH);
                Err(FeedError::Bad("an index of another shape".into()))
            }
        }
    }
}
