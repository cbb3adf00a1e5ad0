//! A program that can be a script's process, as a node is: the tests start it.

use std::process::ExitCode;
use std::sync::Arc;

struct Same;

impl orrery_kernel::Entropy for Same {
    fn fill(&self, out: &mut [u8]) {
        out.fill(5);
    }
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(orrery_script::CHILD) {
        return orrery_script::child(Arc::new(Same));
    }
    ExitCode::FAILURE
}
