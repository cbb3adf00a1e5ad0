//! The in-memory stores keep the contracts of their ports.

use std::sync::Arc;

use orrery_store_memory::{
    MemoryBroker, MemoryBus, MemoryCache, MemoryChannels, MemoryIdentity, MemoryLeases, MemoryLedger, MemoryMarket,
    MemoryPlans, MemoryRates,
};
use orrery_testkit::ledger::Store;

/// Time as it passes.
struct Passing;

impl orrery_kernel::Clock for Passing {
    fn now(&self) -> orrery_kernel::Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the contract waits for real time")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        orrery_kernel::Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
    }
}

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

mod leases {
    use super::*;

    async fn fresh() -> orrery_testkit::leases::Store {
        Arc::new(MemoryLeases::new(Arc::new(Passing)))
    }

    orrery_testkit::leases_contract!(fresh());
}

mod channels {
    use super::*;

    async fn fresh() -> orrery_testkit::channels::Store {
        Arc::new(MemoryChannels::default())
    }

    orrery_testkit::channels_contract!(fresh());
}

mod broker {
    use super::*;

    async fn fresh() -> orrery_testkit::broker::Store {
        let one = MemoryBroker::new(Arc::new(orrery_testkit::fakes::SeededEntropy::new(7)));
        let other = one.node();
        (Arc::new(one), Arc::new(other))
    }

    orrery_testkit::broker_contract!(fresh());
}

mod bus {
    use super::*;

    async fn fresh() -> orrery_testkit::bus::Store {
        Arc::new(MemoryBus::default())
    }

    orrery_testkit::bus_contract!(fresh());
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

mod wallets {
    use super::*;

    async fn fresh() -> orrery_testkit::wallets::Store {
        Arc::new(orrery_store_memory::MemoryWallets::default())
    }

    orrery_testkit::wallets_contract!(fresh());
}

mod paper {
    use super::*;

    async fn fresh() -> orrery_testkit::paper::Store {
        Arc::new(orrery_store_memory::MemoryPaper::default())
    }

    orrery_testkit::paper_contract!(fresh());
}

mod workers {
    use super::*;

    async fn fresh() -> orrery_testkit::workers::Store {
        Arc::new(orrery_store_memory::MemoryWorkers::default())
    }

    orrery_testkit::workers_contract!(fresh());
}

fn fleet_of(clock: &Arc<Passing>) -> (Arc<orrery_store_memory::MemoryFleet>, Arc<orrery_store_memory::MemoryWorkers>) {
    let workers = Arc::new(orrery_store_memory::MemoryWorkers::default());
    (Arc::new(orrery_store_memory::MemoryFleet::new(clock.clone(), workers.clone())), workers)
}

mod fleet {
    use super::*;

    async fn fresh() -> orrery_testkit::fleet::Store {
        let (fleet, workers) = fleet_of(&Arc::new(Passing));
        (fleet, workers)
    }

    orrery_testkit::fleet_contract!(fresh());
}

mod kept {
    use super::*;

    async fn fresh() -> orrery_testkit::kept::Store {
        let store = Arc::new(orrery_store_memory::MemoryKept::default());
        (store.clone(), store.clone(), store)
    }

    orrery_testkit::kept_contract!(fresh());
}

mod blobs {
    use super::*;

    fn place() -> orrery_testkit::blobs::Place {
        orrery_testkit::blobs::Place {
            blobs: Arc::new(orrery_store_memory::MemoryBlobs::new(Arc::new(
                orrery_testkit::fakes::SeededEntropy::new(7),
            ))),
            folders: Arc::new(orrery_store_memory::MemoryFolders::default()),
            keep: Box::new(()),
        }
    }

    orrery_testkit::blobs_contract!(place());
}

mod kv {
    use super::*;

    async fn fresh() -> orrery_testkit::kv::Store {
        let clock = Arc::new(Passing);
        let (fleet, _) = fleet_of(&clock);
        (Arc::new(orrery_store_memory::MemoryKv::new(clock, fleet.clone())), fleet)
    }

    orrery_testkit::kv_contract!(fresh());
}

mod worker_logs {
    use super::*;

    async fn fresh() -> orrery_testkit::worker_logs::Store {
        Arc::new(orrery_store_memory::MemoryLogs::default())
    }

    orrery_testkit::worker_logs_contract!(fresh());
}
