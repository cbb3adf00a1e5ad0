//! Money: "Get Account Ledgers", "Get Deposit Address" and "Flex Transfer".

use super::parse::{currency, doubles};
use crate::exchange::Result;
use crate::json::{self, Access as _, Json};
use crate::unified::{DepositAddress, Fee, LedgerEntry, Raw, Time};
use crate::{ErrorClass, Number, VenueError};

/// Chains whose name at the exchange is not CCXT's in lower case.
const CHAINS: [(&str, &str); 16] = [
    ("AVAXX", "avax"),
    ("APT", "aptos"),
    ("BCHA", "bchabc"),
    ("BEP2", "bnb"),
    ("BEP20", "bsc"),
    ("BRC20", "btc"),
    ("BSV", "bchsv"),
    ("BTCNATIVESEGWIT", "bech32"),
    ("ERC20", "eth"),
    ("HRC20", "heco"),
    ("IOTEX", "iotx"),
    ("KARDIA", "kai"),
    ("OASYS", "oas"),
    ("OP", "optimism"),
    ("TRC20", "trx"),
    ("WAX", "waxp"),
];
/// Chains that are named after the standard of their tokens, but for their own currency.
const OWN: [(&str, &str); 3] = [("BTC", "BRC20"), ("ETH", "ERC20"), ("TRX", "TRC20")];

/// The exchange's name of a chain.
pub(super) fn chain(network: &str) -> String {
    let known = CHAINS.iter().find(|(name, _)| *name == network);
    known.map_or_else(|| network.to_lowercase(), |(_, id)| (*id).to_owned())
}

/// CCXT's name of a chain, for a currency.
fn network(id: &str, of: &str) -> String {
    let known = CHAINS.iter().find(|(_, known)| *known == id).map(|(name, _)| *name);
    let own = OWN.iter().find(|(own, standard)| known == Some(standard) && of == *own).map(|(own, _)| *own);
    own.or(known).map_or_else(|| id.to_uppercase(), str::to_owned)
}

/// The part of the account that CCXT names so; none for what is no name of one.
pub(super) fn part(name: &str) -> Option<&'static str> {
    Some(match name {
        "spot" => "trade",
        "margin" | "cross" | "marginV2" => "margin",
        "isolated" => "isolated",
        "main" | "funding" => "main",
        "future" | "swap" | "contract" => "contract",
        "mining" => "pool",
        "hf" => "trade_hf",
        "uta" | "unified" => "unified",
        _ => return None,
    })
}

/// Errors: [`ErrorClass::InvalidAddress`] for one that cannot be any.
fn checked(address: Option<&str>) -> Result<String> {
    let address = address.unwrap_or_default();
    let mut letters = address.chars();
    let first = letters.next();
    if address.contains(' ') || letters.all(|letter| Some(letter) == first) {
        let message = format!("kucoin says an address that is none: {address:?}");
        return Err(VenueError::new(ErrorClass::InvalidAddress, &message));
    }
    Ok(address.to_owned())
}

pub(super) fn deposit_address(raw: &Json<'_>, of: &str) -> Result<DepositAddress> {
    let address = raw.text_of(&["address"]).map(|address| address.replace("bitcoincash:", ""));
    Ok(DepositAddress {
        info: Raw::of(raw),
        currency: Some(of.to_owned()),
        network: raw.text_of(&["chainId"]).map(|id| network(id, of)),
        address: Some(checked(address.as_deref())?),
        tag: raw.string_of(&["memo"]),
    })
}

/// "Get Deposit Address" of contracts.
pub(super) fn contract_deposit_address(body: &Json<'_>, id: &str) -> Result<DepositAddress> {
    let data = body.get("data");
    Ok(DepositAddress {
        info: Raw::of(body),
        currency: Some(id.to_owned()),
        network: data.string_of(&["chain"]),
        address: Some(checked(data.text_of(&["address"]))?),
        tag: data.string_of(&["memo"]),
    })
}

