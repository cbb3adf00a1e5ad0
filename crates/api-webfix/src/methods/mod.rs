//! The methods, by subject.

mod accounts;
mod assets;
mod holdings;
mod session;
mod trade;
mod workers;

use orrery_kernel::{Error, ErrorCode, Result};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) use accounts::{balance_channel, balance_raw};
pub(crate) use workers::{channel as worker_channel, stamp};

/// Do this method's callers read `error` as a text?
pub(crate) fn is_plain(method: &str) -> bool {
    method == "setAsset" || trade::is_one(method)
}

pub(crate) async fn dispatch(method: &str, call: &Call<'_>) -> Result<Reply> {
    match method {
        "connectionNode" => session::connect(call).await,
        "requestDeveloperAccess" => session::developer(call).await,
        "endSession" => session::end(call).await,
        "linkWallet" => session::link(call).await,
        "unlinkWallet" => session::unlink(call).await,
        "setAccount" => accounts::set(call).await,
        "listAccounts" => accounts::list(call).await,
        "getWalletInfo" => accounts::info(call).await,
        "listWorkers" => workers::list(call).await,
        "setWorker" => workers::set(call).await,
        "updateWorker" => workers::update(call).await,
        "getWorkerHistory" => workers::history(call).await,
        "getWorkerDiff" => workers::diff(call).await,
        "rollbackWorker" => workers::rollback(call).await,
        "getWorkerRuns" => workers::runs(call).await,
        "exportWorkers" => workers::export(call).await,
        "importWorkers" => workers::import(call).await,
        "listNodes" => workers::nodes(call).await,
        "getLeaderInfo" => workers::leader(call).await,
        "getWorkerStats" => workers::stats(call).await,
        "stopAllWorkers" => workers::stop_all(call).await,
        "assetList" => assets::list(call).await,
        "setAsset" => assets::set(call).await,
        "getAssetBalances" => assets::balances(call).await,
        "getAssetBalance" => assets::balance(call).await,
        "getAssetTransactions" => assets::transactions(call).await,
        "getAssetTransactionByHash" => assets::by_hash(call).await,
        "submitAssetTransaction" => assets::submit(call).await,
        "transactions" => assets::overview(call).await,
        method if trade::is_one(method) => trade::answer(method, call).await,
        _ => Err(Error::new(ErrorCode::NotFound, "WebFIX method not found")),
    }
}
