//! Each indicator against its formula written out plainly.

use proptest::prelude::*;

use super::*;

fn close(a: f64, b: f64) -> bool {
    a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-6 * (1.0 + a.abs().max(b.abs()))
}

fn same(a: &[f64], b: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.len(), b.len());
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        prop_assert!(close(*a, *b), "at {}: {} and {}", at, a, b);
    }
    Ok(())
}

/// For each place, what `of` makes of the last `period` values.
fn windows(values: &[f64], period: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    (0..values.len()).map(|at| if at + 1 < period { f64::NAN } else { of(&values[at + 1 - period..=at]) }).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The exponential average by its definition, from the plain average of the first period.
fn exponential(values: &[f64], period: usize, weight: f64) -> Vec<f64> {
    let mut out = vec![f64::NAN; values.len()];
    for at in 0..values.len() {
        if at + 1 == period {
            out[at] = mean(&values[..period]);
        } else if at + 1 > period {
            out[at] = weight * values[at] + (1.0 - weight) * out[at - 1];
        }
    }
    out
}

fn true_range(high: &[f64], low: &[f64], close: &[f64]) -> Vec<f64> {
    (0..high.len())
        .map(|i| match i {
            0 => high[0] - low[0],
            _ => {
                let before = close[i - 1];
                [high[i] - low[i], (high[i] - before).abs(), (low[i] - before).abs()].into_iter().fold(0.0, f64::max)
            }
        })
        .collect()
}

fn prices() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(1.0_f64..1e5, 0..300)
}

/// High, low, close, volume.
fn candles() -> impl Strategy<Value = [Vec<f64>; 4]> {
    proptest::collection::vec((1.0_f64..1e5, 0.0_f64..1e3, 0.0_f64..1.0, 0.1_f64..1e4), 0..200).prop_map(|rows| {
        let column = |of: fn(&(f64, f64, f64, f64)) -> f64| rows.iter().map(of).collect();
        [column(|r| r.0 + r.1), column(|r| r.0), column(|r| r.0 + r.1 * r.2), column(|r| r.3)]
    })
}

