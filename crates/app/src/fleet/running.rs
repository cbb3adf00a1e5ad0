//! The seam between who runs scripts and what scripts reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use orrery_kernel::Timestamp;
use orrery_storage::Lease;
use orrery_workers::Stop;
use orrery_workers::script::{Host, HostError, Level};

use super::redact::Secrets;

/// The end of a right that nothing prolongs.
const ENDED: i64 = i64::MIN;

/// A run's right to have effects: shared by who prolongs it and who looks before each effect.
#[derive(Clone, Debug)]
pub struct Right {
    /// The lease that the right comes from, for stores to check in the same transaction; none for workers without.
    pub fence: Option<Lease>,
    until: Arc<AtomicI64>,
    /// No order before then: what the last leader sent may still be on its way.
    pub orders_from: Timestamp,
}

impl Right {
    /// Until then, by the node's own clock, unless it is prolonged.
    pub fn new(fence: Lease, until: Timestamp, orders_from: Timestamp) -> Self {
        Self { fence: Some(fence), until: Arc::new(AtomicI64::new(until.micros())), orders_from }
    }

    /// Of a worker that needs no lease.
    pub fn unlimited() -> Self {
        let orders_from = Timestamp::from_micros(0);
        Self { fence: None, until: Arc::new(AtomicI64::new(i64::MAX)), orders_from }
    }

    /// It ends then and not before, unless it was ended.
    pub fn prolong(&self, until: Timestamp) {
        let later = |known: i64| (known != ENDED).then(|| known.max(until.micros()));
        // what was ended stays so
        let _ = self.until.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    /// It is over for good.
    pub fn end(&self) {
        self.until.store(ENDED, Ordering::SeqCst);
    }

    /// Is it there at `now`, by the node's own clock?
    pub fn lives(&self, now: Timestamp) -> bool {
        now.micros() < self.until.load(Ordering::SeqCst)
    }

    /// The lease's epoch; 0 without one.
    pub fn epoch(&self) -> i64 {
        self.fence.as_ref().map_or(0, |lease| lease.epoch)
    }
}

/// A run, as what it reaches has to know it.
#[derive(Clone)]
pub struct Running {
    /// The worker.
    pub sid: String,
    /// The address of the wallet whose it is.
    pub owner: String,
    /// The node.
    pub node: String,
    /// The worker's exchange account (its `nid`).
    pub account: Option<String>,
    /// Its orders go to the exchange of play money.
    pub dry_run: bool,
    /// Its right to have effects.
    pub right: Right,
    /// Ends it; called at once when the right is found gone.
    pub stop: Stop,
    /// Where its lines go.
    pub log: Arc<dyn LogSink>,
    /// What stands in none of them; shared with the `log`.
    pub secrets: Arc<Secrets>,
}

/// Takes lines of scripts, and secrets out of them. Returns at once; what it cannot take is counted and told.
pub trait LogSink: Send + Sync {
    /// A line of the worker `sid`.
    fn line(&self, sid: &str, level: Level, text: &str);
}

/// Makes what runs reach.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// The host of one run. It is dropped when the run is over.
    fn host(&self, running: Running) -> Arc<dyn Host>;

    /// What the owner wrote down as the strategy of an account, JSON; none if there is none or no such account.
    ///
    /// # Errors
    /// When it cannot be known now: a script that trades by it must not begin without it.
    async fn protocol(&self, owner: &str, account: &str) -> Result<Option<String>, HostError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_ends_unless_it_is_prolonged() {
        let at = Timestamp::from_secs;
        let fence = Lease { key: "a".into(), holder: "n/1".into(), epoch: 4 };
        let right = Right::new(fence, at(10), at(5));
        let same = right.clone();
        assert!(right.lives(at(9)) && !right.lives(at(10)));
        same.prolong(at(20));
        same.prolong(at(15));
        assert!(right.lives(at(19)) && right.epoch() == 4);
        right.end();
        same.prolong(at(30));
        assert!(!same.lives(at(0)));
        assert!(Right::unlimited().lives(at(1_000_000_000)));
    }
}
