//! Money as integers in minor units.
//!
//! | expression | result |
//! | --- | --- |
//! | amount + amount, amount − amount | `i64`, checked; balances and amounts stay within ±[`AMOUNT_MAX`] |
//! | amount × rate | `i128`, then one of the ledger's four named roundings |
//! | text → amount | [`parse_minor`], exact or an error, never rounded |
//! | amount → text | [`format_minor`], exact |

/// One bitcoin in satoshis.
pub const ONE_BTC: i64 = 100_000_000;

/// The largest balance or amount in minor units; far enough below `i64::MAX` that a sum of two
/// does not overflow.
pub const AMOUNT_MAX: i64 = 4_000_000_000_000_000_000;

/// A kind of money. The registry below is the only list of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asset(u8);

struct Info {
    code: &'static str,
    decimals: u32,
}

/// Codes of paper assets begin so.
const PAPER: &str = "PAPER.";

const fn info(code: &'static str, decimals: u32) -> Info {
    Info { code, decimals }
}

/// Append-only: its places are not stored, but a code that was ever used stays what it is. Paper assets have a scale at
/// which all that there ever is of one fits [`AMOUNT_MAX`].
const REGISTRY: [Info; 27] = [
    info("INR", 2),
    info("BTC", 8),
    info("TST", 6),
    info("PAPER.BTC", 8),
    info("PAPER.ETH", 8),
    info("PAPER.SOL", 8),
    info("PAPER.BNB", 8),
    info("PAPER.XRP", 8),
    info("PAPER.DOGE", 8),
    info("PAPER.ADA", 8),
    info("PAPER.TRX", 8),
    info("PAPER.AVAX", 8),
    info("PAPER.LINK", 8),
    info("PAPER.LTC", 8),
    info("PAPER.BCH", 8),
    info("PAPER.DOT", 8),
    info("PAPER.UNI", 8),
    info("PAPER.ATOM", 8),
    info("PAPER.XLM", 8),
    info("PAPER.SUI", 8),
    info("PAPER.TON", 8),
    info("PAPER.NEAR", 8),
    info("PAPER.SHIB", 4),
    info("PAPER.USDT", 8),
    info("PAPER.USDC", 8),
    info("PAPER.USD", 8),
    info("PAPER.EUR", 8),
];

impl Asset {
    /// Indian rupee; minor unit paisa (0.01).
    pub const INR: Self = Self(0);
    /// Bitcoin; minor unit satoshi (10⁻⁸).
    pub const BTC: Self = Self(1);
    /// The STELS test token; six decimals.
    pub const TST: Self = Self(2);

    /// Every registered asset.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..REGISTRY.len()).map(|i| Self(i as u8))
    }

    /// The code in capitals, `INR`.
    pub fn code(self) -> &'static str {
        self.info().code
    }

    /// Decimals between the unit and its minor unit.
    pub fn decimals(self) -> u32 {
        self.info().decimals
    }

    /// The paper asset of a ticker: `BTC` is `PAPER.BTC`, which nobody can mistake for [`Self::BTC`].
    ///
    /// ```
    /// # use orrery_kernel::Asset;
    /// let paper = Asset::paper("BTC").unwrap();
    /// assert_eq!((paper.code(), paper.ticker(), paper.is_paper()), ("PAPER.BTC", "BTC", true));
    /// assert_eq!(Asset::paper("INR"), None);
    /// ```
    pub fn paper(ticker: &str) -> Option<Self> {
        Self::all().find(|a| a.is_paper() && a.ticker() == ticker)
    }

    /// Is it play money?
    pub fn is_paper(self) -> bool {
        self.code().starts_with(PAPER)
    }

    /// The code without what marks paper.
    pub fn ticker(self) -> &'static str {
        self.code().strip_prefix(PAPER).unwrap_or(self.code())
    }

    /// The registered asset of that code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::all().find(|a| a.code() == code)
    }

    fn info(self) -> &'static Info {
        // the field is private and only made from indexes of the registry
        &REGISTRY[usize::from(self.0)]
    }
}

