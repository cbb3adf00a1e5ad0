//! `keys …`: the master keys.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use orrery_crypto::seal::key_of;
use orrery_wallets::{Account, WalletStore};

use super::args::MasterKeyCommand;
use super::output::say;
use crate::config::Config;
use crate::database::Database;
use crate::master_keys::FileKeys;
use crate::secret;
use crate::system::SystemEntropy;

/// Accounts read at once.
const PAGE: u32 = 500;
/// Between two words about progress, in records.
const PROGRESS: usize = 10_000;
/// Rounds over the accounts: those that were set meanwhile are sealed again in the next.
const ROUNDS: usize = 10;

pub async fn run(config: &Config, command: MasterKeyCommand) -> Result<()> {
    secret::prepare_data_dir(&config.server.data_dir)?;
    let keys = FileKeys::open(&config.key_file, &SystemEntropy)?;
    let database = Database::open(config, false).await?;
    let store = database.wallets();
    match command {
        MasterKeyCommand::List => {
            let used = used(&*store).await?;
            for number in keys.numbers()? {
                let count = used.get(&number).copied().unwrap_or(0);
                say(&format!("{number}\t{count} record{}", if count == 1 { "" } else { "s" }));
            }
        }
        MasterKeyCommand::Rotate => {
            let number = keys.add(&SystemEntropy)?;
            let sealed = seal_all(&*store, &keys).await?;
            say(&format!("key {number} seals {sealed} records now; older keys stay until `keys prune`"));
        }
        MasterKeyCommand::Prune => {
            let used: Vec<u32> = used(&*store).await?.into_keys().collect();
            for number in keys.keep(&used, &SystemEntropy)? {
                say(&format!("removed key {number}"));
            }
        }
    }
    database.close().await;
    Ok(())
}

async fn each(store: &dyn WalletStore, mut take: impl AsyncFnMut(Account) -> Result<()>) -> Result<()> {
    let (mut owner, mut nid) = (String::new(), String::new());
    loop {
        let page = store.accounts_after(&owner, &nid, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        (owner, nid) = (last.owner.clone(), last.nid.clone());
        for account in page {
            take(account).await?;
        }
    }
}

/// How many records each key seals.
async fn used(store: &dyn WalletStore) -> Result<BTreeMap<u32, usize>> {
    let mut used = BTreeMap::new();
    each(store, async |account| {
        *used.entry(name(&account, key_of(&account.sealed))?).or_default() += 1;
        Ok(())
    })
    .await?;
    Ok(used)
}

async fn seal_all(store: &dyn WalletStore, keys: &FileKeys) -> Result<usize> {
    use orrery_app::wallets::MasterKeys;
    let ring = keys.ring();
    let mut sealed = 0;
    for _ in 0..ROUNDS {
        let mut left = 0;
        each(store, async |account| {
            if name(&account, key_of(&account.sealed))? == ring.current() {
                return Ok(());
            }
            let place = Account::place(&account.owner, &account.nid);
            let again = name(&account, ring.rewrap(&account.sealed, &place, &SystemEntropy))?;
            if store.reseal(&account.owner, &account.nid, &account.sealed, &again).await? {
                sealed += 1;
                if sealed % PROGRESS == 0 {
                    super::output::complain(&format!("{sealed} records …"));
                }
            } else {
                left += 1;
            }
            Ok(())
        })
        .await?;
        if left == 0 {
            break;
        }
    }
    Ok(sealed)
}

fn name<T>(account: &Account, result: Result<T, orrery_crypto::seal::SealError>) -> Result<T> {
    result.with_context(|| format!("the keys of account {}/{}", account.owner, account.nid))
}
