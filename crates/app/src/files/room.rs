//! Room that is kept for what is on its way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orrery_kernel::{Clock, Entropy, Error, ErrorCode, Result, UserId};
use orrery_storage::files::{FileIndex, Held, Hold, Pool};

/// How long room is kept for a process that is not heard of any more.
const TERM: Duration = Duration::from_secs(3_600);
/// Room is asked for in such steps when nobody knows how much will come.
const STEP_BYTES: u64 = 1_048_576;
/// Most that are given back later; beyond it they end with their term.
const LEFT_MAX: usize = 10_000;

/// Keeps room, and gives back what was left behind.
#[derive(Clone)]
pub(crate) struct Room {
    index: Arc<dyn FileIndex>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    quota: u64,
    left: Arc<Mutex<Vec<String>>>,
}

/// Room that is kept; dropped, it is given back when room is asked for next.
pub(crate) struct Kept {
    room: Room,
    hold: Hold,
    /// Somebody else has it now.
    passed_on: bool,
}

fn full() -> Error {
    Error::new(ErrorCode::TooLarge, "Storage quota exceeded")
}

impl Room {
    pub(crate) fn new(index: Arc<dyn FileIndex>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, quota: u64) -> Self {
        Self { index, clock, entropy, quota, left: Arc::default() }
    }

    /// A name for room, bytes or uploads: 32 hex digits.
    pub(crate) fn name(&self) -> String {
        let mut bits = [0; 16];
        self.entropy.fill(&mut bits);
        hex::encode(bits)
    }

    /// Gives back what nobody needs any more.
    pub(crate) async fn tidy(&self) {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for id in left {
            if let Err(error) = self.index.release(&id).await {
                tracing::warn!(%error, "room is given back only when its term is over");
            }
        }
    }

    /// Keeps `bytes` for `owner` under `id`.
    ///
    /// # Errors
    /// `TooLarge` beyond the quota.
    pub(crate) async fn keep(&self, id: String, owner: UserId, pool: Pool, bytes: u64) -> Result<Kept> {
        self.tidy().await;
        let hold = Hold { id, owner, pool, bytes, until: self.clock.now().plus(TERM) };
        match self.index.hold(&hold, self.quota, self.clock.now()).await? {
            Held::Yes => Ok(Kept { room: self.clone(), hold, passed_on: false }),
            Held::Full => Err(full()),
        }
    }
}

impl Kept {
    pub(crate) fn id(&self) -> &str {
        &self.hold.id
    }

    /// Whose room it is.
    pub(crate) fn owner(&self) -> UserId {
        self.hold.owner
    }

    /// Sees to it that there is room for `bytes`.
    ///
    /// # Errors
    /// `TooLarge` beyond the quota.
    pub(crate) async fn reach(&mut self, bytes: u64) -> Result<()> {
        let now = self.room.clock.now();
        if bytes <= self.hold.bytes && self.hold.until.since(now) > TERM / 2 {
            return Ok(());
        }
        let more = if bytes <= self.hold.bytes { self.hold.bytes } else { bytes.next_multiple_of(STEP_BYTES) };
        // a whole step may be more than there is, when what is needed is not
        for bytes in [more, bytes.max(self.hold.bytes)] {
            let hold = Hold { bytes, until: now.plus(TERM), ..self.hold.clone() };
            if self.room.index.hold(&hold, self.room.quota, now).await? == Held::Yes {
                self.hold = hold;
                return Ok(());
            }
        }
        Err(full())
    }

    /// What it was kept for has taken its place, or keeps it.
    pub(crate) fn pass_on(mut self) {
        self.passed_on = true;
    }

    /// Gives it back now.
    pub(crate) async fn give_back(self) {
        let room = self.room.clone();
        drop(self);
        room.tidy().await;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.passed_on {
            let mut left = self.room.left.lock().unwrap_or_else(PoisonError::into_inner);
            if left.len() < LEFT_MAX {
                left.push(std::mem::take(&mut self.hold.id));
            }
        }
    }
}