proptest! {
    #[test]
    fn where_it_is_wanted_nothing_stays_of_what_was_there(
        values in prop::collection::vec(prop_oneof![4 => -1e3..1e3, 1 => Just(f64::NAN)], 0..60), period in 1usize..70,
    ) {
        for (name, of) in [("sma", sma as fn(&[f64], usize) -> Vec<f64>), ("ema", ema), ("rsi", rsi)] {
            let mut out = vec![7.0; values.len()];
            in_place(name).unwrap()(&values, period, &mut out);
            same(&out, &of(&values, period))?;
        }
    }

    #[test]
    fn averages(values in prices(), period in 1_usize..40) {
        same(&sma(&values, period), &windows(&values, period, mean))?;
        same(&ema(&values, period), &exponential(&values, period, 2.0 / (period as f64 + 1.0)))?;
    }

    #[test]
    fn strength(values in prices(), period in 1_usize..30) {
        let changes: Vec<f64> = (1..values.len()).map(|i| values[i] - values[i - 1]).collect();
        let side = |sign: f64| changes.iter().map(|change| (sign * change).max(0.0)).collect::<Vec<_>>();
        let smooth = |side: Vec<f64>| exponential(&side, period, 1.0 / period as f64);
        let (gain, loss) = (smooth(side(1.0)), smooth(side(-1.0)));
        let mut expected = vec![f64::NAN; values.len().min(1)];
        expected.extend(gain.iter().zip(&loss).map(|(gain, loss)| match gain + loss {
            0.0 => 50.0,
            all => 100.0 * gain / all,
        }));
        same(&rsi(&values, period), &expected)?;
        prop_assert!(rsi(&values, period).iter().all(|x| x.is_nan() || (-1e-9..=100.0 + 1e-9).contains(x)));
    }

    #[test]
    fn convergence(values in prices(), fast in 1_usize..15, slow in 1_usize..30, signal in 1_usize..12) {
        let [line, average, between] = macd(&values, fast, slow, signal);
        let (a, b) = (ema(&values, fast), ema(&values, slow));
        let expected: Vec<f64> = (0..values.len()).map(|i| a[i] - b[i]).collect();
        same(&line, &expected)?;
        let from = expected.iter().take_while(|x| x.is_nan()).count();
        let mut smooth = vec![f64::NAN; from];
        smooth.extend(exponential(&expected[from..], signal, 2.0 / (signal as f64 + 1.0)));
        same(&average, &smooth)?;
        same(&between, &(0..values.len()).map(|i| line[i] - average[i]).collect::<Vec<_>>())?;
    }

    #[test]
    fn bands(values in prices(), period in 1_usize..30, width in 0.1_f64..4.0) {
        let [upper, middle, lower] = bollinger(&values, period, width);
        let by = windows(&values, period, |w| {
            (w.iter().map(|v| (v - mean(w)) * (v - mean(w))).sum::<f64>() / w.len() as f64).sqrt()
        });
        let at = |sign: f64| (0..values.len()).map(|i| middle[i] + sign * width * by[i]).collect::<Vec<_>>();
        same(&middle, &windows(&values, period, mean))?;
        same(&upper, &at(1.0))?;
        same(&lower, &at(-1.0))?;
    }

    #[test]
    fn ranges([high, low, close, volume] in candles(), period in 1_usize..20, smooth in 1_usize..5) {
        let range = true_range(&high, &low, &close);
        same(&atr(&high, &low, &close, period), &exponential(&range, period, 1.0 / period as f64))?;
        let price: Vec<f64> = (0..high.len()).map(|i| (high[i] + low[i] + close[i]) / 3.0).collect();
        let of = |from: usize, to: usize| {
            let money: f64 = (from..=to).map(|i| price[i] * volume[i]).sum();
            money / volume[from..=to].iter().sum::<f64>()
        };
        let whole: Vec<f64> = (0..high.len()).map(|i| of(0, i)).collect();
        same(&vwap(&high, &low, &close, &volume, None), &whole)?;
        let rolling: Vec<f64> =
            (0..high.len()).map(|i| if i + 1 < period { f64::NAN } else { of(i + 1 - period, i) }).collect();
        same(&vwap(&high, &low, &close, &volume, Some(period)), &rolling)?;
        let (top, bottom) = (windows(&high, period, |w| w.iter().copied().fold(f64::MIN, f64::max)),
            windows(&low, period, |w| w.iter().copied().fold(f64::MAX, f64::min)));
        let raw: Vec<f64> = (0..high.len()).map(|i| match top[i] - bottom[i] {
            0.0 => 50.0,
            range => 100.0 * (close[i] - bottom[i]) / range,
        }).collect();
        let [k, d] = stochastic(&high, &low, &close, period, smooth, 3);
        same(&k, &windows(&raw, smooth, mean))?;
        same(&d, &windows(&k, 3, mean))?;
    }

    #[test]
    fn extremes(values in prices(), period in 1_usize..40) {
        same(&highest(&values, period), &windows(&values, period, |w| w.iter().copied().fold(f64::MIN, f64::max)))?;
        same(&lowest(&values, period), &windows(&values, period, |w| w.iter().copied().fold(f64::MAX, f64::min)))?;
    }

    #[test]
    fn crossings(a in prices(), b in prices()) {
        let expected = a.len() > 1 && b.len() > 1 && {
            let (i, j) = (a.len() - 1, b.len() - 1);
            a[i - 1] <= b[j - 1] && a[i] > b[j]
        };
        prop_assert_eq!(crossover(&a, &b), expected);
        prop_assert_eq!(crossunder(&b, &a), expected);
    }
}

#[test]
fn a_hole_is_forgotten_when_it_has_passed() {
    let mut values = vec![1.0; 20];
    values[3] = f64::NAN;
    let average = sma(&values, 3);
    assert!(average[3..6].iter().all(|x| x.is_nan()) && average[6..].iter().all(|x| *x == 1.0), "{average:?}");
    assert!(sma(&values, 0).iter().all(|x| x.is_nan()));
}
