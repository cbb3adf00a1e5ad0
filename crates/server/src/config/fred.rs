//! `[fred]`: figures of the economy.

use std::time::Duration;

use orrery_kernel::Secret;

use super::check::{self, Reader};

/// Most series: each takes half a second of the source's time.
const SERIES_MAX: usize = 64;
/// Series of those who name none. Fields as in [`series`].
const WELL_KNOWN: [&str; 13] = [
    "UNRATE|usa|United States|macro|Unemployment rate|%||avg|1",
    "CPIAUCSL|usa|United States|macro|Consumer price index|index||avg|1",
    "GDP|usa|United States|macro|Gross domestic product|$|1000000000|avg|1",
    "INDPRO|usa|United States|macro|Industrial production|index||avg|2",
    "PAYEMS|usa|United States|macro|Employees, nonfarm|persons|1000|avg|0",
    "UMCSENT|usa|United States|macro|Consumer sentiment|index||avg|1",
    "HOUST|usa|United States|macro|Housing starts|units|1000|avg|0",
    "FEDFUNDS|usa|United States|rates|Federal funds rate|%||avg|2",
    "DGS2|usa|United States|rates|Treasury yield, 2 years|%||avg|2",
    "DGS10|usa|United States|rates|Treasury yield, 10 years|%||avg|2",
    "T10Y2Y|usa|United States|rates|Treasury yields, 10 years less 2|%||avg|2",
    "M2SL|usa|United States|money|Money stock M2|$|1000000000|avg|1",
    "WALCL|usa|United States|money|Assets of the Federal Reserve|$|1000000|eop|0",
];

/// `[fred]`.
#[derive(Clone, Debug)]
pub struct Fred {
    /// Without one nothing is fetched.
    pub api_key: Option<Secret<String>>,
    /// No slash at the end.
    pub base_url: String,
    /// Between two fetches of a series.
    pub refresh: Duration,
    /// What is fetched.
    pub series: Vec<Series>,
}

/// A series and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The source's name of it: `UNRATE`.
    pub id: String,
    /// As it stands in names: `usa`.
    pub country: String,
    /// For people.
    pub country_name: String,
    /// As it stands in names: `macro`.
    pub group: String,
    /// For people.
    pub name: String,
    /// What is counted: `%`.
    pub unit: String,
    /// How many units one of the value stands for.
    pub scale: Option<u64>,
    /// How a longer period's value is made of shorter ones': `avg`, `sum`, `eop`.
    pub aggregation: String,
    /// Digits after the point that are shown.
    pub decimal: u8,
    /// Less is better.
    pub invert: bool,
}

/// Reads it, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>) -> Fred {
    let api_key = r.optional("fred.api_key");
    if api_key.as_ref().is_some_and(|key| !key.bytes().all(|b| b.is_ascii_alphanumeric())) {
        r.fault("fred.api_key", "must be of letters and digits");
    }
    let mut named = r.parsed_list("fred.series", series);
    if named.is_empty() {
        named = WELL_KNOWN.iter().filter_map(|text| series(text).ok()).collect();
    }
    if named.len() > SERIES_MAX {
        r.fault("fred.series", format!("must be at most {SERIES_MAX}"));
    }
    Fred {
        api_key: api_key.map(Secret::new),
        base_url: r.checked("fred.base_url", check::http_url).trim_end_matches('/').to_owned(),
        refresh: r.seconds("fred.refresh_s", 60..=604_800),
        series: named,
    }
}

/// `UNRATE|usa|United States|macro|Unemployment rate|%|scale|avg|1`, with `|invert` after it where less is better.
fn series(text: &str) -> Result<Series, String> {
    let parts: Vec<&str> = text.split('|').map(str::trim).collect();
    let (parts, invert) = match parts.as_slice() {
        [parts @ .., "invert"] => (parts, true),
        parts => (parts, false),
    };
    let [id, country, country_name, group, name, unit, scale, aggregation, decimal] = parts else {
        return Err(format!("{text:?} must be ID|country|Country|group|Name|unit|scale|avg|digits"));
    };
    if !orrery_feeds::is_series(id) {
        return Err(format!("{id:?} is no series; it must be like UNRATE"));
    }
    let in_names = |part: &str| {
        let good = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        good && (1..=32).contains(&part.len())
    };
    if !in_names(country) || !in_names(group) {
        return Err(format!("{text:?}: country and group must be of a-z, 0-9 and -"));
    }
    if !["avg", "sum", "eop"].contains(aggregation) {
        return Err(format!("{aggregation:?} must be avg, sum or eop"));
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is no whole number"));
    let scale = if scale.is_empty() { None } else { Some(number(scale)?) };
    let decimal = u8::try_from(number(decimal)?).ok().filter(|digits| *digits <= 12);
    let owned = |text: &str| text.to_owned();
    Ok(Series {
        id: owned(id),
        country: owned(country),
        country_name: owned(country_name),
        group: owned(group),
        name: owned(name),
        unit: owned(unit),
        scale,
        aggregation: owned(aggregation),
        decimal: decimal.ok_or_else(|| format!("{text:?}: at most 12 digits"))?,
        invert,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_ones_are_good() {
        for text in WELL_KNOWN {
            assert!(series(text).is_ok_and(|series| !series.invert), "{text}");
        }
        let gdp = series(WELL_KNOWN[2]).unwrap();
        assert_eq!((gdp.id.as_str(), gdp.scale, gdp.decimal), ("GDP", Some(1_000_000_000), 1));
        assert!(series("UNRATE|usa|US|macro|Unemployment|%||avg|1|invert").unwrap().invert);
    }

    #[test]
    fn faults_are_named() {
        for text in [
            "UNRATE",
            "unrate|usa|US|macro|U|%||avg|1",
            "UNRATE|USA|US|macro|U|%||avg|1",
            "UNRATE|usa|US|a.b|U|%||avg|1",
            "UNRATE|usa|US|macro|U|%|x|avg|1",
            "UNRATE|usa|US|macro|U|%||median|1",
            "UNRATE|usa|US|macro|U|%||avg|99",
        ] {
            assert!(series(text).is_err(), "{text}");
        }
    }
}
