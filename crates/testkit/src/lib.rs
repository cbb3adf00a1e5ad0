//! Contract suites, the ledger's model and fakes; for tests only
