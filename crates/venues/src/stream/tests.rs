//! Books under changes, gaps and checksums.

use proptest::prelude::*;

use super::*;
use crate::Number;
use crate::unified::OrderBook;

fn change(price: &str, amount: &str) -> Change {
    Change::parse(price, amount).unwrap()
}

fn number(digits: &str) -> Number {
    Number::parse(digits).unwrap()
}

fn delta(first: u64, last: u64, bids: &[Change]) -> Delta {
    Delta { first: Some(first), last: Some(last), previous: Some(first - 1), bids: bids.to_vec(), ..Delta::default() }
}

const ASKED: Rule = Rule { follows: Follows::Range, asked: true, checksum: None, depth: None };

#[test]
fn changes_wait_for_the_snapshot_they_belong_to() {
    let mut synced = Synced::new(ASKED);
    assert_eq!(synced.apply(&delta(5, 7, &[change("1", "5")])), Outcome::Waits);
    assert_eq!(synced.apply(&delta(8, 9, &[change("2", "6")])), Outcome::Waits);
    let older = OrderBook { nonce: Some(3), ..OrderBook::default() };
    assert_eq!(synced.begin(&older), Outcome::Waits);
    assert!(synced.wants_snapshot());
    let bids = vec![(number("1"), number("1")), (number("3"), number("3"))];
    let snapshot = OrderBook { nonce: Some(6), bids, ..OrderBook::default() };
    assert_eq!(synced.begin(&snapshot), Outcome::Changed);
    let seen = synced.book().unwrap().unified(None, 10);
    let digits: Vec<_> = seen.bids.iter().map(|(price, amount)| format!("{price}x{amount}")).collect();
    assert_eq!(digits, ["3x3", "2x6", "1x5"]);
    assert_eq!(seen.nonce, Some(9));
    assert_eq!(synced.apply(&delta(8, 9, &[])), Outcome::Old);
    assert_eq!(synced.apply(&delta(11, 12, &[])), Outcome::Gap);
    assert!(synced.book().is_none() && synced.wants_snapshot());
}

#[test]
fn each_rule_notices_what_is_missing() {
    let begin = |follows| {
        let mut synced = Synced::new(Rule { follows, asked: false, checksum: None, depth: None });
        assert_eq!(synced.apply(&delta(2, 3, &[])), Outcome::Waits);
        assert_eq!(synced.apply(&Delta { snapshot: true, last: Some(10), ..Delta::default() }), Outcome::Changed);
        synced
    };
    for follows in [Follows::Range, Follows::Link, Follows::Step] {
        assert_eq!(begin(follows).apply(&delta(11, 11, &[])), Outcome::Changed, "{follows:?}");
        assert_eq!(begin(follows).apply(&delta(12, 12, &[])), Outcome::Gap, "{follows:?}");
    }
    assert_eq!(begin(Follows::Unsaid).apply(&delta(12, 12, &[])), Outcome::Changed);
}

/// OKX, "Sequence ID": numbers begin anew after maintenance; a message without changes repeats its number.
#[test]
fn linked_numbers_may_begin_anew() {
    let rule = Rule { follows: Follows::Link, asked: false, checksum: None, depth: None };
    let mut synced = Synced::new(rule);
    let linked = |previous, last| Delta { previous: Some(previous), last: Some(last), ..Delta::default() };
    assert_eq!(synced.apply(&Delta { snapshot: true, last: Some(15), ..Delta::default() }), Outcome::Changed);
    assert_eq!(synced.apply(&linked(15, 15)), Outcome::Old);
    assert_eq!(synced.apply(&linked(15, 3)), Outcome::Changed);
    assert_eq!(synced.apply(&linked(3, 5)), Outcome::Changed);
    assert_eq!(synced.apply(&linked(4, 5)), Outcome::Old);
    assert_eq!(synced.apply(&linked(6, 7)), Outcome::Gap);
}

#[test]
fn a_whole_book_may_come_behind_what_follows_it() {
    let late = Rule { follows: Follows::LateLink, asked: false, checksum: None, depth: None };
    let whole = |last| Delta { snapshot: true, last: Some(last), ..Delta::default() };
    let waiting = || {
        let mut synced = Synced::new(late);
        for (first, last) in [(5, 7), (8, 9), (10, 12)] {
            assert_eq!(synced.apply(&delta(first, last, &[change(&last.to_string(), "1")])), Outcome::Waits);
        }
        assert!(!synced.wants_snapshot());
        synced
    };
    let mut synced = waiting();
    assert_eq!(synced.apply(&whole(7)), Outcome::Changed);
    let seen = synced.book().unwrap().unified(None, 10);
    assert_eq!((seen.bids.len(), seen.nonce), (2, Some(12)));
    assert_eq!(synced.apply(&delta(13, 14, &[])), Outcome::Changed);
    assert_eq!(synced.apply(&delta(16, 17, &[])), Outcome::Gap);
    assert_eq!(waiting().apply(&whole(20)), Outcome::Changed);
    assert_eq!(waiting().apply(&whole(3)), Outcome::Gap);
}

