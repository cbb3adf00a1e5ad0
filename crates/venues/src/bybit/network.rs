//! Chains, by CCXT's names and the exchange's.

/// CCXT's name and the exchange's, where the two are not the same.
const NAMES: [(&str, &str); 29] = [
    ("BRC20", "BTC"),
    ("ERC20", "ETH"),
    ("TRC20", "TRX"),
    ("BEP20", "BSC"),
    ("APT", "APTOS"),
    ("ARBITRUM", "ARBI"),
    ("ARBITRUM_NOVA", "ARBINOVA"),
    ("ARB", "ARBI"),
    ("ARBONE", "ARBI"),
    ("ARBNOVA", "ARBINOVA"),
    ("AVAXC", "CAVAX"),
    ("AVAXX", "XAVAX"),
    ("COSMOS", "ATOM"),
    ("BEP2", "BNB"),
    ("STEP", "FITFI"),
    ("POLYGON", "MATIC"),
    ("OASYS", "OAS"),
    ("OASIS", "ROSE"),
    ("WAX", "WAXP"),
    ("ZKSYNCLITE", "ZKSYNC"),
    ("ZKSYNCERA", "ZKV2"),
    ("0G", "ZEROGRAVITY"),
    ("CHZ", "CHILIZ"),
    ("HYPER", "HYPEREVM"),
    ("ATOM", "ATOM"),
    ("MATIC", "MATIC"),
    ("BTC", "BTC"),
    ("ETH", "ETH"),
    ("TRX", "TRX"),
];
/// The chain that is meant if none is named.
const DEFAULT: &str = "ERC20";
/// The same, of one currency.
const DEFAULT_OF: (&str, &str) = ("USDT", "TRC20");
/// Chains of a coin of their own, and what their tokens are called: a coin's own chain has its name, others' the token's.
const TOKENS: [(&str, &str); 4] = [("ETH", "ERC20"), ("CRO", "CRC20"), ("TRX", "TRC20"), ("BTC", "BRC20")];

/// The exchange's name of a chain.
pub(super) fn id(network: &str) -> &str {
    NAMES.iter().find(|(code, _)| *code == network).map_or(network, |(_, id)| *id)
}

/// CCXT's name of a chain, for a currency on it.
pub(super) fn code(id: &str, currency: &str) -> String {
    let id = match id {
        "BSC" => "BEP20",
        "SPL" => "SOL",
        other => other,
    };
    let own = |coin: &str| if coin == "CRO" { "CRONOS" } else { coin }.to_owned();
    let pair = TOKENS.iter().find(|(coin, token)| *token == id || own(coin) == id);
    pair.map_or_else(|| id.to_owned(), |(coin, token)| if *coin == currency { own(coin) } else { (*token).to_owned() })
}

/// The chain that is meant for a currency if none is named.
pub(super) fn default(currency: &str) -> &'static str {
    let (of, network) = DEFAULT_OF;
    if currency == of { network } else { DEFAULT }
}
