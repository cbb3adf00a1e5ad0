//! Dates as HTTP writes them (RFC 9110, 5.6.7).

use orrery_kernel::Timestamp;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Mon, 01 Jan 2024 12:00:00 GMT`.
pub(crate) fn http_date(seconds: i64) -> String {
    let iso = Timestamp::from_secs(seconds).iso();
    let part = |from: usize, to: usize| iso.get(from..to).unwrap_or_default();
    let day = usize::try_from(seconds.div_euclid(86_400).rem_euclid(7)).unwrap_or(0);
    let month = part(5, 7).parse::<usize>().unwrap_or(1);
    let name = |names: &[&'static str], i: usize| names.get(i).copied().unwrap_or_default();
    format!(
        "{}, {} {} {} {} GMT",
        name(&DAYS, day),
        part(8, 10),
        name(&MONTHS, month.saturating_sub(1)),
        part(0, 4),
        part(11, 19)
    )
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn well_known_dates() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(1_704_110_400), "Mon, 01 Jan 2024 12:00:00 GMT");
    }
}
