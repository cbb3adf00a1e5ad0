//! Indicators over columns of numbers, one value for each: `NaN` until there are enough values.
//!
//! Formulas are the usual ones of trading platforms: the exponential average begins with the plain average of its
//! first period, RSI and ATR smooth as Wilder does, bands use the deviation of the population.

/// An indicator of one column and a period, written where it is wanted: a column as long as the values, of anything.
pub type InPlace = fn(&[f64], usize, &mut [f64]);

/// The indicator of that name, if it is one of those that only pass over their column: for them another copy of it
/// costs as much as all else.
pub fn in_place(name: &str) -> Option<InPlace> {
    match name {
        "sma" => Some(sma_in),
        "ema" => Some(ema_in),
        "rsi" => Some(rsi_in),
        _ => None,
    }
}

/// Plain average of the last `period` values.
pub fn sma(values: &[f64], period: usize) -> Vec<f64> {
    column(values, period, sma_in)
}

fn column(values: &[f64], period: usize, of: InPlace) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    of(values, period, &mut out);
    out
}

fn sma_in(values: &[f64], period: usize, out: &mut [f64]) {
    sums_in(values, period, out);
    out.iter_mut().for_each(|sum| *sum /= period as f64);
}

/// Sums of the last `period` values. The sum is carried on, and taken anew often enough that it does not drift, and
/// when a `NaN` has left it.
fn sums(values: &[f64], period: usize) -> Vec<f64> {
    column(values, period, sums_in)
}

fn sums_in(values: &[f64], period: usize, out: &mut [f64]) {
    leave(out, if period == 0 { values.len() } else { period - 1 });
    if period == 0 {
        return;
    }
    let (anew, mut steps, mut sum) = (period.max(64), usize::MAX, 0.0);
    let mut before = f64::NAN;
    for (window, out) in values.windows(period).zip(out.iter_mut().skip(period - 1)) {
        let (first, last) = (window.first().copied().unwrap_or(0.0), window.last().copied().unwrap_or(0.0));
        if steps >= anew || before.is_nan() {
            (sum, steps) = (window.iter().sum(), 0);
        } else {
            (sum, steps) = (sum + (last - before), steps + 1);
        }
        before = first;
        *out = sum;
    }
}

/// So many places at the beginning have no value.
fn leave(out: &mut [f64], places: usize) {
    out.iter_mut().take(places).for_each(|place| *place = f64::NAN);
}

/// What `of` makes of each window of `period` values.
fn rolling(values: &[f64], period: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    if period == 0 {
        return out;
    }
    for (window, out) in values.windows(period).zip(out.iter_mut().skip(period - 1)) {
        *out = of(window);
    }
    out
}

/// Exponential average: each value weighs `2 / (period + 1)`.
pub fn ema(values: &[f64], period: usize) -> Vec<f64> {
    column(values, period, ema_in)
}

fn ema_in(values: &[f64], period: usize, out: &mut [f64]) {
    smoothed_in(values, period, 2.0 / (period as f64 + 1.0), out);
}

/// An average that begins with the plain one and then takes `weight` of each value. Leading `NaN`s are passed over.
fn smoothed(values: &[f64], period: usize, weight: f64) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    smoothed_in(values, period, weight, &mut out);
    out
}

fn smoothed_in(values: &[f64], period: usize, weight: f64, out: &mut [f64]) {
    let skipped = values.iter().take_while(|value| value.is_nan()).count();
    let rest = values.get(skipped..).unwrap_or_default();
    let Some(first) = rest.get(..period).filter(|_| period > 0) else { return leave(out, values.len()) };
    leave(out, skipped + period - 1);
    let mut now = first.iter().sum::<f64>() / period as f64;
    let mut places = out.iter_mut().skip(skipped + period - 1);
    if let Some(place) = places.next() {
        *place = now;
    }
    for (value, place) in rest.iter().skip(period).zip(places) {
        now += (value - now) * weight;
        *place = now;
    }
}

/// Relative strength, 0 to 100.
pub fn rsi(values: &[f64], period: usize) -> Vec<f64> {
    column(values, period, rsi_in)
}

fn rsi_in(values: &[f64], period: usize, out: &mut [f64]) {
    if period == 0 || values.len() <= period {
        return leave(out, values.len());
    }
    leave(out, period);
    let weight = 1.0 / period as f64;
    let (mut gain, mut loss, mut before) = (0.0, 0.0, values.first().copied().unwrap_or(f64::NAN));
    for (at, (value, place)) in values.iter().zip(out).enumerate().skip(1) {
        let change = value - before;
        before = *value;
        let (up, down) = (change.max(0.0), (-change).max(0.0));
        if at <= period {
            gain += up * weight;
            loss += down * weight;
        } else {
            gain += (up - gain) * weight;
            loss += (down - loss) * weight;
        }
        if at >= period {
            let both = gain + loss;
            // no change at all is neither strong nor weak
            *place = if both == 0.0 { 50.0 } else { 100.0 * gain / both };
        }
    }
}

