//! Where an exchange's addresses lead: to the exchange, to its testnet, or to a server that stands for it.

use orrery_venues::Venue;
use url::Url;

/// An address that a base cannot be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no {1} address with a host; it may have a port, and no path")]
pub struct BadAddress(String, &'static str);

/// Scheme, host and port that stand in for those of all an exchange's addresses; paths and queries stay.
#[derive(Debug, Clone, Default)]
pub struct Bases {
    rest: Option<Url>,
    stream: Option<Url>,
    sandbox: Option<Venue>,
}

impl Bases {
    /// Other bases for requests (`http`, `https`) and for streams (`ws`, `wss`); none leave the exchange's own.
    ///
    /// Errors: [`BadAddress`] for what is no such address.
    ///
    /// ```
    /// use orrery_venue_net::Bases;
    ///
    /// let bases = Bases::new(Some("http://127.0.0.1:9000"), None).unwrap();
    /// assert_eq!(bases.rest("https://api.binance.com/api/v3/time?x=1"), "http://127.0.0.1:9000/api/v3/time?x=1");
    /// assert!(Bases::new(Some("ftp://127.0.0.1"), None).is_err());
    /// ```
    pub fn new(rest: Option<&str>, stream: Option<&str>) -> Result<Self, BadAddress> {
        let base = |text: Option<&str>, kind: &'static str, schemes: [&str; 2]| {
            let bad = |text: &str| BadAddress(text.to_owned(), kind);
            let one = |text: &str| {
                let url = Url::parse(text).map_err(|_| bad(text))?;
                let plain = url.query().is_none() && url.username().is_empty() && matches!(url.path(), "" | "/");
                let good = plain && url.has_host() && schemes.contains(&url.scheme());
                good.then_some(url).ok_or_else(|| bad(text))
            };
            text.filter(|text| !text.is_empty()).map(one).transpose()
        };
        Ok(Self {
            rest: base(rest, "http or https", ["http", "https"])?,
            stream: base(stream, "ws or wss", ["ws", "wss"])?,
            sandbox: None,
        })
    }

    /// The exchange's testnet, where no other base is given; an exchange that has none stays itself.
    #[must_use]
    pub fn of_sandbox(mut self, venue: Venue) -> Self {
        self.sandbox = venue.has_sandbox().then_some(venue);
        self
    }

    /// What a request says beside, to the testnet.
    pub(crate) fn header(&self) -> Option<(&'static str, &'static str)> {
        self.sandbox.and_then(Venue::sandbox_header)
    }

    fn there(&self, url: &str) -> String {
        let there = self.sandbox.and_then(|venue| venue.sandbox(url).ok());
        there.unwrap_or_else(|| url.to_owned())
    }

    /// Where a request goes.
    pub fn rest(&self, url: &str) -> String {
        moved(self.rest.as_ref(), &self.there(url))
    }

    /// Where a stream comes from.
    pub fn stream(&self, url: &str) -> String {
        moved(self.stream.as_ref(), &self.there(url))
    }
}

/// The text after the host is kept as it is: it may be signed.
fn moved(base: Option<&Url>, url: &str) -> String {
    let Some(base) = base else { return url.to_owned() };
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after.find(['/', '?']).and_then(|at| after.get(at..)).unwrap_or_default();
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_stays_as_it_is() {
        let bases = Bases::new(Some("http://localhost:81/"), Some("ws://[::1]:82")).unwrap();
        let asked = "https://api.upbit.com/v1/orders?market=KRW-BTC&states[]=done&x=a%2Fb";
        assert_eq!(bases.rest(asked), "http://localhost:81/v1/orders?market=KRW-BTC&states[]=done&x=a%2Fb");
        assert_eq!(bases.stream("wss://stream.binance.com:9443/ws/0"), "ws://[::1]:82/ws/0");
        assert_eq!(bases.stream("wss://advanced-trade-ws.coinbase.com"), "ws://[::1]:82");
        assert_eq!(Bases::default().rest(asked), asked);
    }

    #[test]
    fn a_testnet_is_another_host() {
        let bases = Bases::default().of_sandbox(Venue::Binance);
        assert_eq!(bases.rest("https://api.binance.com/api/v3/time"), "https://testnet.binance.vision/api/v3/time");
        assert_eq!(bases.stream("wss://stream.binance.com:9443/ws/0"), "wss://stream.testnet.binance.vision/ws/0");
        let okx = Bases::default().of_sandbox(Venue::Okx);
        assert_eq!(okx.rest("https://www.okx.com/api/v5/public/time"), "https://www.okx.com/api/v5/public/time");
        assert_eq!(okx.header(), Some(("x-simulated-trading", "1")));
        assert_eq!(Bases::default().header(), None);
    }

    #[test]
    fn an_address_with_more_than_a_host_is_refused() {
        for bad in ["http://h/path", "http://u@h", "http://h?x", "h:80", "ws://h"] {
            assert!(Bases::new(Some(bad), None).is_err(), "{bad}");
        }
        assert!(Bases::new(None, Some("http://h")).is_err());
        assert!(Bases::new(Some(""), None).is_ok());
    }
}
