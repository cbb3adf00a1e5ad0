//! The contract suites that every store passes, on files and in memory.

use std::sync::Arc;

use orrery_store_sqlite::{Fault, Options, Sqlite};
use orrery_testkit::ledger::Store;

/// A migrated database in memory, quick enough for thousands of cases.
async fn in_memory() -> Arc<Sqlite> {
    let store = Sqlite::open("sqlite::memory:", Options::default()).await.unwrap();
    store.migrate().await.unwrap();
    Arc::new(store)
}

mod ledger {
    use super::*;

    async fn on_disk() -> Store {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orrery.db");
        // the hook does nothing but own the folder, which so goes with the store
        let fault: Fault = Arc::new(move |_| folder.path().is_absolute().then_some(()).ok_or_else(String::new));
        let store = Sqlite::open(path.to_str().unwrap(), Options { fault: Some(fault), ..Options::default() }).await;
        let store = store.unwrap();
        store.migrate().await.unwrap();
        Arc::new(store)
    }

    orrery_testkit::ledger_contract!(on_disk());

    async fn fresh() -> Store {
        in_memory().await
    }

    #[test]
    fn beside_the_model() {
        orrery_testkit::ledger::state_machine(64, fresh);
    }
}

mod identity {
    use super::*;

    async fn fresh() -> orrery_testkit::identity::Store {
        in_memory().await
    }

    orrery_testkit::identity_contract!(fresh());
}

mod channels {
    use super::*;

    async fn fresh() -> orrery_testkit::channels::Store {
        in_memory().await
    }

    orrery_testkit::channels_contract!(fresh());
}

mod wallets {
    use super::*;

    async fn fresh() -> orrery_testkit::wallets::Store {
        in_memory().await
    }

    orrery_testkit::wallets_contract!(fresh());
}

mod paper {
    use super::*;

    async fn fresh() -> orrery_testkit::paper::Store {
        in_memory().await
    }

    orrery_testkit::paper_contract!(fresh());
}

mod workers {
    use super::*;

    async fn fresh() -> orrery_testkit::workers::Store {
        in_memory().await
    }

    orrery_testkit::workers_contract!(fresh());
}

mod leases {
    use super::*;

    async fn fresh() -> orrery_testkit::leases::Store {
        in_memory().await
    }

    orrery_testkit::leases_contract!(fresh());
}

mod market {
    use super::*;

    async fn fresh() -> orrery_testkit::market::Store {
        in_memory().await
    }

    orrery_testkit::market_contract!(fresh());
}

mod plans {
    use super::*;

    async fn fresh() -> orrery_testkit::plans::Store {
        let store = in_memory().await;
        (store.clone(), store)
    }

    orrery_testkit::plans_contract!(fresh());
}

mod fleet {
    use super::*;

    async fn fresh() -> orrery_testkit::fleet::Store {
        let store = in_memory().await;
        (store.clone(), store)
    }

    orrery_testkit::fleet_contract!(fresh());
}

mod kept {
    use super::*;

    async fn fresh() -> orrery_testkit::kept::Store {
        let store = in_memory().await;
        (store.clone(), store.clone(), store)
    }

    orrery_testkit::kept_contract!(fresh());
}

mod kv {
    use super::*;

    async fn fresh() -> orrery_testkit::kv::Store {
        let store = in_memory().await;
        (store.clone(), store)
    }

    orrery_testkit::kv_contract!(fresh());
}

mod worker_logs {
    use super::*;

    async fn fresh() -> orrery_testkit::worker_logs::Store {
        in_memory().await
    }

    orrery_testkit::worker_logs_contract!(fresh());
}
