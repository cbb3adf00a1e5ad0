//! Chains, by the exchange's names and CCXT's.

/// Chains of a coin: the coin, the name of its own chain, and what tokens on it go by.
const CHAINS: [[&str; 3]; 4] =
    [["ETH", "ETH", "ERC20"], ["CRO", "CRONOS", "CRC20"], ["TRX", "TRX", "TRC20"], ["BTC", "BTC", "BRC20"]];

/// CCXT's name of a chain, for a currency on it.
pub(super) fn code<'n>(id: &'n str, currency: Option<&str>) -> &'n str {
    match CHAINS.iter().find(|[_, own, token]| [*own, *token].contains(&id)) {
        Some([coin, own, _]) if currency == Some(*coin) => own,
        // what is on the chain of bitcoin is bitcoin unless it says otherwise
        Some(["BTC", own, _]) if currency.is_none() => own,
        Some([_, _, token]) => token,
        None => id,
    }
}

/// The exchange's name of a chain.
pub(super) fn id(network: &str) -> &str {
    match network {
        "ARB" | "ARBONE" => "ARBITRUM",
        "ARBNOVA" => "ARBITRUM_NOVA",
        other => other,
    }
}