impl std::fmt::Debug for Asset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl std::fmt::Display for Asset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not digits, optionally a point and digits.
    #[error("is not a plain decimal number")]
    Syntax,
    /// More decimals than the asset has.
    #[error("has too many decimal places")]
    TooPrecise,
    /// Above [`AMOUNT_MAX`].
    #[error("is too large")]
    TooLarge,
}

/// Parses a plain decimal (`1000`, `1000.50`) into minor units, exactly. No sign, exponent, white
/// space, grouping or bare point; trailing zeros beyond `decimals` are allowed since they change
/// nothing. At most 40 characters.
///
/// ```
/// # use orrery_kernel::{DecimalError, parse_minor};
/// assert_eq!(parse_minor("1000.50", 2), Ok(100_050));
/// assert_eq!(parse_minor("1000.505", 2), Err(DecimalError::TooPrecise));
/// assert_eq!(parse_minor("1e3", 2), Err(DecimalError::Syntax));
/// ```
pub fn parse_minor(text: &str, decimals: u32) -> Result<i64, DecimalError> {
    let (whole, fraction) = match text.split_once('.') {
        Some((w, f)) if !f.is_empty() => (w, f),
        Some(_) => return Err(DecimalError::Syntax),
        None => (text, ""),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if text.len() > 40 || whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(DecimalError::Syntax);
    }
    let kept = fraction.trim_end_matches('0');
    if kept.len() > decimals as usize {
        return Err(DecimalError::TooPrecise);
    }
    let mut value: i128 = 0;
    let zeros = decimals as usize - kept.len();
    for b in whole.bytes().chain(kept.bytes()).chain(std::iter::repeat_n(b'0', zeros)) {
        value = value * 10 + i128::from(b - b'0');
        if value > i128::from(AMOUNT_MAX) {
            return Err(DecimalError::TooLarge);
        }
    }
    i64::try_from(value).map_err(|_| DecimalError::TooLarge)
}

/// Prints minor units as a plain decimal with all its decimals: `format_minor(100_050, 2)` is
/// `1000.50`.
pub fn format_minor(minor: i64, decimals: u32) -> String {
    let scale = 10_u64.pow(decimals.min(19));
    let sign = if minor < 0 { "-" } else { "" };
    let abs = minor.unsigned_abs();
    if decimals == 0 {
        return format!("{sign}{abs}");
    }
    format!("{sign}{}.{:0width$}", abs / scale, abs % scale, width = decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_decimals_only() {
        for (text, want) in [
            ("0", Ok(0)),
            ("1000", Ok(100_000)),
            ("1000.5", Ok(100_050)),
            ("007.10", Ok(710)),
            ("1.000", Ok(100)),
            ("40000000000000000", Ok(AMOUNT_MAX)),
            ("40000000000000000.01", Err(DecimalError::TooLarge)),
            ("99999999999999999999999999", Err(DecimalError::TooLarge)),
            ("1.001", Err(DecimalError::TooPrecise)),
        ] {
            assert_eq!(parse_minor(text, 2), want, "{text}");
        }
        for text in [
            "", ".", "1.", ".5", "-1", "+1", " 1", "1 ", "1e3", "0x10", "NaN", "Infinity", "1_000", "1,000", "٣",
            "1.2.3",
        ] {
            assert_eq!(parse_minor(text, 2), Err(DecimalError::Syntax), "{text:?}");
        }
    }

    #[test]
    fn every_asset_is_found_by_its_code() {
        for asset in Asset::all() {
            assert_eq!(Asset::parse(asset.code()), Some(asset));
            // codes stand between slashes in accounts, and those in lists
            assert!(asset.code().bytes().all(|b| b.is_ascii_uppercase() || b == b'.') && asset.decimals() <= 8);
            assert!(!asset.is_paper() || Asset::paper(asset.ticker()) == Some(asset), "{asset}");
        }
    }

    #[test]
    fn prints_what_it_parses() {
        for (minor, decimals, want) in [
            (100_050, 2, "1000.50"),
            (-5, 2, "-0.05"),
            (1, 8, "0.00000001"),
            (7, 0, "7"),
            (i64::MIN, 2, "-92233720368547758.08"),
        ] {
            assert_eq!(format_minor(minor, decimals), want);
        }
    }
}