pub(super) fn ledger_entry(raw: &Json<'_>, of: Option<&str>) -> LedgerEntry {
    let number = |name: &str| raw.number_of(&[name]);
    let code = currency(raw.text_of(&["currency"])).or_else(|| of.map(str::to_owned));
    let (made, told) = (raw.text_of(&["createdAt"]), raw.text_of(&["time"]));
    // contracts' entries do not say whose they are, and have a time of another name
    let account = if made.is_none() && told.is_some() { Some("CONTRACT") } else { raw.text_of(&["accountType"]) };
    let time = made.or(told).map_or_else(|| doubles(raw.text_of(&["ts"])), |ms| Time::parse(Some(ms)));
    let amount = number("amount").map(Number::abs);
    let after = number("balance").and_then(Number::nonzero);
    let fee = number("fee").and_then(Number::nonzero);
    LedgerEntry {
        info: Raw::of(raw),
        id: raw.string_of(&["id"]),
        time,
        direction: match raw.text_of(&["direction", "type"]) {
            Some("in" | "IN" | "TransferIn") => Some("in"),
            Some("out" | "OUT" | "TransferOut") => Some("out"),
            _ => None,
        },
        account: account.map(str::to_owned),
        reference_id: raw.text_of(&["context"]).and_then(belongs_to),
        reference_account: account.map(str::to_owned),
        kind: raw.text_of(&["bizType", "businessType", "type"]).map(|word| entry_kind(word).to_owned()),
        amount,
        before: after.and_then(|after| after.minus(amount?)),
        after,
        status: raw.text_of(&["status"]).map(|word| entry_status(word).to_owned()),
        fee: fee.map(|cost| Fee { cost: Some(cost), currency: code.clone(), rate: None }),
        currency: code,
    }
}

/// The trade or the order of an entry's context, which is JSON inside of a text, or some other text.
fn belongs_to(context: &str) -> Option<String> {
    match json::parse(context) {
        Some(parsed) => parsed.string_of(&["tradeId", "orderId"]),
        None => Some(context.to_owned()),
    }
}

fn entry_status(word: &str) -> &str {
    match word {
        "Completed" => "ok",
        "Pending" => "pending",
        other => other,
    }
}

/// What a change belongs to, by the words of spot, contract and unified accounts.
fn entry_kind(word: &str) -> &str {
    match word {
        "Deposit" | "Withdrawal" => "transaction",
        "Assets Transferred in After Upgrading"
        | "Transfer"
        | "Sub-account transfer"
        | "TransferIn"
        | "TransferOut"
        | "TRANSFER"
        | "SUB_TRANSFER"
        | "SUB_TO_SUB_TRANSFER" => "transfer",
        "Trade_Exchange"
        | "Buy Crypto"
        | "Public Offering Purchase"
        | "Margin Trade"
        | "Instant Exchange"
        | "RealisedPNL"
        | "TRADE_EXCHANGE"
        | "SPOT_EXCHANGE"
        | "FUTURES_EXCHANGE_OPEN"
        | "FUTURES_EXCHANGE_CLOSE"
        | "AUTO_EXCHANGE_USER" => "trade",
        "KuCoin Bonus" | "Rewards" | "Other rewards" => "bonus",
        "Referral Bonus" => "referral",
        "Airdrop/Fork" => "airdrop",
        "Fee Rebate" | "SPOT_EXCHANGE_REBATE" | "FUTURES_EXCHANGE_REBATE" => "rebate",
        "Sell Crypto" => "sell",
        "Refunded Fees" | "KCS Pay Fees" | "Liquidation Fees" | "RETURNED_FEES" | "DEDUCTION_FEES" | "FUNDING_FEE"
        | "LIABILITY_INTEREST" | "KCS_DEDUCTION_FEES" | "KCS_RETURNED_FEES" => "fee",
        "OTHER" => "other",
        other => other,
    }
}
