//! Imports: the built-in module and bundles of the operator.

use std::collections::HashMap;
use std::sync::Arc;

use orrery_script::Engine;
use orrery_workers::Stop;
use orrery_workers::script::{Bundle, End, Limits, Modules, ScriptRuntime as _, Source};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

use crate::host::{Dice, TestHost, order, value};

struct Shelf(HashMap<&'static str, Bundle>);

impl Modules for Shelf {
    fn find(&self, name: &str) -> Option<Bundle> {
        self.0.get(name).cloned()
    }
}

fn bundle(text: &str) -> Bundle {
    Bundle { text: text.into(), sha256: hex::encode(Sha256::digest(text)) }
}

fn engine() -> Engine {
    let changed = Bundle { sha256: "00".repeat(32), ..bundle("export default 2") };
    let shelf = Shelf(HashMap::from([
        ("sums", bundle("import { one } from 'ones'; export const two = one + one; export default (a, b) => a + b")),
        ("ones", bundle("export const one = 1")),
        ("broken", bundle("export const = 1")),
        ("changed", changed),
    ]));
    Engine::new(1, Handle::current(), Arc::new(Dice), Arc::new(shelf)).unwrap()
}

async fn run(text: &str, dependencies: &[&str]) -> Result<End, String> {
    let engine = engine();
    let dependencies: Vec<_> = dependencies.iter().map(|name| (*name).to_owned()).collect();
    let source = Source { text, dependencies: &dependencies, version: "1.19.2" };
    let program = engine.prepare(&source).map_err(|fault| fault.to_string())?;
    Ok(engine.run(order(program, &TestHost::new(), Limits::default(), &Stop::new())).await.end)
}

#[tokio::test]
async fn the_built_in_module_has_the_library() {
    let seen = value(
        "import lib, { createWallet, validateAddress, cex } from 'gliesereum';
         const { importWallet } = await import('gliesereum');
         const wallet = importWallet('938d3cba356408d58e4e03ee2e7143364b3100904c3351b7ad77a8e2e34353a5');
         return [validateAddress(createWallet().address), wallet.address, lib === Stels.blockchain, typeof cex.okx]",
    )
    .await;
    assert_eq!(seen, json!([true, "gkVcmZanoMEk3LWHpJYC24pZte8FgW5mBy", true, "function"]));
}

#[tokio::test]
async fn bundles_are_imported_when_they_are_what_was_approved() {
    let script = "import add, { two } from 'sums'; return add(two, 3)";
    assert_eq!(run(script, &["sums", "ones"]).await, Ok(End::Returned(Some("5".into()))));
    for (script, dependencies, part) in [
        (script, &["ones"][..], "\"sums\", which is not among its dependencies"),
        ("return 1", &["changed"][..], "its digest differs"),
        ("return 1", &["broken"][..], "broken"),
        ("return 1", &["absent"][..], "not provided"),
    ] {
        let fault = run(script, dependencies).await.unwrap_err();
        assert!(fault.contains(part), "{fault}");
    }
    let End::Threw(thrown) = run("await import('a' + 'b')", &[]).await.unwrap() else { panic!() };
    assert!(thrown.message.contains("no such dependency"), "{thrown}");
}
