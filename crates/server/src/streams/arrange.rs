//! From what is configured and what clients are in to what is streamed, where it is told, and by whom. Pure.

use std::collections::{BTreeMap, BTreeSet};

use orrery_api_webfix::markets::{Targets, Topic, is_exchange};
use orrery_venues::stream::Want;

/// Parts that an exchange's markets are shared in. A market is always in the same one.
const PARTS: u64 = 16;
/// The group of those who hear everything.
const GROUP: &str = "runtime";

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrangement {
    /// Where what is heard is told.
    pub targets: Targets,
    /// What is streamed of each exchange, by the share that it belongs to.
    pub wants: BTreeMap<String, BTreeMap<String, BTreeSet<Want>>>,
}

impl Arrangement {
    /// Everything that is wanted: configured markets as `(exchange, symbol)`, and names of channels with whether
    /// somebody is in them.
    pub fn new<'n>(
        network: &str,
        configured: &[(String, String)],
        names: impl Iterator<Item = (&'n str, bool)>,
    ) -> Self {
        let mut this = Self::default();
        for (exchange, symbol) in configured {
            for topic in Topic::all_of(exchange, symbol) {
                this.targets.add_to_group(&topic, network, GROUP);
                this.want(topic);
            }
        }
        for (name, here) in names {
            let Some(topic) = Topic::of(network, name).filter(|topic| is_exchange(&topic.exchange)) else { continue };
            if here {
                this.targets.add_own(topic.clone(), name);
            }
            this.want(topic);
        }
        this
    }

    fn want(&mut self, topic: Topic) {
        let share = share(&topic);
        let of = self.wants.entry(topic.exchange).or_default();
        of.entry(share).or_default().insert(topic.want);
    }

    /// The shares that somebody should hold.
    pub fn shares(&self) -> BTreeSet<String> {
        self.wants.values().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// What a holder of these shares streams of an exchange.
    pub fn of(&self, exchange: &str, held: &BTreeSet<String>) -> BTreeSet<Want> {
        let shares = self.wants.get(exchange).into_iter().flatten();
        shares.filter(|(share, _)| held.contains(*share)).flat_map(|(_, wants)| wants).cloned().collect()
    }
}

/// `binance/07`. All of a market is in one share, so that its ticker can take best prices from its book. FNV-1a: the
/// same in every process, whatever made it.
fn share(topic: &Topic) -> String {
    let bytes = topic.want.symbol.bytes();
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    format!("{}/{:02}", topic.exchange, hash % PARTS)
}

#[cfg(test)]
mod tests {
    use orrery_venues::stream::What;

    use super::*;

    #[test]
    fn what_is_wanted_is_streamed_once() {
        let configured = [("binance".to_owned(), "BTC/USDT".to_owned())];
        let names = [
            ("testnet.runtime.ticker.BTC/USDT.binance.spot", true),
            ("testnet.runtime.connector.exchange.crypto.binance.spot.BTC/USDT.ticker", true),
            ("testnet.runtime.book.ETH/USDT.okx.spot", false),
            ("testnet.runtime.book.ETH/USDT.mtgox.spot", true),
            ("testnet.runtime.sonar", true),
        ];
        let made = Arrangement::new("testnet", &configured, names.into_iter());
        assert_eq!(made.shares().len(), 2);
        let held = made.shares();
        assert_eq!(made.of("binance", &held).len(), 4);
        assert_eq!(
            made.of("okx", &held),
            BTreeSet::from([Want { symbol: "ETH/USDT".into(), what: What::Book }]),
            "nobody is there, but somebody was"
        );
        assert_eq!(made.of("okx", &BTreeSet::new()), BTreeSet::new(), "another process has it");
        let without = Arrangement::new("testnet", &configured, names.into_iter().skip(2));
        assert_eq!(without.wants, made.wants);
        assert_ne!(without.targets, made.targets, "it is told where somebody is");
    }

    #[test]
    fn markets_spread_over_shares() {
        let names: Vec<(String, String)> = (0..400).map(|n| ("okx".to_owned(), format!("C{n}/USDT"))).collect();
        let made = Arrangement::new("testnet", &names, std::iter::empty());
        assert_eq!(made.shares().len(), 16);
        assert!(made.wants["okx"].values().all(|wants| (10..200).contains(&wants.len())), "{:?}", made.shares());
    }
}
