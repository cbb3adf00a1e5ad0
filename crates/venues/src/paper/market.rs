//! The markets there are, and their whole numbers.

use std::sync::{Arc, OnceLock};

use orrery_kernel::Asset;
use rust_decimal::Decimal;

use super::PaperFees;
use crate::unified::{FeeRules, Limits, Market, MarketKind, Precision, Range, Raw};
use crate::{ErrorClass, Number, VenueError};

/// Digits of what is paid with: eight, for every such asset.
const QUOTE_DIGITS: u32 = 8;
/// Most that an order may cost, in whole units of the quote currency.
const COST_MAX: u32 = 10_000_000;
/// Most that an order may be, in minor units of the base currency.
const AMOUNT_MAX: i64 = 100_000_000_000_000_000;

/// The highest price, in ticks.
const TICKS_MAX: i64 = 1_000_000_000_000_000;

/// Base, digits of prices, digits of amounts; together at most [`QUOTE_DIGITS`].
const AGAINST_USDT: [(&str, u32, u32); 20] = [
    ("BTC", 2, 5),
    ("ETH", 2, 4),
    ("SOL", 2, 3),
    ("BNB", 2, 3),
    ("XRP", 4, 1),
    ("DOGE", 5, 0),
    ("ADA", 4, 1),
    ("TRX", 4, 1),
    ("AVAX", 2, 2),
    ("LINK", 2, 2),
    ("LTC", 2, 3),
    ("BCH", 2, 3),
    ("DOT", 3, 2),
    ("UNI", 3, 2),
    ("ATOM", 3, 2),
    ("XLM", 4, 0),
    ("SUI", 4, 1),
    ("TON", 3, 2),
    ("NEAR", 3, 1),
    ("SHIB", 8, 0),
];
/// How many of the first are also traded against these.
const ALSO: (usize, [&str; 3]) = (3, ["USDC", "USD", "EUR"]);

/// A spot market of play money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperMarket {
    /// `BTC/USDT`
    pub symbol: String,
    /// `BTCUSDT`, with which the names of its orders begin.
    pub id: String,
    /// What is traded.
    pub base: Asset,
    /// What it is paid with.
    pub quote: Asset,
    /// A tick is ten to the minus this.
    pub price_digits: u32,
    /// A lot is ten to the minus this.
    pub amount_digits: u32,
    /// Minor units of the quote currency that a tick times a lot is.
    unit: i64,
    /// Minor units of the base currency that a lot is.
    lot: i64,
}

/// Every market.
pub fn markets() -> &'static [Arc<PaperMarket>] {
    static ALL: OnceLock<Vec<Arc<PaperMarket>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let usdt = AGAINST_USDT.iter().map(|of| (of, "USDT"));
        let also = ALSO.1.iter().flat_map(|quote| AGAINST_USDT.iter().take(ALSO.0).map(move |of| (of, *quote)));
        usdt.chain(also).filter_map(|(of, quote)| PaperMarket::new(*of, quote)).map(Arc::new).collect()
    })
}

fn refused(what: &str) -> VenueError {
    VenueError::new(ErrorClass::InvalidOrder, what)
}

impl PaperMarket {
    fn new((base, price_digits, amount_digits): (&str, u32, u32), quote: &str) -> Option<Self> {
        let (base, quote) = (Asset::paper(base)?, Asset::paper(quote)?);
        let unit = 10_i64.checked_pow(QUOTE_DIGITS.checked_sub(price_digits + amount_digits)?)?;
        let lot = 10_i64.checked_pow(base.decimals().checked_sub(amount_digits)?)?;
        let (symbol, id) =
            (format!("{}/{}", base.ticker(), quote.ticker()), format!("{}{}", base.ticker(), quote.ticker()));
        Some(Self { symbol, id, base, quote, price_digits, amount_digits, unit, lot })
    }

    /// What so many lots cost at a price in ticks, in minor units of the quote currency.
    pub fn cost(&self, price: i64, lots: i64) -> i64 {
        let worth = i128::from(price) * i128::from(lots);
        i64::try_from(worth.saturating_mul(self.unit.into())).unwrap_or(i64::MAX)
    }

    /// What so many lots are in minor units of the base currency.
    pub fn amount(&self, lots: i64) -> i64 {
        lots.saturating_mul(self.lot)
    }

    /// How many lots at a price in ticks so many minor units of the quote currency pay for.
    pub fn affordable(&self, price: i64, minor: i64) -> i64 {
        let each = i128::from(price.max(1)) * i128::from(self.unit);
        i64::try_from(i128::from(minor.max(0)) / each).unwrap_or(i64::MAX)
    }

    /// A price as a number.
    pub fn price_number(&self, ticks: i64) -> Number {
        Number(Decimal::new(ticks, self.price_digits).normalize())
    }

    /// An amount as a number.
    pub fn amount_number(&self, lots: i64) -> Number {
        Number(Decimal::new(lots, self.amount_digits).normalize())
    }

    /// Minor units of an asset as a number.
    pub fn money(asset: Asset, minor: i64) -> Number {
        Number(Decimal::new(minor, asset.decimals()).normalize())
    }

    /// Minor units of the quote currency.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`] for what is less than one or too much.
    pub fn minor(&self, cost: Number) -> Result<i64, VenueError> {
        let minor = whole(cost, self.quote.decimals(), false).filter(|minor| *minor > 0);
        minor.ok_or_else(|| refused(&format!("{cost} is no cost of {}", self.symbol)))
    }

