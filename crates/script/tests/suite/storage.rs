//! `Stels.net`, `Stels.local` and `Stels.webfix`.

use serde_json::json;

use crate::host::{TestHost, value, value_with};

#[tokio::test]
async fn values_are_kept_under_keys_of_any_parts() {
    let host = TestHost::new();
    let seen = value_with(
        "const missing = await Stels.net.get(['none']);
         const put = await Stels.net.set(['a', 1, true, new Uint8Array([1, 2])], { x: [1, null] }, { expireIn: 1000 });
         const got = await Stels.net.get(['a', 1, true, new Uint8Array([1, 2])]);
         await Stels.local.set(['l'], undefined);
         await Stels.net.delete(['a', 1, true, new Uint8Array([1, 2])]);
         return [missing.value, missing.versionstamp, put, got.value, got.key[3] instanceof Uint8Array,
           got.versionstamp,
           (await Stels.local.get(['l'])).value]",
        &host,
    )
    .await;
    let stamp = "00000000000000000001";
    let expected = json!([null, null, { "ok": true, "versionstamp": stamp }, { "x": [1, null] }, true, stamp, null]);
    assert_eq!(seen, expected);
    assert_eq!(host.calls_of("net.set")[0][2], json!({ "expireIn": 1000 }));
    assert_eq!(host.calls_of("net.set")[0][0], json!(["a", 1, true, { "bytes": "AQI=" }]));
}

#[tokio::test]
async fn bad_keys_and_times_are_errors() {
    let seen = value(
        "const names = [];
         for (const act of [() => Stels.net.get('a'), () => Stels.net.get([{}]), () => Stels.net.set([NaN], 1),
           () => Stels.net.set(['a'], 1, { expireIn: -1 }), () => Stels.net.list({ prefix: 'x' }),
           () => Stels.webfix(null), () => Stels.webfix({ brain: {}, channel: [] })]) {
           try { await act(); names.push(null) } catch (error) { names.push(error.name) }
         }
         return names",
    )
    .await;
    assert_eq!(
        seen,
        json!(["TypeError", "TypeError", "TypeError", "RangeError", "TypeError", "TypeError", "TypeError"])
    );
}

#[tokio::test]
async fn listings_are_walked_page_by_page() {
    let host = TestHost::new();
    let seen = value_with(
        "for (let i = 0; i < 250; i++) await Stels.net.set(['p', i], i);
         await Stels.net.set(['q', 1], 1);
         let count = 0, keys = [];
         for await (const { key, value, versionstamp } of Stels.net.list({ prefix: ['p'] })) {
           count++; if (key[1] !== value || versionstamp.length !== 20) throw new Error('torn');
         }
         const few = await Array.fromAsync(Stels.net.list({ prefix: ['p'] }, { limit: 3 }));
         const rows = Stels.local.list({ prefix: ['none'] });
         for await (const row of Stels.net.list({ prefix: ['p'] })) { keys.push(row.key);
           if (keys.length === 2) break; }
         return [count, few.length, (await rows.next()).done, keys.length]",
        &host,
    )
    .await;
    assert_eq!(seen, json!([250, 3, true, 2]));
    assert_eq!(host.calls_of("net.list").len(), 5, "three pages, one, and one that was broken off");
}

#[tokio::test]
async fn changes_are_compared_and_set() {
    let seen = value(
        "const first = await Stels.net.cas(['c'], null, 1);
         const second = await Stels.net.cas(['c'], null, 2);
         const { versionstamp } = await Stels.net.get(['c']);
         const third = await Stels.net.atomic().check({ key: ['c'], versionstamp }).set(['c'],
           3).delete(['d']).commit();
         return [first.ok, second.ok, third.ok, (await Stels.net.get(['c'])).value]",
    )
    .await;
    assert_eq!(seen, json!([true, false, true, 3]));
}

#[tokio::test]
async fn changes_are_watched() {
    let host = TestHost::new();
    let seen = value_with(
        "const seen = [];
         setTimeout(() => Stels.net.set(['w'], 'new'), 5);
         for await (const { value } of Stels.net.watch(['w'])) { seen.push(value); if (value !== null) break; }
         const ended = Stels.net.watch([['a'], ['b']]);
         const first = await ended.next();
         const second = ended.next();
         await Stels.sleep(5);
         await ended.return();
         return [seen, first.value.length, (await second).done]",
        &host,
    )
    .await;
    assert_eq!(seen, json!([[null, "new"], 2, true]));
    assert_eq!(host.given_up(), ["net.watch"], "a watch that is ended is given up");
}

#[tokio::test]
async fn webfix_publishes_and_reads() {
    let host = TestHost::new();
    let seen = value_with(
        "const at = Date.now();
         const set = await Stels.webfix({ brain: Stels.net, method: 'set', channel: ['market', 'ticker', at],
           module: 'ticker',
           raw: { last: 1 }, timestamp: at, expireIn: 60000 });
         const got = await Stels.webfix({ brain: Stels.local, method: 'get', channel: ['market', 'ticker', at] });
         return [set ?? null, got.value.raw]",
        &host,
    )
    .await;
    assert_eq!(seen, json!([null, { "last": 1 }]));
    let sent = &host.calls_of("webfix")[0][0];
    assert!(sent["channel"][2].is_number() && sent["brain"] == "net" && sent["expireIn"] == 60_000, "{sent}");
    assert_eq!(host.calls_of("webfix")[1][0]["brain"], "local");
}
