//! The in-memory stores keep the contracts of their ports.

use std::sync::Arc;

use orrery_store_memory::MemoryLedger;
use orrery_testkit::ledger::Store;

mod ledger {
    use super::*;

    async fn fresh() -> Store {
        Arc::new(MemoryLedger::default())
    }

    orrery_testkit::ledger_contract!(fresh());

    #[test]
    fn beside_the_model() {
        orrery_testkit::ledger::state_machine(512, fresh);
    }
}
