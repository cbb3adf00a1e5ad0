//! What scripts find of the web and of Deno.

use serde_json::json;

use crate::host::{TestHost, value, value_with};

#[tokio::test]
async fn fetch_sends_what_it_is_given_and_reads_what_comes() {
    let host = TestHost::new().on("fetch", |a| {
        let request = &a[0];
        Ok(json!({
            "url": request["url"], "status": 201, "statusText": "Created", "redirected": false,
            "headers": [["Content-Type", "application/json"], ["x-a", "1"], ["X-A", "2"]],
            "body": "eyJhIjoiw6kifQ==",
        }))
    });
    let seen = value_with(
        "const response = await fetch(new URL('/path?q=1', 'https://api.example.org'), {
           method: 'post', headers: { 'X-Key': 'é' }, body: JSON.stringify({ b: 'ü' }) });
         const copy = response.clone();
         const out = [response.ok, response.status, response.statusText, response.url, response.headers.get('x-a'),
           [...response.headers.keys()], await response.json(), response.bodyUsed, await copy.text()];
         try { await response.text() } catch (e) { out.push(e.name) }
         return out",
        &host,
    )
    .await;
    let url = "https://api.example.org/path?q=1";
    let expected = json!([
        true, 201, "Created", url, "1, 2", ["content-type", "x-a"], { "a": "é" }, true, "{\"a\":\"é\"}", "TypeError"
    ]);
    assert_eq!(seen, expected);
    let headers = json!([["content-type", "text/plain;charset=UTF-8"], ["x-key", "é"]]);
    let body = "eyJiIjoiw7wifQ==";
    let sent = json!({ "url": url, "method": "POST", "headers": headers, "body": body, "redirect": "follow" });
    assert_eq!(host.calls_of("fetch")[0][0], sent);
}

#[tokio::test]
async fn a_fetch_that_fails_or_is_given_up_says_so() {
    let host = TestHost::new().on("fetch", |_| Err(orrery_workers::script::HostError::new("TypeError", "refused")));
    let seen = value_with(
        "const names = [];
         const note = (e) => names.push(`${e.name}`);
         await fetch('http://169.254.169.254/').catch(note);
         await fetch('nowhere').catch(note);
         await fetch('https://a.b', { method: 'GET', body: 'x' }).catch(note);
         await fetch('https://a.b', { headers: { 'bad name': '1' } }).catch(note);
         await fetch('https://a.b', { headers: { a: 'x\\ny' } }).catch(note);
         await fetch('https://a.b', { signal: AbortSignal.abort() }).catch(note);
         return names",
        &host,
    )
    .await;
    assert_eq!(seen, json!(["TypeError", "TypeError", "TypeError", "TypeError", "TypeError", "AbortError"]));
    let host = TestHost::new().on("socket.open", |_| Ok(json!({ "id": 1 })));
    drop(host);
    let host = TestHost::new();
    let seen = value_with(
        "const controller = new AbortController();
         const pending = Stels.net.watch(['k'], { signal: controller.signal });
         await pending.next();
         const second = pending.next();
         await Stels.sleep(1);
         controller.abort(new Error('mine'));
         return [(await second).done]",
        &host,
    )
    .await;
    assert_eq!((seen, host.given_up()), (json!([true]), vec!["net.watch".to_owned()]));
}

