//! Work that several processes share: each holds a part of it by leases, gives some back when another joins, and
//! takes what a dead one held.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::StoreError;
use orrery_storage::{Lease, LeaseStore};
use tokio::sync::watch;
use tokio::time::Instant;

pub use plan::{Plan, Seen, plan};

use crate::tasks::Tasks;

/// How long a lease lasts without being renewed: the longest that nobody does a dead process's part.
const TERM: Duration = Duration::from_secs(15);
/// Between renewals.
const RENEW: Duration = Duration::from_secs(4);
/// Between looks at what others hold.
const LOOK: Duration = Duration::from_secs(2);
/// The holder stops this long before its lease can be over.
const MARGIN: Duration = Duration::from_secs(3);
/// Longest time for a look; what was not reached then waits for the next.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// Processes that share; further ones wait until one of these is gone.
const MEMBERS_MAX: usize = 64;

/// A lease and when this process takes it for over.
struct Held {
    lease: Lease,
    renewed: Instant,
}

impl Held {
    fn over(&self, now: Instant) -> bool {
        now >= self.renewed + TERM - MARGIN
    }

    fn is_due(&self, now: Instant) -> bool {
        now >= self.renewed + RENEW
    }
}

struct Sharer {
    store: Arc<dyn LeaseStore>,
    group: &'static str,
    me: String,
    seat: Option<Held>,
    held: BTreeMap<String, Held>,
    told: watch::Sender<BTreeSet<String>>,
}

/// Shares the `wanted` names among all processes that call this with the same `group` and store, each with a `me` that
/// no other process ever had. Gives what this process holds, as it changes; it ends with `tasks`, which give all back.
///
/// A dead process's part is taken within 17 s: its term, and a look. With the store gone, a process stops its part
/// before its leases are over.
pub fn start(
    store: Arc<dyn LeaseStore>,
    group: &'static str,
    me: String,
    wanted: watch::Receiver<BTreeSet<String>>,
    tasks: &Tasks,
) -> watch::Receiver<BTreeSet<String>> {
    let (told, holds) = watch::channel(BTreeSet::new());
    let sharer = Sharer { store, group, me, seat: None, held: BTreeMap::new(), told };
    tasks.spawn("shares", sharer.run(wanted, tasks.clone()));
    holds
}

