//! How currencies are sent to the account: "Get Deposit Methods".

use crate::Fields;
use crate::json::{Access as _, Json};

/// The usual method of each currency, and of one that is sent by another chain than the usual one (`USDT-TRC20`).
const USUAL: [(&str, &str); 94] = [
    ("1INCH", "1inch (1INCH)"),
    ("AAVE", "Aave"),
    ("ADA", "ADA"),
    ("ALGO", "Algorand"),
    ("ANKR", "ANKR (ANKR)"),
    ("ANT", "Aragon (ANT)"),
    ("ATOM", "Cosmos"),
    ("AXS", "Axie Infinity Shards (AXS)"),
    ("BADGER", "Bager DAO (BADGER)"),
    ("BAL", "Balancer (BAL)"),
    ("BAND", "Band Protocol (BAND)"),
    ("BAT", "BAT"),
    ("BCH", "Bitcoin Cash"),
    ("BNC", "Bifrost (BNC)"),
    ("BNT", "Bancor (BNT)"),
    ("BTC", "Bitcoin"),
    ("CHZ", "Chiliz (CHZ)"),
    ("COMP", "Compound (COMP)"),
    ("CQT", "\tCovalent Query Token (CQT)"),
    ("CRV", "Curve DAO Token (CRV)"),
    ("CTSI", "Cartesi (CTSI)"),
    ("DAI", "Dai"),
    ("DASH", "Dash"),
    ("DOGE", "Dogecoin"),
    ("DOT", "Polkadot"),
    ("DYDX", "dYdX (DYDX)"),
    ("ENJ", "Enjin Coin (ENJ)"),
    ("EOS", "EOS"),
    ("ETC", "Ether Classic (Hex)"),
    ("ETH", "Ether (Hex)"),
    ("EWT", "Energy Web Token"),
    ("FEE", "Kraken Fee Credit"),
    ("FIL", "Filecoin"),
    ("FLOW", "Flow"),
    ("GHST", "Aavegotchi (GHST)"),
    ("GNO", "GNO"),
    ("GRT", "GRT"),
    ("ICX", "Icon"),
    ("INJ", "Injective Protocol (INJ)"),
    ("KAR", "Karura (KAR)"),
    ("KAVA", "Kava"),
    ("KEEP", "Keep Token (KEEP)"),
    ("KNC", "Kyber Network (KNC)"),
    ("KSM", "Kusama"),
    ("LINK", "Link"),
    ("LPT", "Livepeer Token (LPT)"),
    ("LRC", "Loopring (LRC)"),
    ("LSK", "Lisk"),
    ("LTC", "Litecoin"),
    ("MANA", "MANA"),
    ("MATIC", "Polygon (MATIC)"),
    ("MINA", "Mina"),
    ("MIR", "Mirror Protocol (MIR)"),
    ("MKR", "Maker (MKR)"),
    ("MLN", "MLN"),
    ("MOVR", "Moonriver (MOVR)"),
    ("NANO", "NANO"),
    ("OCEAN", "OCEAN"),
    ("OGN", "Origin Protocol (OGN)"),
    ("OMG", "OMG"),
    ("OXT", "Orchid (OXT)"),
    ("OXY", "Oxygen (OXY)"),
    ("PAXG", "PAX (Gold)"),
    ("PERP", "Perpetual Protocol (PERP)"),
    ("PHA", "Phala (PHA)"),
    ("QTUM", "QTUM"),
    ("RARI", "Rarible (RARI)"),
    ("RAY", "Raydium (RAY)"),
    ("REN", "Ren Protocol (REN)"),
    ("REP", "REPv2"),
    ("REPV1", "REP"),
    ("SAND", "The Sandbox (SAND)"),
    ("SC", "Siacoin"),
    ("SDN", "Shiden (SDN)"),
    ("SNX", "Synthetix  Network (SNX)"),
    ("SOL", "Solana"),
    ("SRM", "Serum"),
    ("STORJ", "Storj (STORJ)"),
    ("SUSHI", "Sushiswap (SUSHI)"),
    ("TBTC", "tBTC"),
    ("TRX", "Tron"),
    ("UNI", "UNI"),
    ("USDC", "USDC"),
    ("USDT", "Tether USD (ERC20)"),
    ("USDT-TRC20", "Tether USD (TRC20)"),
    ("WAVES", "Waves"),
    ("WBTC", "Wrapped Bitcoin (WBTC)"),
    ("XLM", "Stellar XLM"),
    ("XMR", "Monero"),
    ("XRP", "Ripple XRP"),
    ("XTZ", "XTZ"),
    ("YFI", "YFI"),
    ("ZEC", "Zcash (Transparent)"),
    ("ZRX", "0x (ZRX)"),
];

/// The chain that is asked for, by its common name.
pub(super) fn network(params: &Fields) -> Option<String> {
    let asked = params.text(&["network"])?.to_uppercase();
    Some(match asked.as_str() {
        "ETH" => "ERC20".to_owned(),
        "TRX" => "TRC20".to_owned(),
        _ => asked,
    })
}

/// The usual method of a currency, if it is known without a question.
pub(super) fn usual(code: &str, network: Option<&str>) -> Option<&'static str> {
    let by_tron = code == "USDT" && network == Some("TRC20");
    let name = if by_tron { "USDT-TRC20" } else { code };
    USUAL.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
}

/// The method of an answer that names the chain; else the first.
pub(super) fn of_answer(answer: &Json<'_>, network: Option<&str>) -> Option<String> {
    let methods = super::parse::result(answer).each(|one| one.string_of(&["method"]));
    let names = |method: &&String| network.is_some_and(|network| method.contains(network));
    methods.iter().flatten().find(names).or_else(|| methods.first()?.as_ref()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_found_by_currency_and_chain() {
        assert_eq!(usual("USDT", None), Some("Tether USD (ERC20)"));
        assert_eq!(usual("USDT", Some("TRC20")), Some("Tether USD (TRC20)"));
        assert_eq!(usual("PEPE", None), None);
        let text = r#"{"result":[{"method":"Pepe"},{"method":"Pepe - Base"},{"method":"Pepe - Arbitrum"}]}"#;
        let answer = crate::json::parse(text).unwrap();
        assert_eq!(of_answer(&answer, Some("Base")).as_deref(), Some("Pepe - Base"));
        assert_eq!(of_answer(&answer, None).as_deref(), Some("Pepe"));
    }
}
