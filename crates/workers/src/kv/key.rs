//! Keys of several parts, as bytes whose order is the parts' order.
//!
//! A key is its parts one after the other; a part is a byte that says what it is, and then:
//!
//! - bytes: `01`, the bytes with `00 ff` for each `00`, `00`;
//! - texts: `02`, UTF-8 with `00 ff` for each `00`, `00`: the order of code points;
//! - numbers: `21`, the 8 bytes of the IEEE 754 double, greatest first, with all bits turned for negative ones and
//!   the first bit turned for the others: numeric order. Minus zero is zero; NaN is no part of a key;
//! - false: `26`; true: `27`.
//!
//! So bytes come before texts, texts before numbers, numbers before truth values, and a key directly before those
//! that it begins. The bytes never change: keys are stored under them.

use std::cmp::Ordering;

/// Most bytes of a key.
pub const KEY_BYTES_MAX: usize = 2_048;
const PARTS_MAX: usize = 32;

const BYTES: u8 = 0x01;
const TEXT: u8 = 0x02;
const NUMBER: u8 = 0x21;
const FALSE: u8 = 0x26;
const TRUE: u8 = 0x27;
const SIGN: u64 = 1 << 63;

/// A part of a key.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A truth value.
    Flag(bool),
}

impl Part {
    fn rank(&self) -> u8 {
        match self {
            Self::Bytes(_) => 0,
            Self::Text(_) => 1,
            Self::Number(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

/// Minus zero is zero.
fn plain(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => plain(*a).total_cmp(&plain(*b)),
            (Self::Flag(a), Self::Flag(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Part {}

/// What is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has no parts.
    #[error("a key has at least one part")]
    Empty,
    /// It has more parts or bytes than a key may have.
    #[error("a key has at most 32 parts and 2048 bytes")]
    Long,
    /// A part is NaN.
    #[error("NaN is no part of a key")]
    Nan,
    /// These bytes are no key's.
    #[error("these bytes are no key")]
    Corrupt,
}

/// A key as bytes. Keys sort as their parts do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// Of its parts, at least one.
    pub fn new(parts: &[Part]) -> Result<Self, KeyError> {
        if parts.is_empty() {
            return Err(KeyError::Empty);
        }
        Self::prefix(parts)
    }

    /// What all keys that begin with these parts begin with. Of no parts, of all keys.
    pub fn prefix(parts: &[Part]) -> Result<Self, KeyError> {
        if parts.len() > PARTS_MAX {
            return Err(KeyError::Long);
        }
        let mut out = Vec::new();
        for part in parts {
            encode(part, &mut out)?;
            if out.len() > KEY_BYTES_MAX {
                return Err(KeyError::Long);
            }
        }
        Ok(Self(out))
    }

    /// As stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = Self(bytes.to_vec());
        key.parts()?;
        Ok(key)
    }

    /// To be stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its parts.
    pub fn parts(&self) -> Result<Vec<Part>, KeyError> {
        let (mut parts, mut rest) = (Vec::new(), self.0.as_slice());
        while let Some((kind, after)) = rest.split_first() {
            let (part, after) = decode(*kind, after).ok_or(KeyError::Corrupt)?;
            parts.push(part);
            rest = after;
        }
        Ok(parts)
    }

    /// The first bytes after all keys that begin with this one and have more parts.
    pub fn end(&self) -> Vec<u8> {
        let mut end = self.0.clone();
        end.push(0xff);
        end
    }
}

fn encode(part: &Part, out: &mut Vec<u8>) -> Result<(), KeyError> {
    match part {
        Part::Bytes(bytes) => escaped(BYTES, bytes, out),
        Part::Text(text) => escaped(TEXT, text.as_bytes(), out),
        Part::Number(number) if number.is_nan() => return Err(KeyError::Nan),
        Part::Number(number) => {
            let bits = plain(*number).to_bits();
            let bits = if bits & SIGN == 0 { bits | SIGN } else { !bits };
            out.push(NUMBER);
            out.extend(bits.to_be_bytes());
        }
        Part::Flag(flag) => out.push(if *flag { TRUE } else { FALSE }),
    }
    Ok(())
}

fn escaped(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.push(0);
}

fn decode(kind: u8, rest: &[u8]) -> Option<(Part, &[u8])> {
    match kind {
        BYTES => unescaped(rest).map(|(bytes, rest)| (Part::Bytes(bytes), rest)),
        TEXT => {
            let (bytes, rest) = unescaped(rest)?;
            Some((Part::Text(String::from_utf8(bytes).ok()?), rest))
        }
        NUMBER => {
            let (bytes, rest) = rest.split_first_chunk::<8>()?;
            let bits = u64::from_be_bytes(*bytes);
            let number = f64::from_bits(if bits & SIGN == 0 { !bits } else { bits & !SIGN });
            (!number.is_nan()).then_some((Part::Number(number), rest))
        }
        FALSE => Some((Part::Flag(false), rest)),
        TRUE => Some((Part::Flag(true), rest)),
        _ => None,
    }
}

fn unescaped(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::new();
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        if *byte == 0 {
            match rest.split_first() {
                Some((0xff, after)) => rest = after,
                _ => return Some((out, rest)),
            }
        }
        out.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part() -> impl Strategy<Value = Part> {
        prop_oneof![
            proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()], 0..6)
                .prop_map(Part::Bytes),
            "[\\x00\\x01a-cä€😀]{0,5}".prop_map(Part::Text),
            any::<f64>().prop_filter("a number", |n| !n.is_nan()).prop_map(Part::Number),
            (-20..20_i32).prop_map(|n| Part::Number(f64::from(n))),
            any::<bool>().prop_map(Part::Flag),
        ]
    }

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        proptest::collection::vec(part(), 1..5)
    }

    proptest! {
        #[test]
        fn the_order_of_keys_is_that_of_their_parts(a in parts(), b in parts()) {
            let (x, y) = (Key::new(&a).unwrap(), Key::new(&b).unwrap());
            prop_assert_eq!(x.as_bytes().cmp(y.as_bytes()), a.cmp(&b));
        }

        #[test]
        fn keys_are_read_back(a in parts()) {
            let key = Key::new(&a).unwrap();
            prop_assert_eq!(Key::from_bytes(key.as_bytes()).unwrap().parts().unwrap(), a);
        }

        #[test]
        fn what_begins_with_a_key_lies_between_it_and_its_end(a in parts(), more in parts(), other in parts()) {
            let prefix = Key::new(&a).unwrap();
            let longer = Key::new(&[a.clone(), more].concat()).unwrap();
            prop_assert!(longer > prefix && longer.as_bytes() < prefix.end().as_slice());
            let other_key = Key::new(&other).unwrap();
            let within = other_key > prefix && other_key.as_bytes() < prefix.end().as_slice();
            prop_assert_eq!(within, other.len() > a.len() && other[..a.len()] == a[..]);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(key) = Key::from_bytes(&bytes) {
                prop_assert!(key.parts().is_ok());
            }
        }
    }

    #[test]
    fn the_bytes_are_these() {
        let key = Key::new(&[Part::Text("a\0".into()), Part::Number(-1.5), Part::Number(0.0), Part::Flag(true)]);
        let bytes = [
            &[2, b'a', 0, 0xff, 0][..],
            &[0x21, 0x40, 0x07, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x21, 0x80, 0, 0, 0, 0, 0, 0, 0],
            &[0x27],
        ];
        assert_eq!(key.unwrap().as_bytes(), bytes.concat());
        assert_eq!(Key::new(&[Part::Number(-0.0)]), Key::new(&[Part::Number(0.0)]));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(Key::new(&[]), Err(KeyError::Empty));
        assert_eq!(Key::new(&[Part::Number(f64::NAN)]), Err(KeyError::Nan));
        assert_eq!(Key::new(&[Part::Text("x".repeat(KEY_BYTES_MAX))]), Err(KeyError::Long));
        assert_eq!(Key::new(&vec![Part::Flag(true); 33]), Err(KeyError::Long));
        for bytes in [&[9][..], &[2, b'a'], &[0x21, 1], &[2, 0xff, 0], &[0x21, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]] {
            assert_eq!(Key::from_bytes(bytes), Err(KeyError::Corrupt));
        }
    }
}