impl Sharer {
    async fn run(mut self, mut wanted: watch::Receiver<BTreeSet<String>>, tasks: Tasks) {
        let stopping = tasks.stopping();
        let mut failing = false;
        while !stopping.is_cancelled() {
            let now_wanted = wanted.borrow_and_update().clone();
            let looked = tokio::time::timeout(LOOK_MAX, self.look(&now_wanted)).await;
            let failure = match looked {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("no answer in time".to_owned()),
            };
            match failure {
                None => failing = false,
                // once when it begins, not each time
                Some(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!(error, group = self.group, "shares cannot be looked at");
                }
                Some(_) => {}
            }
            self.let_go_of_what_is_over();
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
                Ok(()) = wanted.changed() => {}
            }
        }
        self.give_all_back().await;
    }

    fn seat_key(&self, number: usize) -> String {
        format!("{}/member/{number:02}", self.group)
    }

    fn share_key(&self, share: &str) -> String {
        format!("{}/share/{share}", self.group)
    }

    /// One step: what is held is kept, and what should be otherwise is changed.
    async fn look(&mut self, wanted: &BTreeSet<String>) -> Result<(), StoreError> {
        self.renew().await?;
        let live = self.store.live(&format!("{}/", self.group)).await?;
        if self.seat.is_none() {
            self.sit_down(&live).await?;
        }
        let (members, held) = self.read(&live);
        let seen = Seen { me: &self.me, members: &members, held: &held, wanted };
        let Plan { mut take, give } = plan(&seen);
        // its own that it does not know of: an answer was lost
        take.extend(
            held.iter()
                .filter(|(share, who)| **who == self.me && !self.held.contains_key(*share) && !give.contains(share))
                .map(|(share, _)| share.clone()),
        );
        for share in give {
            self.give(&share).await?;
        }
        for share in take {
            self.take(share).await?;
        }
        Ok(())
    }

    fn read(&self, live: &[Lease]) -> (BTreeSet<String>, BTreeMap<String, String>) {
        let (seats, shares) = (format!("{}/member/", self.group), self.share_key(""));
        let mut members: BTreeSet<String> =
            live.iter().filter(|lease| lease.key.starts_with(&seats)).map(|lease| lease.holder.clone()).collect();
        // it may have sat down after the list was made
        members.extend(self.seat.as_ref().map(|_| self.me.clone()));
        let share = |lease: &Lease| Some((lease.key.strip_prefix(&shares)?.to_owned(), lease.holder.clone()));
        (members, live.iter().filter_map(share).collect())
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        if let Some(seat) = self.seat.as_mut().filter(|seat| seat.is_due(now)) {
            match self.store.renew(&seat.lease, TERM).await? {
                true => seat.renewed = now,
                false => self.seat = None,
            }
        }
        let due: Vec<String> =
            self.held.iter().filter(|(_, held)| held.is_due(now)).map(|(share, _)| share.clone()).collect();
        for share in due {
            let Some(held) = self.held.get_mut(&share) else { continue };
            let asked = Instant::now();
            if self.store.renew(&held.lease, TERM).await? {
                held.renewed = asked;
            } else {
                tracing::warn!(share, group = self.group, "a share was lost");
                self.held.remove(&share);
                self.tell();
            }
        }
        Ok(())
    }

    async fn sit_down(&mut self, live: &[Lease]) -> Result<(), StoreError> {
        let taken: BTreeSet<&str> = live.iter().map(|lease| lease.key.as_str()).collect();
        let free: Vec<String> =
            (0..MEMBERS_MAX).map(|n| self.seat_key(n)).filter(|key| !taken.contains(key.as_str())).collect();
        for key in free {
            let renewed = Instant::now();
            if let Some(lease) = self.store.acquire(&key, &self.me, TERM).await? {
                self.seat = Some(Held { lease, renewed });
                break;
            }
        }
        Ok(())
    }

    async fn take(&mut self, share: String) -> Result<(), StoreError> {
        let renewed = Instant::now();
        if let Some(lease) = self.store.acquire(&self.share_key(&share), &self.me, TERM).await? {
            tracing::info!(share, group = self.group, epoch = lease.epoch, "this process has a share");
            self.held.insert(share, Held { lease, renewed });
            self.tell();
        }
        Ok(())
    }

    async fn give(&mut self, share: &str) -> Result<(), StoreError> {
        let Some(held) = self.held.remove(share) else { return Ok(()) };
        tracing::info!(share, group = self.group, "a share is given back");
        self.tell();
        self.store.release(&held.lease).await
    }

    fn let_go_of_what_is_over(&mut self) {
        let (now, before) = (Instant::now(), self.held.len());
        self.held.retain(|_, held| !held.over(now));
        if self.seat.as_ref().is_some_and(|seat| seat.over(now)) {
            self.seat = None;
        }
        if self.held.len() != before {
            tracing::warn!(group = self.group, "shares could not be renewed in time");
            self.tell();
        }
    }

    fn tell(&self) {
        let holds: BTreeSet<String> = self.held.keys().cloned().collect();
        self.told.send_if_modified(|told| std::mem::replace(told, holds.clone()) != holds);
    }

    async fn give_all_back(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.tell();
        let all = held.into_values().chain(self.seat.take());
        let give = async {
            for Held { lease, .. } in all {
                if let Err(error) = self.store.release(&lease).await {
                    return tracing::debug!(%error, "shares were not given back; they run out");
                }
            }
        };
        if tokio::time::timeout(LOOK_MAX, give).await.is_err() {
            tracing::debug!("shares were not given back in time; they run out");
        }
    }
}
