//! Indicators: from columns of the engine to columns of the engine.

use rquickjs::{Array, Exception, Object, Result, TypedArray, Value};

use super::Given;
use crate::{isolate::code, ta};

/// Names of a candle's columns, in their order.
const COLUMNS: [&str; 6] = ["timestamp", "open", "high", "low", "close", "volume"];
/// Longest period.
const PERIOD_MAX: f64 = 1e9;

/// `ta(name, columns, numbers)`: a column, several, or a truth.
pub(super) fn call<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let name = given.text(0)?;
    let columns = given.value(1);
    let columns = columns.as_array().ok_or_else(|| given.type_error("columns were expected"))?;
    if name == "columns" {
        return columns_of(given, &columns.get::<Value<'js>>(0)?);
    }
    let columns: Vec<Vec<f64>> =
        columns.iter::<Value<'js>>().map(|value| column(given, &value?)).collect::<Result<_>>()?;
    let numbers: Vec<f64> = match given.value(2).as_array() {
        Some(numbers) => numbers.iter().collect::<Result<_>>()?,
        None => Vec::new(),
    };
    let column = |place: usize| columns.get(place).map(Vec::as_slice).unwrap_or_default();
    let number = |place: usize| numbers.get(place).copied();
    let period = |place: usize| match number(place) {
        Some(period) if (1.0..=PERIOD_MAX).contains(&period) && period.fract() == 0.0 => Ok(period as usize),
        _ => Err(Exception::throw_range(given.ctx, "a period is a whole number from 1")),
    };
    match name.as_str() {
        "sma" => give(given, &ta::sma(column(0), period(0)?)),
        "ema" => give(given, &ta::ema(column(0), period(0)?)),
        "rsi" => give(given, &ta::rsi(column(0), period(0)?)),
        "highest" => give(given, &ta::highest(column(0), period(0)?)),
        "lowest" => give(given, &ta::lowest(column(0), period(0)?)),
        "atr" => give(given, &ta::atr(column(0), column(1), column(2), period(0)?)),
        "vwap" => {
            let period = number(0).map(|_| period(0)).transpose()?;
            give(given, &ta::vwap(column(0), column(1), column(2), column(3), period))
        }
        "macd" => {
            let all = ta::macd(column(0), period(0)?, period(1)?, period(2)?);
            several(given, &["macd", "signal", "histogram"], &all)
        }
        "bollinger" => {
            let all = ta::bollinger(column(0), period(0)?, number(1).unwrap_or(2.0));
            several(given, &["upper", "middle", "lower"], &all)
        }
        "stochastic" => {
            let all = ta::stochastic(column(0), column(1), column(2), period(0)?, period(2)?, period(1)?);
            several(given, &["k", "d"], &all)
        }
        "crossover" => given.give(ta::crossover(column(0), column(1))),
        "crossunder" => given.give(ta::crossunder(column(0), column(1))),
        _ => Err(Exception::throw_internal(given.ctx, "no such indicator")),
    }
}

/// The numbers of a `Float64Array`, of an array, or of any other typed array.
fn column<'js>(given: &Given<'_, 'js>, value: &Value<'js>) -> Result<Vec<f64>> {
    if let Some(floats) = value.as_object().filter(|object| object.is_typed_array::<f64>()) {
        let bytes = code::bytes_of(floats.as_value()).unwrap_or_default();
        let numbers = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_ne_bytes(*bytes));
        return Ok(numbers.collect());
    }
    let array =
        value.as_array().ok_or_else(|| given.type_error("numbers were expected: an array or a Float64Array"))?;
    array.iter::<Value<'js>>().map(|value| Ok(value?.as_number().unwrap_or(f64::NAN))).collect()
}

/// Candles, which are rows, as columns.
fn columns_of<'js>(given: &Given<'_, 'js>, rows: &Value<'js>) -> Result<Value<'js>> {
    let rows = rows.as_array().ok_or_else(|| given.type_error("candles were expected: rows of six numbers"))?;
    let mut columns: [Vec<f64>; 6] = std::array::from_fn(|_| Vec::with_capacity(rows.len()));
    for row in rows.iter::<Array<'js>>() {
        let row = row?;
        for (place, column) in columns.iter_mut().enumerate() {
            column.push(row.get::<Value<'js>>(place)?.as_number().unwrap_or(f64::NAN));
        }
    }
    several(given, &COLUMNS, &columns)
}

fn give<'js>(given: &Given<'_, 'js>, numbers: &[f64]) -> Result<Value<'js>> {
    Ok(TypedArray::<f64>::new_copy(given.ctx.clone(), numbers)?.into_value())
}

fn several<'js>(given: &Given<'_, 'js>, names: &[&str], columns: &[Vec<f64>]) -> Result<Value<'js>> {
    let object = Object::new(given.ctx.clone())?;
    for (name, column) in names.iter().zip(columns) {
        object.set(*name, give(given, column)?)?;
    }
    Ok(object.into_value())
}
