//! Checksums over a book's best levels, by which an exchange lets its readers see that they missed nothing.

use super::Book;

/// How an exchange computes it: CRC-32 (ISO-HDLC) of a text made of levels' digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Ten asks, then ten bids; of each number the digits alone, without point and leading zeros (Kraken, "Checksum
    /// Calculation (v2)").
    Digits,
    /// Bid and ask in turn, 25 of each, prices and amounts with colons between (Bitget, "Checksum"; OKX, "Checksum").
    Pairs,
}

impl Checksum {
    /// Of the book as it is.
    pub fn of(self, book: &Book) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        match self {
            Self::Digits => {
                let [bids, asks] = book.written(10);
                for (price, amount) in asks.iter().chain(&bids) {
                    for number in [price, amount] {
                        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
                        hash.update(digits.trim_start_matches('0').as_bytes());
                    }
                }
            }
            Self::Pairs => {
                let [bids, asks] = book.written(25);
                let mut parts: Vec<&str> = Vec::new();
                for place in 0..bids.len().max(asks.len()) {
                    for (price, amount) in [bids.get(place), asks.get(place)].into_iter().flatten() {
                        parts.extend([price.as_str(), amount.as_str()]);
                    }
                }
                hash.update(parts.join(":").as_bytes());
            }
        }
        hash.finalize()
    }
}
