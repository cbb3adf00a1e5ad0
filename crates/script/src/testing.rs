//! Stand-ins for what a script's runtime needs.

use std::sync::Mutex;

use async_trait::async_trait;
use orrery_kernel::Entropy;
use orrery_workers::script::{Host, HostError, Level};

/// Always the same bytes.
pub(crate) struct Dice;

impl Entropy for Dice {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

/// Notes lines, and refuses calls.
#[derive(Default)]
pub(crate) struct Notebook(Mutex<Vec<String>>);

impl Notebook {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Host for Notebook {
    async fn call(&self, method: &str, _: &str) -> Result<String, HostError> {
        Err(HostError::new("NotSupported", method))
    }

    fn log(&self, _: Level, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}
