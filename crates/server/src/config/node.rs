//! `[node]`: what this server says of itself.

use super::check::Reader;

/// `[node]`.
#[derive(Clone, Debug)]
pub struct Node {
    /// Empty: one is made.
    pub id: String,
    /// For people.
    pub title: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// City.
    pub city: String,
    /// Code.
    pub country: String,
    /// Name.
    pub country_name: String,
    /// IANA.
    pub timezone: String,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>) -> Node {
    let id = r.checked("node.id", |id| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let good = id.len() <= 64 && id.bytes().all(plain);
        if good { Ok(()) } else { Err("must be at most 64 letters, digits, - and _".into()) }
    });
    let mut degrees = |key: &str, most: f64| {
        let found = r.text(key).parse::<f64>().ok().filter(|d| d.abs() <= most);
        found.unwrap_or_else(|| {
            r.fault(key, format!("must be degrees from -{most} to {most}"));
            0.0
        })
    };
    let (latitude, longitude) = (degrees("node.latitude", 90.0), degrees("node.longitude", 180.0));
    let mut short = |key: &str| {
        r.checked(
            key,
            |text| if text.chars().count() <= 100 { Ok(()) } else { Err("is longer than 100 characters".into()) },
        )
    };
    Node {
        id,
        title: short("node.title"),
        latitude,
        longitude,
        city: short("node.city"),
        country: short("node.country"),
        country_name: short("node.country_name"),
        timezone: short("node.timezone"),
    }
}