/// The difference of two exponential averages, its own average over `signal`, and what is between them.
pub fn macd(values: &[f64], fast: usize, slow: usize, signal: usize) -> [Vec<f64>; 3] {
    let line = minus(&ema(values, fast), &ema(values, slow));
    let average = ema(&line, signal);
    let between = minus(&line, &average);
    [line, average, between]
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Upper band, average and lower band: `width` deviations from the plain average.
pub fn bollinger(values: &[f64], period: usize, width: f64) -> [Vec<f64>; 3] {
    let middle = sma(values, period);
    let deviation = rolling(values, period, |window| {
        let mean = window.iter().sum::<f64>() / period as f64;
        (window.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / period as f64).sqrt()
    });
    let band = |side: f64| middle.iter().zip(&deviation).map(|(mean, by)| mean + side * width * by).collect();
    let (upper, lower) = (band(1.0), band(-1.0));
    [upper, middle, lower]
}

/// Average true range.
pub fn atr(high: &[f64], low: &[f64], close: &[f64], period: usize) -> Vec<f64> {
    let before = std::iter::once(f64::NAN).chain(close.iter().copied());
    let range = high.iter().zip(low).zip(before).map(|((high, low), before)| {
        // `max` passes over NaN, which stands before the first close
        (high - low).max((high - before).abs()).max((low - before).abs())
    });
    let mut range: Vec<_> = range.collect();
    range.truncate(close.len());
    smoothed(&range, period, 1.0 / period as f64)
}

/// Average price by volume: from the beginning, or over the last `period` candles.
pub fn vwap(high: &[f64], low: &[f64], close: &[f64], volume: &[f64], period: Option<usize>) -> Vec<f64> {
    let typical = high.iter().zip(low).zip(close).map(|((high, low), close)| (high + low + close) / 3.0);
    let money: Vec<_> = typical.zip(volume).map(|(price, volume)| price * volume).collect();
    let volume = volume.get(..money.len()).unwrap_or(volume);
    let sums = |values: &[f64]| match period {
        Some(period) => sums(values, period),
        None => values.iter().scan(0.0, |sum, value| Some(add(sum, *value))).collect(),
    };
    sums(&money).iter().zip(sums(volume)).map(|(money, volume)| money / volume).collect()
}

fn add(sum: &mut f64, value: f64) -> f64 {
    *sum += value;
    *sum
}

/// Where the close is between the lowest and the highest of `period` candles, 0 to 100, averaged over `smooth`; and
/// the average of that over `signal`.
pub fn stochastic(
    high: &[f64],
    low: &[f64],
    close: &[f64],
    period: usize,
    smooth: usize,
    signal: usize,
) -> [Vec<f64>; 2] {
    let (top, bottom) = (highest(high, period), lowest(low, period));
    let raw = close.iter().zip(&top).zip(&bottom).map(|((close, top), bottom)| {
        let range = top - bottom;
        if range == 0.0 { 50.0 } else { 100.0 * (close - bottom) / range }
    });
    let k = sma(&raw.collect::<Vec<_>>(), smooth);
    let d = sma(&k, signal);
    [k, d]
}

/// The highest of the last `period` values.
pub fn highest(values: &[f64], period: usize) -> Vec<f64> {
    extreme(values, period, |a, b| a >= b)
}

/// The lowest of the last `period` values.
pub fn lowest(values: &[f64], period: usize) -> Vec<f64> {
    extreme(values, period, |a, b| a <= b)
}

/// The value of each window that beats all others, each value being looked at twice at most.
fn extreme(values: &[f64], period: usize, beats: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    // places of values that may still be it, the best first
    let mut best = std::collections::VecDeque::<(usize, f64)>::new();
    for (at, (value, place)) in values.iter().zip(out.iter_mut()).enumerate() {
        while best.back().is_some_and(|(_, other)| beats(*value, *other)) {
            best.pop_back();
        }
        best.push_back((at, *value));
        while best.front().is_some_and(|(other, _)| other + period <= at) {
            best.pop_front();
        }
        if at + 1 >= period
            && let Some((_, value)) = best.front()
        {
            *place = *value;
        }
    }
    out
}

/// Did `a` rise above `b` with its last value?
pub fn crossover(a: &[f64], b: &[f64]) -> bool {
    last_two(a).zip(last_two(b)).is_some_and(|((a0, a1), (b0, b1))| a0 <= b0 && a1 > b1)
}

/// Did `a` fall below `b` with its last value?
pub fn crossunder(a: &[f64], b: &[f64]) -> bool {
    crossover(b, a)
}

fn last_two(values: &[f64]) -> Option<(f64, f64)> {
    match values {
        [.., before, last] => Some((*before, *last)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