#[tokio::test]
async fn requests_and_responses_have_their_shapes() {
    let seen = value(
        "const request = new Request('https://a.b/c', { method: 'PUT', body: new URLSearchParams({ x: '1 2' }) });
         const response = Response.json({ a: 1 }, { status: 202 });
         const headers = new Headers([['B', '2'], ['a', '1']]); headers.append('a', '3'); headers.delete('b');
         const out = [request.method, request.headers.get('content-type'), await request.text(), response.status,
           response.headers.get('content-type'), await response.json(), [...headers], headers.has('A'),
           Response.redirect('https://x.y/').headers.get('location'), Response.error().type,
           new Uint8Array(await new Response(new Uint8Array([1, 2])).arrayBuffer()).length, new Response(null).body];
         try { new Response('x', { status: 99 }) } catch (e) { out.push(e.name) }
         return out",
    )
    .await;
    let form = "application/x-www-form-urlencoded;charset=UTF-8";
    let expected = json!([
        "PUT", form, "x=1+2", 202, "application/json", { "a": 1 }, [["a", "1, 3"]], true, "https://x.y/", "error", 2,
        null, "RangeError"
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn sockets_open_tell_and_close() {
    let host = TestHost::new()
        .on("socket.open", |_| Ok(json!({ "id": 4, "protocol": "p" })))
        .on("socket.send", |_| Ok(json!(null)))
        .on("socket.close", |_| Ok(json!(null)));
    let turns = std::sync::atomic::AtomicUsize::new(0);
    let host = host.on("socket.next", move |_| {
        Ok(match turns.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => json!({ "type": "message", "text": "hello" }),
            1 => json!({ "type": "message", "bytes": "AQID" }),
            _ => json!({ "type": "close", "code": 1000, "reason": "bye" }),
        })
    });
    let seen = value_with(
        "const events = [];
         const socket = new WebSocket('wss://stream.example.org/ws', ['p']);
         try { socket.send('early') } catch (e) { events.push(e.name) }
         await new Promise((resolve) => {
           socket.onopen = () => { events.push('open', socket.readyState, socket.protocol); socket.send('hi');
             socket.send(new Uint8Array([7])) };
           socket.addEventListener('message', ({ data }) =>
             events.push(typeof data === 'string' ? data : new Uint8Array(data).length));
           socket.onclose = (event) => { events.push('close', event.code, event.reason, event.wasClean); resolve() };
         });
         return [...events, socket.readyState, WebSocket.CLOSED]",
        &host,
    )
    .await;
    let expected = json!(["InvalidStateError", "open", 1, "p", "hello", 3, "close", 1000, "bye", true, 3, 3]);
    assert_eq!(seen, expected);
    assert_eq!(host.calls_of("socket.send"), [json!([4, { "text": "hi" }]), json!([4, { "bytes": "Bw==" }])]);
    let host = TestHost::new();
    let refused = "return await new Promise((resolve) => {
      const socket = new WebSocket('ws://10.0.0.1/'); const seen = [];
      socket.onerror = (event) => seen.push(event.message); socket.onclose = (event) => resolve([...seen,
        event.code]) })";
    assert_eq!(value_with(refused, &host).await, json!(["socket.open is not answered", 1006]));
}

