//! Signed transactions: reading, the deterministic text, hash and signature.

use benches::signed_transactions;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use orrery_crypto::Wallet;
use orrery_crypto::json::{Duplicates, parse};
use orrery_crypto::transaction::{BasicTransaction, Validity, validate_basic};

fn wallet(c: &mut Criterion) {
    let texts = signed_transactions();
    let Some(text) = texts.first() else { return };
    let bytes = text.len() as u64;
    let value = parse(text, Duplicates::Refused).unwrap_or_else(|e| panic!("{e}"));
    let wallet = Wallet::import(&"7".repeat(64)).unwrap_or_else(|e| panic!("{e}"));
    let mut group = c.benchmark_group("wallet");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("parse", |b| b.iter(|| parse(text, Duplicates::Refused)));
    group.bench_function("deterministic text", |b| b.iter(|| value.canonical()));
    group.throughput(Throughput::Elements(1));
    group.bench_function("sign", |b| b.iter(|| wallet.sign(text)));
    group.bench_function("parse, canonicalise, hash, verify", |b| {
        b.iter(|| {
            let value = parse(text, Duplicates::Refused).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(validate_basic(&value), Validity::Valid);
        });
    });
    group.bench_function("the server's whole check", |b| {
        b.iter(|| {
            let value = parse(text, Duplicates::Refused).unwrap_or_else(|e| panic!("{e}"));
            BasicTransaction::verify(&value)
        });
    });
    group.finish();
}

criterion_group!(benches, wallet);
criterion_main!(benches);
