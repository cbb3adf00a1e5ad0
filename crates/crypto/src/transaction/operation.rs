//! Operations of a smart transaction.

use orrery_kernel::{Asset, parse_minor};

use super::check::{is_amount, is_event_data, is_event_kind, is_memo};
use super::{TransactionError, address, text};
use crate::json::JsValue;

/// Operations that a transaction may have; each transfer is a movement of one ledger entry.
pub const OPERATIONS_MAX: usize = 60;

/// How `assert.compare` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cmp {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `==`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Cmp {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "==" => Self::Equal,
            ">=" => Self::GreaterOrEqual,
            ">" => Self::Greater,
            _ => return None,
        })
    }

    /// Does it hold? Two plain decimals are compared as numbers, anything else as texts by UTF-16 unit.
    pub fn holds(self, left: &str, right: &str) -> bool {
        let order = match (decimal(left), decimal(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.encode_utf16().cmp(right.encode_utf16()),
        };
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

/// Scaled to 18 decimals; `None` for what is no plain decimal, or has more digits than fit.
fn decimal(text: &str) -> Option<i128> {
    const SCALE: usize = 18;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > SCALE || digits.ends_with('.') {
        return None;
    }
    format!("{whole}{part:0<SCALE$}").parse::<i128>().ok().map(|n| n * sign)
}

/// One step; amounts are in millionths of TST.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Pay.
    Transfer {
        /// Whom.
        to: String,
        /// How much.
        amount: i64,
    },
    /// Only within a time.
    AssertTime {
        /// Not at or after this, milliseconds since 1970.
        before_ms: Option<f64>,
        /// Not at or before this.
        after_ms: Option<f64>,
    },
    /// Only if an account holds enough, after the steps before this one.
    AssertBalance {
        /// Whose.
        address: String,
        /// At least this.
        gte: i64,
    },
    /// Only if it holds.
    AssertCompare {
        /// Left of the sign.
        left: String,
        /// The sign.
        cmp: Cmp,
        /// Right of it.
        right: String,
    },
    /// Tell those who listen.
    EmitEvent {
        /// What happened.
        kind: String,
        /// More about it.
        data: Option<JsValue>,
    },
}

/// What the client takes for an operation.
pub fn is_operation(op: &JsValue) -> bool {
    let string = |key: &str| op.get(key).and_then(JsValue::as_js_string);
    let wide = |key: &str, units: usize| string(key).is_some_and(|s| s.utf16_len() == units);
    let amount = |key: &str| op.get(key).and_then(JsValue::as_str).is_some_and(is_amount);
    // `undefined` and absent are one to the client
    let absent = |key: &str| matches!(op.get(key), None | Some(JsValue::Undefined));
    match op.get("op").and_then(JsValue::as_str) {
        Some("transfer") => {
            wide("to", 34) && amount("amount") && (absent("memo") || string("memo").is_some_and(is_memo))
        }
        Some("assert.time") => {
            let time = |key: &str| op.get(key).and_then(JsValue::as_f64);
            let good = |key: &str| absent(key) || time(key).is_some_and(|t| t > 0.0);
            let ordered = match (time("after_ms"), time("before_ms")) {
                (Some(after), Some(before)) => after < before,
                _ => true,
            };
            good("before_ms") && good("after_ms") && ordered
        }
        Some("assert.balance") => wide("address", 34) && amount("gte"),
        Some("assert.compare") => {
            let cmp = op.get("cmp").and_then(JsValue::as_str).and_then(Cmp::parse);
            string("left").is_some() && string("right").is_some() && cmp.is_some()
        }
        Some("emit.event") => {
            let kind = op.get("kind").and_then(JsValue::as_str).is_some_and(is_event_kind);
            kind && (absent("data") || op.get("data").is_some_and(is_event_data))
        }
        _ => false,
    }
}

impl Operation {
    /// Names of the keys that a signer may have had as `undefined`, which leave no trace on the wire.
    pub(super) fn optional_keys(op: &JsValue) -> &'static [&'static str] {
        match op.get("op").and_then(JsValue::as_str) {
            Some("transfer") => &["memo"],
            Some("assert.time") => &["before_ms", "after_ms"],
            Some("emit.event") => &["data"],
            _ => &[],
        }
    }

    /// The typed form of what [`is_operation`] lets pass, with real addresses and amounts that fit.
    pub(super) fn verify(op: &JsValue) -> Result<Self, TransactionError> {
        const FIELD: &str = "args.ops";
        // null stands for what a signer left undefined
        let nulls: Vec<&str> =
            Self::optional_keys(op).iter().copied().filter(|k| op.get(k) == Some(&JsValue::Null)).collect();
        let cleaned = op.as_object().map(|members| JsValue::Object(members.without(&nulls)));
        let op = cleaned.as_ref().unwrap_or(op);
        if !is_operation(op) {
            let name = op.get("op").and_then(JsValue::as_str).unwrap_or("without a name");
            let name: String = name.chars().take(40).collect();
            return Err(TransactionError::new(FIELD, format!("has a bad operation: {name}")));
        }
        let amount = |key: &str| {
            let digits = text(op, key, FIELD)?;
            parse_minor(digits, Asset::TST.decimals())
                .map_err(|why| TransactionError::new(FIELD, format!("has an amount that {why}")))
        };
        Ok(match text(op, "op", FIELD)? {
            "transfer" => Self::Transfer { to: address(op, "to", FIELD)?.to_owned(), amount: amount("amount")? },
            "assert.time" => Self::AssertTime {
                before_ms: op.get("before_ms").and_then(JsValue::as_f64),
                after_ms: op.get("after_ms").and_then(JsValue::as_f64),
            },
            "assert.balance" => {
                Self::AssertBalance { address: address(op, "address", FIELD)?.to_owned(), gte: amount("gte")? }
            }
            "assert.compare" => Self::AssertCompare {
                left: text(op, "left", FIELD)?.to_owned(),
                cmp: Cmp::parse(text(op, "cmp", FIELD)?)
                    .ok_or_else(|| TransactionError::new(FIELD, "has a bad cmp"))?,
                right: text(op, "right", FIELD)?.to_owned(),
            },
            _ => Self::EmitEvent { kind: text(op, "kind", FIELD)?.to_owned(), data: op.get("data").cloned() },
        })
    }
}
