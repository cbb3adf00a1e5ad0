//! Fields of request bodies as checked values; every error names its field.

use orrery_kernel::{AMOUNT_MAX, Asset, DecimalError, Error, parse_minor};
use orrery_protocol::AmountText;

/// A plain decimal with at most `decimals` places, in units of the last; absent is `None`.
pub(crate) fn decimal(field: &'static str, value: Option<&AmountText>, decimals: u32) -> Result<Option<i64>, Error> {
    let Some(text) = value.map(|v| v.0.as_str()) else { return Ok(None) };
    parse_minor(text, decimals).map(Some).map_err(|e: DecimalError| Error::invalid(field, format!("{field} {e}")))
}

/// The same, present and more than zero. `missing` is the documented sentence for anything else.
pub(crate) fn positive(
    field: &'static str,
    value: Option<&AmountText>,
    decimals: u32,
    missing: &'static str,
) -> Result<i64, Error> {
    match decimal(field, value, decimals) {
        Ok(Some(n)) if (1..=AMOUNT_MAX).contains(&n) => Ok(n),
        Ok(_) => Err(Error::invalid(field, missing)),
        Err(e) => Err(Error::invalid(field, format!("{missing}: {}", e.public))),
    }
}

/// `inr` or `btc`.
pub(crate) fn currency(value: Option<&str>) -> Result<Asset, Error> {
    match value {
        Some("inr") => Ok(Asset::INR),
        Some("btc") => Ok(Asset::BTC),
        _ => Err(Error::invalid("currency", r#"Invalid currency. Must be "inr" or "btc""#)),
    }
}

/// The number in a path; what is none is not found.
pub(crate) fn number(segment: &str) -> Option<i64> {
    let digits = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| segment.parse().ok()).flatten().filter(|n| *n > 0)
}

/// Minor units as a JSON number of the unit: exact rupees, or satoshis as they are.
pub(crate) fn shown(asset: Asset, minor: i64) -> serde_json::Value {
    if asset == Asset::INR {
        serde_json::to_value(orrery_protocol::Rupees(minor)).unwrap_or_default()
    } else {
        minor.into()
    }
}
