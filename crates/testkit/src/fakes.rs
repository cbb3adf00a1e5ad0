//! Time and randomness that tests control.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::{Clock, Entropy, Timestamp};
use orrery_workers::script::{End, Outcome, Program, Run, ScriptFault, ScriptRuntime, Source, Usage};
use rand::{Rng, SeedableRng};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.micros()))
    }

    /// Moves on by `by`.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).expect("a sane step"), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Entropy that repeats itself for a seed.
pub struct SeededEntropy(Mutex<rand::rngs::StdRng>);

impl SeededEntropy {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        self.0.lock().expect("not poisoned").fill_bytes(out);
    }
}

/// Master keys that everybody knows.
pub fn keyring() -> std::sync::Arc<orrery_crypto::seal::Keyring> {
    let key = zeroize::Zeroizing::new([7; orrery_crypto::seal::MASTER_KEY_BYTES]);
    std::sync::Arc::new(orrery_crypto::seal::Keyring::new([(1, key)]).expect("one key"))
}

/// Takes any script in which no `@@` stands, and runs none.
#[derive(Debug)]
pub struct PlainScripts;

#[async_trait]
impl ScriptRuntime for PlainScripts {
    fn prepare(&self, source: &Source<'_>) -> Result<Program, ScriptFault> {
        let fault = source.text.lines().zip(1..).find_map(|(line, n)| Some((n, line.find("@@")?)));
        let Some((line, column)) = fault else { return Ok(Program::new(())) };
        let column = u32::try_from(column + 1).expect("a short line");
        Err(ScriptFault { message: "Unexpected token".into(), place: Some((line, column)) })
    }

    fn provides(&self, module: &str) -> bool {
        module == "gliesereum"
    }

    async fn run(&self, _: Run) -> Outcome {
        Outcome { end: End::Failed("these scripts are not run".into()), usage: Usage::default() }
    }
}
