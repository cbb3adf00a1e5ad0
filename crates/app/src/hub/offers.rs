//! Channels of the server's own that are filled because somebody is in them: market data that nobody hears is not
//! fetched.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{Error, ErrorCode, Result};

use super::{Conn, Hub};

/// How long after its publication a value still says something to those who come late.
pub(super) const FRESH: Duration = Duration::from_secs(120);

/// Names that clients may join although nothing was published there yet.
pub struct Offer {
    /// Is the name one of them? They have to be of the network.
    pub is_one: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// Of these channels, how many all clients of this process together may be in; further ones are refused.
    pub most: usize,
    /// How many one connection may be in.
    pub per_connection: usize,
}

impl Hub {
    /// Makes the offer; the first one stays.
    pub fn offer(&self, offer: Offer) {
        if self.offered.set(offer).is_err() {
            tracing::debug!("there is an offer already");
        }
    }

    pub(super) fn is_offered(&self, name: &str) -> bool {
        self.is_of_network(name) && self.offered.get().is_some_and(|offer| (offer.is_one)(name))
    }

    /// The offered channels that somebody is in, by name.
    pub fn wanted(&self) -> Vec<Arc<str>> {
        let all = self.all_channels();
        let mut names: Vec<_> =
            all.iter().filter(|c| c.offered && c.connections() > 0).map(|c| c.name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Waits until somebody is the first in an offered channel. One task only.
    pub async fn wanted_more(&self) {
        self.first_in.notified().await;
    }

    /// One more offered channel for the connection, if there is room.
    pub(super) fn admit_offered(&self, conn: &Conn, name: &str) -> Result<()> {
        let Some(offer) = self.offered.get().filter(|_| self.is_offered(name)) else { return Ok(()) };
        let joined = conn.joined_channels();
        if joined.iter().any(|channel| *channel.name == *name) {
            return Ok(());
        }
        if joined.iter().filter(|channel| channel.offered).count() >= offer.per_connection {
            let most = offer.per_connection;
            return Err(Error::new(ErrorCode::Conflict, format!("A connection may watch {most} markets")));
        }
        let is_first = self.known(name).is_none_or(|channel| channel.connections() == 0);
        if is_first && self.wanted().len() >= offer.most {
            return Err(Error::unavailable("Too many markets are watched", Duration::from_secs(60)));
        }
        Ok(())
    }

    /// Somebody is new in the channel.
    pub(super) fn came_in(&self, channel: &super::Channel) {
        if channel.offered && channel.connections() == 1 {
            self.first_in.notify_one();
        }
    }
}
