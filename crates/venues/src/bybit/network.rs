//! Chains, by the exchange's names and CCXT's.

/// The exchange's name and CCXT's, where the two are not the same.
const NAMES: [(&str, &str); 20] = [
    ("ETH", "ERC20"),
    ("TRX", "TRC20"),
    ("BSC", "BEP20"),
    ("APTOS", "APT"),
    ("ARBI", "ARBITRUM"),
    ("ARBINOVA", "ARBITRUM_NOVA"),
    ("CAVAX", "AVAXC"),
    ("XAVAX", "AVAXX"),
    ("BNB", "BEP2"),
    ("FITFI", "STEP"),
    ("OAS", "OASYS"),
    ("ROSE", "OASIS"),
    ("WAXP", "WAX"),
    ("ZKSYNC", "ZKSYNCLITE"),
    ("ZKV2", "ZKSYNCERA"),
    ("ZEROGRAVITY", "0G"),
    ("CHILIZ", "CHZ"),
    ("HYPEREVM", "HYPER"),
    ("SPL", "SOL"),
    ("CRONOS", "CRC20"),
];

/// CCXT's name of a chain.
pub(super) fn code(id: &str) -> &str {
    NAMES.iter().find(|(name, _)| *name == id).map_or(id, |(_, code)| *code)
}

/// The chain that is meant for a currency if none is named.
pub(super) fn default(currency: &str) -> &'static str {
    if currency == "USDT" { "TRC20" } else { "ERC20" }
}