#[tokio::test]
async fn addresses_are_read_and_written() {
    let seen = value(
        "const url = new URL('../b?x=1&y=%20#h', 'https://user:pw@Example.org:8443/a/c');
         url.searchParams.append('z', 'é&'); url.port = '443'; url.hash = ''; url.pathname = '/p q';
         const again = new URL('https://a/?k=1'); again.search = '?k=2&k=3';
         const params = new URLSearchParams('?a=1&b=2&a=3'); params.set('a', '9'); params.sort();
         const out = [url.href, url.origin, url.host, url.searchParams.get('y'), again.searchParams.getAll('k'),
           `${params}`,
           params.size, [...new URLSearchParams([['x', 'y']])], URL.canParse('x'), JSON.stringify({ u: again })];
         try { new URL('//') } catch (e) { out.push(e.name) }
         return out",
    )
    .await;
    let expected = json!([
        "https://user:pw@example.org/p%20q?x=1&y=+&z=%C3%A9%26",
        "https://example.org",
        "example.org",
        " ",
        ["2", "3"],
        "a=9&b=2",
        2,
        [["x", "y"]],
        false,
        "{\"u\":\"https://a/?k=2&k=3\"}",
        "TypeError"
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn texts_and_bytes() {
    let seen = value(
        "const bytes = new TextEncoder().encode('aé😀\\ud800');
         const decoder = new TextDecoder();
         const parts = [bytes.slice(0, 2), bytes.slice(2, 5), bytes.slice(5)].map((part, i) => decoder.decode(part, {
           stream: i < 2 }));
         const out = [[...bytes], parts.join(''), new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])),
           new TextEncoder().encodeInto('é😀', new Uint8Array(3)), btoa('\\xff\\x00a'), atob('/wBh').charCodeAt(0)];
         for (const act of [() => btoa('é😀'), () => atob('*'), () => new TextDecoder('latin1'),
           () => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]))]) { try {
             act() } catch (e) { out.push(e.name) } }
         return out",
    )
    .await;
    let expected = json!([
        [97, 195, 169, 240, 159, 152, 128, 239, 191, 189], "aé😀\u{fffd}", "a", { "read": 1, "written": 2 }, "/wBh", 255,
        "InvalidCharacterError", "InvalidCharacterError", "RangeError", "TypeError"
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn random_values_and_digests() {
    let seen = value(
        "const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
         const key = await crypto.subtle.importKey('raw', new TextEncoder().encode('key'), { name: 'HMAC',
           hash: 'SHA-256' }, false, ['sign']);
         const data = new TextEncoder().encode('The quick brown fox jumps over the lazy dog');
         const mac = await crypto.subtle.sign('HMAC', key, data);
         const out = [hex(await crypto.subtle.digest('SHA-1', new Uint8Array(0))), hex(await crypto.subtle.digest({
           name: 'sha-256' }, data.buffer)),
           hex(mac), await crypto.subtle.verify('HMAC', key, mac, data), crypto.randomUUID(),
           crypto.getRandomValues(new Uint32Array(2)).length, crypto.getRandomValues(new Uint8Array(3))[1]];
         for (const act of [() => crypto.subtle.digest('MD5', data), () =>
           crypto.getRandomValues(new Uint8Array(70000))]) {
           try { await act() } catch (e) { out.push(e.name) } }
         return out",
    )
    .await;
    let expected = json!([
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592",
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
        true,
        "0b30557a-9fc4-490e-b358-7da2c7ec1136",
        2,
        48,
        "NotSupportedError",
        "QuotaExceededError"
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn clones_are_deep() {
    let seen = value(
        "const shared = { x: 1 };
         const of = { a: [shared, shared], m: new Map([[shared, new Set([1])]]), d: new Date(5),
           b: new Uint16Array([1, 2]), e: new RangeError('r') };
         of.self = of;
         const made = structuredClone(of);
         const out = [made !== of, made.self === made, made.a[0] === made.a[1], made.a[0] !== shared,
           [...made.m.keys()][0] === made.a[0],
           made.d.getTime(), made.b[1], made.b.buffer !== of.b.buffer, made.e instanceof RangeError, made.e.message];
         for (const bad of [() => {}, Symbol('s'), Promise.resolve()]) { try { structuredClone(bad) } catch (e) {
           out.push(e.name) } }
         return out",
    )
    .await;
    let expected = json!([
        true,
        true,
        true,
        true,
        true,
        5,
        2,
        true,
        true,
        "r",
        "DataCloneError",
        "DataCloneError",
        "DataCloneError"
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn events_and_aborts() {
    let seen = value(
        "const out = [];
         const target = new EventTarget();
         target.addEventListener('a', { handleEvent: (e) => out.push(e.type, e.detail) }, { once: true });
         target.dispatchEvent(new CustomEvent('a', { detail: 7 })); target.dispatchEvent(new Event('a'));
         const one = new AbortController(); const any = AbortSignal.any([one.signal, new AbortController().signal]);
         any.onabort = () => out.push('any'); one.abort('why'); out.push(any.reason);
         const timed = AbortSignal.timeout(1); await Stels.sleep(20); out.push(timed.aborted, timed.reason.name);
         try { timed.throwIfAborted() } catch (e) { out.push(e.name) }
         try { new AbortSignal() } catch (e) { out.push(e.name) }
         return out",
    )
    .await;
    assert_eq!(seen, json!(["a", 7, "any", "why", true, "TimeoutError", "TimeoutError", "TypeError"]));
}

#[tokio::test]
async fn timers_run_in_their_order() {
    let seen = value(
        "const out = [];
         setTimeout((x) => out.push(x), 5, 'b'); setTimeout(() => out.push('a'), 1); const no = setTimeout(() =>
           out.push('never'), 1);
         clearTimeout(no); clearTimeout(undefined); queueMicrotask(() => out.push('micro'));
         let n = 0; await new Promise((r) => { const id = setInterval(() => { if (++n === 3) { clearInterval(id);
           r() } }, 2) });
         await Stels.sleep(20); out.push(n);
         for (const bad of [-1, 86400001, NaN, 'x']) { try { await Stels.sleep(bad); out.push('ok') } catch (e) {
           out.push(e.name) } }
         try { setTimeout('code', 1) } catch (e) { out.push(e.name) }
         return out",
    )
    .await;
    assert_eq!(seen, json!(["micro", "a", "b", 3, "ok", "RangeError", "RangeError", "RangeError", "TypeError"]));
}

#[tokio::test]
async fn what_is_named_of_deno() {
    let seen = value(
        "const memory = Deno.memoryUsage();
         let error; try { Deno.serve({ port: 1 }) } catch (e) { error = e.name }
         return [memory.heapUsed > 0 && memory.heapTotal >= memory.heapUsed, Deno.loadavg().length, error,
           Deno.env.get('HOME') ?? null,
           typeof process, typeof require, performance.now() > 0]",
    )
    .await;
    assert_eq!(seen, json!([true, 3, "TypeError", null, "undefined", "undefined", true]));
}

#[tokio::test]
async fn indicators_take_arrays_and_candles() {
    let seen = value(
        "const candles = Array.from({ length: 40 }, (_, i) => [i, i, i + 2, i - 1, i + 1, 10]);
         const { close, high } = Stels.ta.columns(candles);
         const last = (a) => a[a.length - 1];
         const { macd, signal, histogram } = Stels.ta.macd(close, 3, 6, 2);
         const out = [close instanceof Float64Array, last(high), last(Stels.ta.sma(candles, 3)),
           last(Stels.ta.ema([1, 2, 3], 2)),
           last(Stels.ta.rsi(close)), Number.isNaN(Stels.ta.sma([1, 2], 3)[1]), last(Stels.ta.atr(candles, 5)),
           last(Stels.ta.vwap(candles, 1)), last(Stels.ta.stochastic(candles).k), last(Stels.ta.highest(candles, 3)),
           last(Stels.ta.lowest([3, 1, 2], 2)), last(Stels.ta.bollinger([1, 1, 1], 3).upper),
             macd.length + signal.length + histogram.length,
           Stels.ta.crossover([1, 3], [2, 2]), Stels.ta.crossunder([3, 1], 2), Stels.ta.crossover([1], [2])];
         for (const act of [() => Stels.ta.sma([1], 0), () => Stels.ta.sma([1], 1.5), () => Stels.ta.sma('x', 1)]) {
           try { act() } catch (e) { out.push(e.name) } }
         return out",
    )
    .await;
    let stochastic = 100.0 * (40.0 - 25.0) / (41.0 - 25.0);
    let expected = json!([
        true,
        41,
        39,
        2.5,
        100,
        true,
        3,
        39.666_666_666_666_664,
        stochastic,
        41,
        1,
        1,
        120,
        true,
        true,
        false,
        "RangeError",
        "RangeError",
        "TypeError"
    ]);
    assert_eq!(seen.as_array().unwrap().len(), expected.as_array().unwrap().len());
    for (seen, expected) in seen.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
        match (seen.as_f64(), expected.as_f64()) {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1e-9, "{a} {b}"),
            _ => assert_eq!(seen, expected),
        }
    }
}

#[tokio::test]
async fn wallets_and_transactions() {
    let seen = value(
        "const { importWallet, createSignedTransaction, validateTransaction, createSmartTransaction, sign, verify } = Stels.blockchain;
         const wallet = importWallet('938d3cba356408d58e4e03ee2e7143364b3100904c3351b7ad77a8e2e34353a5');
         const sent = createSignedTransaction(wallet, 'gf7iTTmSPnEwKUTb1X3TLACS9DUCmEegNx', 100, 1, 'note');
         const smart = createSmartTransaction(wallet, [{ op: 'transfer', to: 'gf7iTTmSPnEwKUTb1X3TLACS9DUCmEegNx',
           amount: '1.500000' }], '0.000100', null, null);
         const out = [wallet.address, sent.from.address, validateTransaction(sent), smart.signatures.length,
           verify('x', sign('x', wallet), wallet.publicKey), Stels.blockchain.deterministicStringify({ b: 1,
             a: undefined }),
           Stels.wallet.address, Stels.wallet.number.length, 'privateKey' in Stels.wallet];
         try { importWallet('x') } catch (e) { out.push(e.message) }
         try { validateTransaction({ ...sent, amount: 5 }) } catch (e) { out.push(e.message) }
         return out",
    )
    .await;
    let address = "gkVcmZanoMEk3LWHpJYC24pZte8FgW5mBy";
    let expected = json!([
        address,
        address,
        true,
        1,
        true,
        "{\"b\":1}",
        address,
        16,
        false,
        "Invalid private key format",
        "Transaction hash mismatch"
    ]);
    assert_eq!(seen, expected);
}

/// A script's engine is told only of the globals that the script can reach.
#[tokio::test]
async fn globals_are_there_however_a_script_reaches_them() {
    for script in [
        "return typeof URL",
        "return typeof globalThis.URL",
        "return typeof this.URL",
        "return eval('typeof URL')",
        "return Function('return typeof URL')()",
        "return (() => {}).constructor('return typeof URL')()",
        "return (() => {})['constructor']('return typeof URL')()",
    ] {
        assert_eq!(value(script).await, json!("function"), "{script}");
    }
    let host = TestHost::new().on("fetch", |_| Ok(json!({ "status": 200, "headers": [] })));
    assert_eq!(value_with("return (await fetch('https://a.b/')).url", &host).await, json!("https://a.b/"));
}
