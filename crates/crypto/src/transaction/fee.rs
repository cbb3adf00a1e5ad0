//! What a smart transaction costs.

use super::check::is_fee;

/// The base fee is not digits, a point, six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid base fee format")]
pub struct FeeError;

/// The fee for operations of these names and `raw_bytes` of raw data: in doubles and in this order, then to six
/// decimals, as the client adds. Units of TST.
pub fn smart_fee<'a>(
    operations: impl IntoIterator<Item = &'a str>,
    raw_bytes: f64,
    base: &str,
) -> Result<String, FeeError> {
    if !is_fee(base) {
        return Err(FeeError);
    }
    let mut fee: f64 = base.parse().map_err(|_| FeeError)?;
    for name in operations {
        fee += match name {
            "transfer" => 0.00001,
            "assert.time" | "assert.balance" | "assert.compare" => 0.000_005,
            "emit.event" => 0.000_015,
            _ => 0.0,
        };
    }
    if raw_bytes > 0.0 {
        fee += (raw_bytes / 256.0).ceil() * 0.000_001;
    }
    Ok(ryu_js::Buffer::new().format_to_fixed(fee, 6).to_owned())
}