#[test]
fn a_wrong_checksum_begins_the_book_anew() {
    let rule = Rule { follows: Follows::Unsaid, asked: false, checksum: Some(Checksum::Pairs), depth: None };
    let mut synced = Synced::new(rule);
    let sum = crc32fast::hash(b"1.10:5:2.0:7.00");
    let whole = Delta {
        snapshot: true,
        bids: vec![change("1.10", "5")],
        asks: vec![change("2.0", "7.00")],
        ..Delta::default()
    };
    assert_eq!(synced.apply(&Delta { checksum: Some(sum), ..whole.clone() }), Outcome::Changed);
    assert_eq!(synced.apply(&Delta { checksum: Some(sum ^ 1), ..whole }), Outcome::Wrong);
    assert!(synced.book().is_none());
}

/// "Checksum Calculation (v2)" of Kraken's documentation: digits without point and leading zeros, asks first.
#[test]
fn digits_of_a_checksum_are_those_that_were_written() {
    let mut book = Book::default();
    book.change(&[change("0.5666", "4831.75496356")], &[change("0.5668", "4410.79769741")]).unwrap();
    assert_eq!(Checksum::Digits.of(&book), crc32fast::hash(b"56684410797697415666483175496356"));
}

#[test]
fn a_book_forgets_what_is_furthest_away() {
    let mut book = Book::default();
    let many: Vec<_> = (1..=LEVELS_MAX + 7).map(|price| change(&price.to_string(), "1")).collect();
    book.change(&many, &[]).unwrap();
    assert_eq!(book.depth(), (LEVELS_MAX, 0));
    assert_eq!(book.best()[0].unwrap().0, number(&(LEVELS_MAX + 7).to_string()));
    book.keep(2);
    assert_eq!(book.depth(), (2, 0));
}

#[test]
fn a_book_is_kept_as_deep_as_its_snapshot() {
    let rule = Rule { follows: Follows::Unsaid, asked: false, checksum: None, depth: Some(2) };
    let mut synced = Synced::new(rule);
    let mut depth = |snapshot: bool, prices: &[&str]| {
        let bids = prices.iter().map(|price| change(price, "1")).collect();
        synced.apply(&Delta { snapshot, bids, ..Delta::default() });
        synced.book().unwrap().depth().0
    };
    assert_eq!(depth(true, &["1"]), 1);
    assert_eq!(depth(false, &["2", "3"]), 2);
    assert_eq!(depth(true, &["1", "2", "3"]), 3);
    assert_eq!(depth(false, &["4", "5"]), 3);
}

#[test]
fn numbers_that_are_too_long_are_refused() {
    let mut book = Book::default();
    book.change(&[change("9000000000000000000", "1")], &[]).unwrap();
    assert_eq!(book.change(&[change("0.01", "1")], &[]), Err(TooLong));
}

proptest! {
    /// Under any changes: bids fall, asks rise, no level is empty, and each price has the last amount that was said.
    #[test]
    fn a_book_is_its_last_amounts(
        changes in prop::collection::vec((any::<bool>(), 1_u32..60, 0_u8..4, 0_u32..5, 0_u8..3), 0..200)
    ) {
        let mut book = Book::default();
        let mut model = [std::collections::BTreeMap::new(), std::collections::BTreeMap::new()];
        for (bid, price, zeros, amount, more) in changes {
            let point = |count: u8| if count == 0 { String::new() } else { format!(".{}", "0".repeat(count.into())) };
            let one = [change(&format!("{price}{}", point(zeros)), &format!("{amount}{}", point(more)))];
            let none = [];
            let (bids, asks) = if bid { (&one[..], &none[..]) } else { (&none[..], &one[..]) };
            prop_assert_eq!(book.change(bids, asks), Ok(()));
            let side = &mut model[usize::from(!bid)];
            if amount == 0 { side.remove(&price); } else { side.insert(price, amount); }
        }
        let seen = book.unified(None, usize::MAX);
        let pairs = |side: &[(Number, Number)]| -> Vec<(String, String)> {
            side.iter().map(|(price, amount)| (price.to_string(), amount.to_string())).collect()
        };
        let text = |(price, amount): (&u32, &u32)| (price.to_string(), amount.to_string());
        prop_assert_eq!(pairs(&seen.bids), model[0].iter().rev().map(text).collect::<Vec<_>>());
        prop_assert_eq!(pairs(&seen.asks), model[1].iter().map(text).collect::<Vec<_>>());
    }
}
