//! Chains: CCXT's names of them, and the exchange's ("Get Coin Info").

/// CCXT's name and the exchange's, of the chains that have two.
const CHAINS: [(&str, &str); 44] = [
    ("BEP20", "BSC"),
    ("ACA", "AcalaToken"),
    ("APT", "Aptos"),
    ("ARBITRUM", "ArbitrumOne"),
    ("ARBITRUM_NOVA", "ArbitrumNova"),
    ("AVAXC", "C-Chain"),
    ("AVAXX", "X-Chain"),
    ("AR", "Arweave"),
    ("ADA", "Cardano"),
    ("CHZ", "ChilizChain"),
    ("CRC20", "CronosChain"),
    ("ETHF", "ETHFAIR"),
    ("EGLD", "Elrond"),
    ("FTM", "Fantom"),
    ("HRC20", "HECO"),
    ("ONE", "Harmony"),
    ("HNT", "Helium"),
    ("IOTX", "IoTeX"),
    ("KARDIA", "KAI"),
    ("KLAY", "Klaytn"),
    ("KSM", "Kusama"),
    ("METIS", "MetisToken"),
    ("GLMR", "Moonbeam"),
    ("NEAR", "NEARProtocol"),
    ("OASIS", "ROSE"),
    ("ONT", "Ontology"),
    ("OPTIMISM", "Optimism"),
    ("OSMO", "Osmosis"),
    ("POKT", "PocketNetwork"),
    ("MATIC", "Polygon"),
    ("SXP", "Solar"),
    ("XYM", "Symbol"),
    ("TLOS", "Telos"),
    ("THETA", "ThetaToken"),
    ("WAX", "WAXP"),
    ("WEMIX", "WEMIXMainnet"),
    ("XDC", "XDCNetworkXDC"),
    ("FET", "FETCH"),
    ("REI", "REINetwork"),
    ("ABBC", "ABBCCoin"),
    ("CANTO", "CANTO-EVM"),
    ("ZKSYNC", "zkSyncEra"),
    ("STARKNET", "Starknet"),
    ("VIC", "VICTION"),
];

/// Chains that are named by their standard, unless what is sent is their own coin: that coin, the chain, the standard.
const OWN: [(&str, &str, &str); 4] =
    [("ETH", "ETH", "ERC20"), ("CRO", "CRONOS", "CRC20"), ("TRX", "TRX", "TRC20"), ("BTC", "BTC", "BRC20")];

/// The exchange's name of a chain.
pub(super) fn id(chain: &str) -> &str {
    let known = match chain {
        "TRX" => "TRC20",
        "ETH" => "ERC20",
        "BRC20" => "BTC",
        "CRONOS" => "CRC20",
        "ARB" | "ARBONE" => "ARBITRUM",
        "ARBNOVA" => "ARBITRUM_NOVA",
        other => other,
    };
    CHAINS.iter().find(|(name, _)| *name == known).map_or(known, |(_, id)| id)
}

/// The common name of a chain by which a currency is sent.
pub(super) fn name(id: &str, currency: &str) -> String {
    let name = CHAINS.iter().find(|(_, known)| *known == id).map_or(id, |(name, _)| name);
    let pair = OWN.iter().find(|(_, own, standard)| name == *own || name == *standard);
    pair.map_or(name, |(coin, own, standard)| if currency == *coin { own } else { standard }).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_have_two_names() {
        assert_eq!((id("BEP20"), id("ETH"), id("XRP"), id("unknown")), ("BSC", "ERC20", "XRP", "unknown"));
        assert_eq!((id("CRONOS"), id("ARB")), ("CronosChain", "ArbitrumOne"));
        assert_eq!((name("BSC", "USDT"), name("ERC20", "USDT")), ("BEP20".to_owned(), "ERC20".to_owned()));
        assert_eq!((name("ERC20", "ETH"), name("BTC", "BTC")), ("ETH".to_owned(), "BTC".to_owned()));
    }
}