    /// A price in ticks, rounded to the nearest.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`] for what is less than half a tick or too much.
    pub fn ticks(&self, price: Number) -> Result<i64, VenueError> {
        let ticks = whole(price, self.price_digits, true).filter(|ticks| (1..=TICKS_MAX).contains(ticks));
        ticks.ok_or_else(|| {
            refused(&format!(
                "price {price} of {} is less than its step of 1e-{}, or too high",
                self.symbol, self.price_digits
            ))
        })
    }

    /// An amount in lots, cut off.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`] for what is less than a lot or too much.
    pub fn lots(&self, amount: Number) -> Result<i64, VenueError> {
        let lots = whole(amount, self.amount_digits, false).filter(|lots| *lots > 0);
        lots.filter(|lots| self.amount(*lots) <= AMOUNT_MAX).ok_or_else(|| {
            let step = self.amount_digits;
            refused(&format!("amount {amount} of {} is less than its step of 1e-{step}, or too large", self.symbol))
        })
    }

    /// Whether an order of that worth may be made.
    ///
    /// Errors: [`ErrorClass::InvalidOrder`] with the bounds.
    pub fn check_cost(&self, price: i64, lots: i64) -> Result<(), VenueError> {
        let (one, cost) = (10_i64.pow(QUOTE_DIGITS), self.cost(price, lots));
        if (one..=one.saturating_mul(COST_MAX.into())).contains(&cost) {
            return Ok(());
        }
        let quote = self.quote.ticker();
        let cost = Self::money(self.quote, cost);
        Err(refused(&format!("an order of {} costs 1 to {COST_MAX} {quote}, not {cost}", self.symbol)))
    }

    /// The market as CCXT has it.
    pub fn unified(&self, fees: PaperFees) -> Market {
        let share = |millionths: u32| Some(Number(Decimal::new(millionths.into(), 6).normalize()));
        let (base, quote) = (self.base.ticker().to_owned(), self.quote.ticker().to_owned());
        let least = self.amount_number(1);
        let most = Number(Decimal::new(AMOUNT_MAX, self.base.decimals()).normalize());
        let range = |min, max| Range { min: Some(min), max };
        Market {
            id: self.id.clone(),
            lowercase_id: Some(self.id.to_lowercase()),
            symbol: self.symbol.clone(),
            base_id: base.clone(),
            quote_id: quote.clone(),
            base,
            quote,
            settle: None,
            settle_id: None,
            kind: MarketKind::Spot,
            margin: Some(false),
            active: Some(true),
            linear: None,
            taker: share(fees.taker),
            maker: share(fees.maker),
            contract_size: None,
            expiry: None,
            index: Some(false),
            precision: Precision { amount: Some(least), price: Some(self.price_number(1)), ..Precision::default() },
            limits: Limits {
                amount: range(least, Some(most)),
                price: range(self.price_number(1), None),
                cost: range(1.into(), Some(COST_MAX.into())),
                ..Limits::default()
            },
            margin_modes: None,
            stock: None,
            created: None,
            fee_rules: FeeRules {
                tier_based: Some(false),
                percentage: Some(true),
                side: Some("get"),
                ..FeeRules::default()
            },
            info: Raw::member("symbol", &self.id),
        }
    }
}

/// The number times ten to `digits`, if it is not negative: rounded to the nearest or cut off.
fn whole(number: Number, digits: u32, nearest: bool) -> Option<i64> {
    let scaled = number.0.checked_mul(Decimal::from(10_u64.checked_pow(digits)?))?;
    let whole = if nearest {
        scaled.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
    } else {
        scaled.trunc()
    };
    whole.to_string().parse().ok().filter(|whole| *whole >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(digits: &str) -> Number {
        Number::parse(digits).unwrap()
    }

    #[test]
    fn every_market_has_whole_costs() {
        assert_eq!(markets().len(), 29);
        for market in markets() {
            assert_eq!(market.quote.decimals(), QUOTE_DIGITS, "{}", market.symbol);
            assert!(market.unit >= 1 && market.lot >= 1, "{}", market.symbol);
            let exact = market.price_number(1).times(market.amount_number(1)).unwrap();
            assert_eq!(PaperMarket::money(market.quote, market.cost(1, 1)), exact, "{}", market.symbol);
        }
    }

    #[test]
    fn numbers_become_ticks_and_lots() {
        let market = markets().iter().find(|market| market.symbol == "BTC/USDT").unwrap();
        assert_eq!((market.ticks(n("100.005")), market.lots(n("0.123456"))), (Ok(10_001), Ok(12_345)));
        assert_eq!(market.cost(10_001, 12_345), 1_234_623_450);
        assert_eq!(market.affordable(10_001, 1_234_623_450), 12_345);
        assert_eq!(market.affordable(10_001, 1_234_623_449), 12_344);
        for bad in ["0", "-1", "0.000001", "99999999999999999999"] {
            assert_eq!(market.lots(n(bad)).unwrap_err().class(), ErrorClass::InvalidOrder, "{bad}");
        }
        assert!(market.ticks(n("0.004")).is_err() && market.minor(n("0.000000001")).is_err());
        assert!(market.check_cost(100, 100_000).is_ok() && market.check_cost(100, 99_999).is_err());
        assert!(market.check_cost(i64::MAX, i64::MAX).is_err());
    }
}
