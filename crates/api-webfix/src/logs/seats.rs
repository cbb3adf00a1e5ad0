//! How many logs are followed at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orrery_kernel::{Error, Result};

/// Logs that a session follows at once, by streams and sockets.
pub(crate) const PER_SESSION_MAX: usize = 8;
/// Logs that all sessions follow at once at this server: each is a look at the store every second.
const ALL_MAX: usize = 512;
/// When to try again.
const LATER: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<[u8; 32], usize>,
}

/// Counts who follows logs.
#[derive(Clone, Default)]
pub(crate) struct Seats(Arc<Mutex<Taken>>);

/// The right to follow one; given back when it is dropped.
pub(crate) struct Seat {
    seats: Seats,
    session: [u8; 32],
}

impl Seats {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more for that session.
    ///
    /// # Errors
    /// `RateLimited` when the session has its eight, or the server 512.
    pub(crate) fn take(&self, session: &[u8; 32]) -> Result<Seat> {
        let mut taken = self.taken();
        let own = taken.of.get(session).copied().unwrap_or(0);
        if own >= PER_SESSION_MAX {
            let text = format!("A session may follow {PER_SESSION_MAX} logs at once");
            return Err(Error::rate_limited(text, LATER));
        }
        if taken.all >= ALL_MAX {
            return Err(Error::rate_limited("Too many logs are followed at the moment", LATER));
        }
        taken.all += 1;
        taken.of.insert(*session, own + 1);
        Ok(Seat { seats: self.clone(), session: *session })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all = taken.all.saturating_sub(1);
        match taken.of.get_mut(&self.session) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.of.remove(&self.session)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_and_come_back() {
        let seats = Seats::default();
        let mut held: Vec<Seat> = (0..PER_SESSION_MAX).map(|_| seats.take(&[1; 32]).unwrap()).collect();
        assert!(seats.take(&[1; 32]).is_err());
        held.pop();
        held.push(seats.take(&[1; 32]).unwrap());
        for session in 2..=(ALL_MAX / PER_SESSION_MAX) as u8 {
            held.extend((0..PER_SESSION_MAX).map(|_| seats.take(&[session; 32]).unwrap()));
        }
        assert!(seats.take(&[255; 32]).is_err());
        held.clear();
        assert!(seats.taken().of.is_empty() && seats.taken().all == 0);
    }
}
