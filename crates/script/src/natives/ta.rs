//! Indicators: from columns of the engine to columns of the engine.

use rquickjs::{Array, Exception, Object, Result, TypedArray, Value};

use super::Given;
use crate::{isolate::code, ta};

/// Names of a candle's columns, in their order.
const COLUMNS: [&str; 6] = ["timestamp", "open", "high", "low", "close", "volume"];
/// Longest period.
const PERIOD_MAX: f64 = 1e9;

/// `ta(name, columns, numbers)`: a column, several, or a truth.
#[expect(unsafe_code, reason = "columns are read where they lie: copying them costs as much as an average")]
pub(super) fn call<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let (name, columns, numbers) = (given.text(0)?, given.value(1), given.value(2));
    let columns = columns.as_array().ok_or_else(|| given.type_error("columns were expected"))?;
    let numbers = Numbers { given, all: numbers.as_array().map(numbers_of).transpose()?.unwrap_or_default() };
    if name == "columns" {
        return columns_of(given, &columns.get::<Value<'js>>(0)?, &numbers.all);
    }
    let values = columns.iter().collect::<Result<Vec<Value<'js>>>>()?;
    // this may run code of the script, where arrays are not what they seem; what follows may not
    let read = values.iter().map(|value| read(given, value)).collect::<Result<Vec<_>>>()?;
    if let (Some(indicator), [value], [None]) = (ta::in_place(&name), values.as_slice(), read.as_slice()) {
        return within(given, value, indicator, numbers.period(0)?);
    }
    let done = compute(&name, &numbers, |place| {
        let value = values.get(place);
        // SAFETY: nothing of the engine is called until what was computed is owned
        let floats = value.and_then(|value| unsafe { code::floats_of(value) });
        floats.or_else(|| read.get(place)?.as_deref()).unwrap_or_default()
    })?;
    match done {
        Done::One(column) => give(given, &column),
        Done::Several(names, columns) => several(given, names, &columns),
        Done::Truth(truth) => given.give(truth),
    }
}

/// Computes where the result will lie.
#[expect(unsafe_code, reason = "columns are read and written where they lie")]
fn within<'js>(given: &Given<'_, 'js>, value: &Value<'js>, of: ta::InPlace, period: usize) -> Result<Value<'js>> {
    // SAFETY: the engine copies the numbers and runs nothing of the script
    let copied = unsafe { code::floats_of(value) }.unwrap_or_default();
    let out = TypedArray::<f64>::new_copy(given.ctx.clone(), copied)?.into_value();
    // SAFETY: nothing of the engine is called while they are looked at; the result is new, so they are two places
    let (values, places) = unsafe { (code::floats_of(value).unwrap_or_default(), code::floats_in(&out)) };
    if let Some(places) = places.filter(|places| places.len() == values.len()) {
        of(values, period, places);
    }
    Ok(out)
}

/// What was computed.
enum Done {
    One(Vec<f64>),
    Several(&'static [&'static str], Vec<Vec<f64>>),
    Truth(bool),
}

/// Numbers after the columns.
struct Numbers<'g, 'a, 'js> {
    given: &'g Given<'a, 'js>,
    all: Vec<f64>,
}

impl Numbers<'_, '_, '_> {
    fn number(&self, place: usize) -> Option<f64> {
        self.all.get(place).copied()
    }

    fn period(&self, place: usize) -> Result<usize> {
        match self.number(place) {
            Some(period) if (1.0..=PERIOD_MAX).contains(&period) && period.fract() == 0.0 => Ok(period as usize),
            _ => Err(Exception::throw_range(self.given.ctx, "a period is a whole number from 1")),
        }
    }
}

fn compute<'c>(name: &str, numbers: &Numbers<'_, '_, '_>, column: impl Fn(usize) -> &'c [f64]) -> Result<Done> {
    let period = |place| numbers.period(place);
    Ok(match name {
        "sma" => Done::One(ta::sma(column(0), period(0)?)),
        "ema" => Done::One(ta::ema(column(0), period(0)?)),
        "rsi" => Done::One(ta::rsi(column(0), period(0)?)),
        "highest" => Done::One(ta::highest(column(0), period(0)?)),
        "lowest" => Done::One(ta::lowest(column(0), period(0)?)),
        "atr" => Done::One(ta::atr(column(0), column(1), column(2), period(0)?)),
        "vwap" => {
            let period = numbers.number(0).map(|_| period(0)).transpose()?;
            Done::One(ta::vwap(column(0), column(1), column(2), column(3), period))
        }
        "macd" => {
            let all = ta::macd(column(0), period(0)?, period(1)?, period(2)?);
            Done::Several(&["macd", "signal", "histogram"], all.into())
        }
        "bollinger" => {
            let all = ta::bollinger(column(0), period(0)?, numbers.number(1).unwrap_or(2.0));
            Done::Several(&["upper", "middle", "lower"], all.into())
        }
        "stochastic" => {
            let all = ta::stochastic(column(0), column(1), column(2), period(0)?, period(2)?, period(1)?);
            Done::Several(&["k", "d"], all.into())
        }
        "crossover" => Done::Truth(ta::crossover(column(0), column(1))),
        "crossunder" => Done::Truth(ta::crossunder(column(0), column(1))),
        _ => return Err(Exception::throw_internal(numbers.given.ctx, "no such indicator")),
    })
}

/// The numbers of an array; none for a `Float64Array`, whose numbers are read where they lie.
fn read<'js>(given: &Given<'_, 'js>, value: &Value<'js>) -> Result<Option<Vec<f64>>> {
    if value.as_object().is_some_and(rquickjs::Object::is_typed_array::<f64>) {
        return Ok(None);
    }
    let array =
        value.as_array().ok_or_else(|| given.type_error("numbers were expected: an array or a Float64Array"))?;
    numbers_of(array).map(Some)
}

fn numbers_of(array: &Array<'_>) -> Result<Vec<f64>> {
    array.iter::<Value<'_>>().map(|value| Ok(value?.as_number().unwrap_or(f64::NAN))).collect()
}

/// Candles, which are rows, as columns: of these places, or all.
fn columns_of<'js>(given: &Given<'_, 'js>, rows: &Value<'js>, places: &[f64]) -> Result<Value<'js>> {
    let rows = rows.as_array().ok_or_else(|| given.type_error("candles were expected: rows of six numbers"))?;
    let wanted = |place: &usize| places.is_empty() || places.contains(&(*place as f64));
    let places: Vec<_> = (0..COLUMNS.len()).filter(wanted).collect();
    let mut columns = vec![Vec::with_capacity(rows.len()); places.len()];
    for row in rows.iter::<Array<'js>>() {
        let row = row?;
        for (place, column) in places.iter().zip(&mut columns) {
            column.push(row.get::<Value<'js>>(*place)?.as_number().unwrap_or(f64::NAN));
        }
    }
    let names: Vec<_> = places.iter().filter_map(|place| COLUMNS.get(*place).copied()).collect();
    several(given, &names, &columns)
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
