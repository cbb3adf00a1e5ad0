//! How long deciding and applying takes, without a disk.

use std::sync::Arc;

use benches::{START, buys, funded};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use orrery_ledger::{Decision, LedgerStore, Limits, View, decide, needs};
use orrery_store_memory::MemoryLedger;

fn view(runtime: &tokio::runtime::Runtime, store: &dyn LedgerStore, commands: &[orrery_ledger::Command]) -> View {
    let (sender, receiver) = std::sync::mpsc::channel();
    let look = Box::new(move |view: View| {
        let batch = orrery_ledger::Batch::on(view.head);
        let _ = sender.send(view);
        Decision { batch, answers: Vec::new() }
    });
    let _ = runtime.block_on(store.commit(&needs(commands), look));
    receiver.recv().unwrap_or_else(|e| panic!("the store calls its decider: {e}"))
}

fn ledger(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap_or_else(|e| panic!("a runtime: {e}"));
    let store: Arc<dyn LedgerStore> = Arc::new(MemoryLedger::default());
    let snapshot = runtime.block_on(funded(store.as_ref(), 8));
    let mut group = c.benchmark_group("ledger");
    for size in [1_u64, 64, 256] {
        let commands = buys(snapshot, 8, 0, size);
        let view = view(&runtime, store.as_ref(), &commands);
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("decide {size}"), |b| {
            b.iter_batched(
                || view.clone(),
                |view| decide(view, &commands, START, &Limits::default()),
                BatchSize::SmallInput,
            );
        });
        let mut from = 1_000_000 * size;
        group.bench_function(format!("decide and apply {size} in memory"), |b| {
            b.iter_batched(
                || {
                    from += size;
                    buys(snapshot, 8, from, size)
                },
                |commands| {
                    let needs = needs(&commands);
                    let decider = Box::new(move |view| decide(view, &commands, START, &Limits::default()));
                    runtime.block_on(store.commit(&needs, decider))
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, ledger);
criterion_main!(benches);
