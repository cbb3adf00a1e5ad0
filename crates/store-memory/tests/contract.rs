//! The in-memory stores keep the contracts of their ports.

use std::sync::Arc;

use orrery_store_memory::{MemoryCache, MemoryIdentity, MemoryLedger, MemoryMarket, MemoryPlans, MemoryRates};
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

mod plans {
    use super::*;

    async fn fresh() -> orrery_testkit::plans::Store {
        (Arc::new(MemoryPlans::default()), Arc::new(MemoryLedger::default()))
    }

    orrery_testkit::plans_contract!(fresh());
}

mod identity {
    use super::*;

    async fn fresh() -> orrery_testkit::identity::Store {
        Arc::new(MemoryIdentity::default())
    }

    orrery_testkit::identity_contract!(fresh());
}

mod market {
    use super::*;

    async fn fresh() -> orrery_testkit::market::Store {
        Arc::new(MemoryMarket::default())
    }

    orrery_testkit::market_contract!(fresh());
}

mod cache {
    use super::*;

    async fn fresh() -> orrery_testkit::cache::Store {
        Arc::new(MemoryCache::default())
    }

    orrery_testkit::cache_contract!(fresh());
}

mod rate {
    use super::*;

    async fn fresh() -> orrery_testkit::rate::Store {
        Arc::new(MemoryRates::default())
    }

    orrery_testkit::rate_contract!(fresh());
}
