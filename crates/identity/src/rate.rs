//! Pure window arithmetic for rate limits and for the delay after failed logins. The same
//! arithmetic runs in every store.

use std::time::Duration;

use orrery_kernel::Timestamp;

/// A bound on events in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Events allowed in a window.
    pub max: u32,
    /// Length of the window.
    pub window: Duration,
    /// What happens beyond `max`.
    pub beyond: Beyond,
}

/// What happens beyond the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Refuse until enough of the window has passed.
    Refuse,
    /// Each further event doubles the wait, from `first` up to `most`.
    Delay {
        /// The first wait.
        first: Duration,
        /// The longest wait.
        most: Duration,
    },
}

/// What a store keeps under a key: the sliding-window counter (the current fixed window and its
/// predecessor, weighted by overlap) and the time of the last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Start of the current fixed window.
    pub window_start: Timestamp,
    /// Events in it.
    pub current: u32,
    /// Events in the window before it.
    pub previous: u32,
    /// When the last allowed event came.
    pub last: Timestamp,
}

/// The answer to one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// May it pass?
    pub allowed: bool,
    /// The policy's `max`.
    pub limit: u32,
    /// Events left in the window.
    pub remaining: u32,
    /// When refused: how long to wait, at least 1 s. When allowed: until the window is whole again.
    pub retry_after: Duration,
}

impl Policy {
    /// Refuse beyond `max` events in any `window` (within the accuracy of a sliding-window counter:
    /// events of the window before count in proportion to its overlap).
    pub const fn refuse(max: u32, window: Duration) -> Self {
        Self { max, window, beyond: Beyond::Refuse }
    }

    /// Make each event beyond `max` wait twice as long as the one before, from `first` to `most`.
    pub const fn delay(max: u32, window: Duration, first: Duration, most: Duration) -> Self {
        Self { max, window, beyond: Beyond::Delay { first, most } }
    }
}

/// What would be answered to one more event at `now`.
pub fn peek(state: State, policy: &Policy, now: Timestamp) -> Verdict {
    judge(roll(state, policy, now), policy, now)
}

/// Answers one more event at `now`, counting it if it may pass.
pub fn take(state: State, policy: &Policy, now: Timestamp) -> (State, Verdict) {
    let mut state = roll(state, policy, now);
    let mut verdict = judge(state, policy, now);
    if verdict.allowed {
        state.current = state.current.saturating_add(1);
        state.last = state.last.max(now);
        verdict.remaining = verdict.remaining.saturating_sub(1);
    }
    (state, verdict)
}

/// Moves the window on to `now`. A clock that went backwards leaves it where it is.
fn roll(mut state: State, policy: &Policy, now: Timestamp) -> State {
    let elapsed = now.since(state.window_start);
    if elapsed >= policy.window.saturating_mul(2) {
        state = State { window_start: now, last: state.last, ..State::default() };
    } else if elapsed >= policy.window {
        state.previous = std::mem::take(&mut state.current);
        state.window_start = state.window_start.plus(policy.window);
    }
    state
}

fn judge(state: State, policy: &Policy, now: Timestamp) -> Verdict {
    let window = policy.window.as_micros().max(1);
    let elapsed = now.since(state.window_start).as_micros().min(window);
    let (max, current, previous) = (u128::from(policy.max), u128::from(state.current), u128::from(state.previous));
    let answer = |allowed, used: u128, wait_us: u128| Verdict {
        allowed,
        limit: policy.max,
        remaining: u32::try_from(max.saturating_sub(used)).unwrap_or(u32::MAX),
        retry_after: Duration::from_micros(u64::try_from(wait_us).unwrap_or(u64::MAX)),
    };
    match policy.beyond {
        Beyond::Refuse => {
            let used = current + (previous * (window - elapsed)).div_ceil(window);
            if used < max {
                return answer(true, used, window - elapsed);
            }
            // how far into a window the share of `before` events falls to `room`
            let share_falls = |before: u128, room: u128| {
                if before <= room { 0 } else { (window * (before - room)).div_ceil(before) }
            };
            let wait = if max == 0 {
                window
            } else if current < max {
                share_falls(previous, max - 1 - current).saturating_sub(elapsed)
            } else {
                (window - elapsed) + share_falls(current, max - 1)
            };
            answer(false, used, wait.max(1_000_000))
        }
        Beyond::Delay { first, most } => {
            let used = current + previous;
            if used < max {
                return answer(true, used, 0);
            }
            let doublings = u32::try_from(used - max).unwrap_or(u32::MAX).min(32);
            let wait = first.saturating_mul(1 << doublings.min(31)).min(most);
            let waited = now.since(state.last);
            if waited >= wait {
                answer(true, used, 0)
            } else {
                answer(false, used, (wait - waited).as_micros().max(1_000_000))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn the_sixth_failure_waits_and_each_further_one_twice_as_long() {
        let policy = Policy::delay(5, 900 * SECOND, 30 * SECOND, 900 * SECOND);
        let mut state = State::default();
        for i in 0..5 {
            let (next, verdict) = take(state, &policy, at(i));
            assert!(verdict.allowed);
            state = next;
        }
        let refused = peek(state, &policy, at(5));
        assert!(!refused.allowed && refused.retry_after > 29 * SECOND && refused.retry_after <= 30 * SECOND);
        let (state, verdict) = take(state, &policy, at(30_005));
        assert!(verdict.allowed);
        assert!(!peek(state, &policy, at(90_000)).allowed, "the next wait is a minute");
        assert!(peek(state, &policy, at(90_006)).allowed);
        assert!(peek(state, &policy, at(2_000_000)).allowed, "all is forgotten two windows later");
    }

    proptest! {
        #[test]
        fn never_more_than_twice_the_bound_in_any_window_and_never_more_in_a_fixed_one(
            max in 1_u32..20, gaps in proptest::collection::vec(0_i64..400, 1..300),
        ) {
            let policy = Policy::refuse(max, SECOND);
            let (mut state, mut now, mut passed) = (State::default(), 0, Vec::new());
            for gap in gaps {
                now += gap;
                let (next, verdict) = take(state, &policy, at(now));
                state = next;
                if verdict.allowed {
                    passed.push(now);
                }
                let window = passed.iter().filter(|t| **t > now - 1_000).count();
                prop_assert!(window <= 2 * max as usize);
                prop_assert!(state.current <= max);
            }
        }

        #[test]
        fn waiting_as_told_is_enough(max in 1_u32..20, gaps in proptest::collection::vec(0_i64..300, 1..200)) {
            for policy in [Policy::refuse(max, SECOND), Policy::delay(max, SECOND, SECOND / 10, 4 * SECOND)] {
                let (mut state, mut now) = (State::default(), 0);
                for gap in &gaps {
                    now += gap;
                    let (next, verdict) = take(state, &policy, at(now));
                    state = next;
                    if !verdict.allowed {
                        let later = at(now).plus(verdict.retry_after);
                        prop_assert!(peek(state, &policy, later).allowed, "{policy:?} {state:?}");
                    }
                }
            }
        }

        #[test]
        fn a_clock_that_goes_back_is_harmless(times in proptest::collection::vec(-100_000_i64..100_000, 1..100)) {
            let policy = Policy::refuse(3, SECOND);
            let mut state = State::default();
            for t in times {
                state = take(state, &policy, at(t)).0;
                prop_assert!(state.current <= 3 && state.previous <= 3);
            }
        }
    }
}
