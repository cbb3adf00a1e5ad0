//! What trading and holding costs: "Get Trade Rate", "Get Current Funding Rate", "Get Historical Funding Rates".

use super::parse::object;
use crate::Context;
use crate::json::{Access as _, Json};
use crate::unified::{FundingRate, Market, PastFunding, Raw, Time, TradingFee};

pub(super) fn trading_fee(body: &Json<'_>, market: &Market) -> TradingFee {
    let data = object(body.get("data"));
    TradingFee {
        info: Raw::of(data),
        symbol: Some(market.symbol.clone()),
        maker: data.number_of(&["makerFeeRate"]),
        taker: data.number_of(&["takerFeeRate"]),
        ..TradingFee::default()
    }
}

/// "Get Current Funding Rate" and "Get Next Funding Time".
pub(super) fn funding_rate(raw: &Json<'_>, context: Context<'_>) -> FundingRate {
    let number = |name: &str| raw.number_of(&[name]);
    FundingRate {
        info: Raw::of(raw),
        symbol: context.symbol(raw.text_of(&["symbol"]), true).1,
        mark_price: number("markPrice"),
        index_price: number("indexPrice"),
        time: Time::parse(raw.text_of(&["ts"])),
        funding_rate: number("fundingRate"),
        funding: Time::parse(raw.text_of(&["nextFundingTime", "nextUpdate"])),
        interval: raw.text_of(&["ratePeriod", "fundingRateInterval"]).map(|hours| format!("{hours}h")),
        ..FundingRate::default()
    }
}

pub(super) fn past_funding(raw: &Json<'_>, context: Context<'_>) -> PastFunding {
    PastFunding {
        info: Raw::of(raw),
        symbol: context.symbol(raw.text_of(&["symbol"]), true).1,
        funding_rate: raw.number_of(&["fundingRate"]),
        time: Time::parse(raw.text_of(&["fundingTime", "fundingRateTimestamp"])),
    }
}
