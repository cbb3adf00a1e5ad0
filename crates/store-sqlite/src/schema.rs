//! The schema's versions, embedded.

/// Every migration in order: name and text. Released ones never change (`migrations/CHECKSUMS`).
pub(crate) const MIGRATIONS: [(&str, &str); 11] = [
    ("identity", include_str!("../../../migrations/sqlite/0001_identity.sql")),
    ("ledger", include_str!("../../../migrations/sqlite/0002_ledger.sql")),
    ("market", include_str!("../../../migrations/sqlite/0003_market.sql")),
    ("desk", include_str!("../../../migrations/sqlite/0004_desk.sql")),
    ("channels", include_str!("../../../migrations/sqlite/0005_channels.sql")),
    ("wallets", include_str!("../../../migrations/sqlite/0006_wallets.sql")),
    ("paper", include_str!("../../../migrations/sqlite/0007_paper.sql")),
    ("fleet", include_str!("../../../migrations/sqlite/0008_fleet.sql")),
    ("files", include_str!("../../../migrations/sqlite/0009_files.sql")),
    ("programs", include_str!("../../../migrations/sqlite/0010_programs.sql")),
    ("fleet indexes", include_str!("../../../migrations/sqlite/0011_fleet_indexes.sql")),
];

/// The newest schema this program knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;
