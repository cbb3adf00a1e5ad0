//! Commands and flags, described for someone who sees them the first time.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use orrery_identity::{Role, Scope};

use crate::config::Sources;

const EXAMPLES: &str = "\
Examples:
  orrery-gateway demo
      Try it: simulated prices, users start with money. Open the address it prints.
  orrery-gateway
      Run a server with real prices on http://127.0.0.1:8000, data in ./orrery-data.
  orrery-gateway --listen 127.0.0.1:9000 --data-dir /var/lib/orrery serve
      The same elsewhere.
  echo 'a long pass phrase' | orrery-gateway user create --email you@example.com --role admin --password-stdin
      Make an administrator without a browser.
  orrery-gateway ledger deposit --email you@example.com --inr 1000
      Give a user 1,000 rupees; works while the server runs.
  orrery-gateway wallet new > wallet.json
      Make a wallet; import, address, sign and verify read JSON from standard input.
  orrery-gateway worker run script.ts
      Try a worker's script with play money and see its log.
  orrery-gateway doctor
      See whether this machine and this configuration are fit.

Settings come from orrery.toml, ORRERY_SECTION__KEY variables and flags: see `orrery-gateway config print`.";

/// Orrery: a self-hosted trading desk with a double-entry ledger, market data and live updates.
#[derive(Debug, Parser)]
#[command(name = "orrery-gateway", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Debug, Default, Args)]
pub struct Global {
    /// Configuration file [default: ./orrery.toml, then orrery.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// Directory of everything the server keeps [default: ./orrery-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Settings")]
    pub data_dir: Option<PathBuf>,
    /// Where to listen: HOST:PORT[=SURFACE], several with commas [default: 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "HOST:PORT", help_heading = "Settings")]
    pub listen: Option<String>,
    /// Port of the first listener
    #[arg(long, global = true, value_name = "PORT", help_heading = "Settings")]
    pub port: Option<String>,
    /// Serve without TLS beyond this machine; passwords then cross the network readable
    #[arg(long, global = true, help_heading = "Settings")]
    pub allow_plain_http: bool,
    /// Any other setting, as --set market.max_age=120
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Settings")]
    pub set: Vec<String>,
}

/// Fetches prices and runs orders, plans and loans beside gateways on one Postgres; of several, one
/// works and the others wait. Settings come from orrery.toml and the environment, as the gateway's do.
#[derive(Debug, clap::Parser)]
#[command(name = "orrery-poller", version)]
pub struct PollerArguments {
    /// Configuration file [default: ./orrery.toml, then orrery.toml in the data directory]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the log [default: ./orrery-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Any other setting, as --set market.price_poll_s=60
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Runs workers beside gateways on one Postgres: all nodes share the workers, and what a node that ends had goes to the
/// others. Settings come from orrery.toml and the environment, as the gateway's do; ORRERY_NODE__ID names the node.
#[derive(Debug, clap::Parser)]
#[command(name = "orrery-node", version)]
pub struct NodeArguments {
    /// Configuration file [default: ./orrery.toml, then orrery.toml in the data directory]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the log and the node's name [default: ./orrery-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Any other setting, as --set workers.capacity=500
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl NodeArguments {
    /// Hands the flags to the configuration.
    pub fn add_to(self, sources: &mut Sources) -> Result<()> {
        let Self { config, data_dir, set } = self;
        Global { config, data_dir, listen: None, port: None, allow_plain_http: false, set }.add_to(sources)
    }
}

impl PollerArguments {
    /// Hands the flags to the configuration.
    pub fn add_to(self, sources: &mut Sources) -> Result<()> {
        let Self { config, data_dir, set } = self;
        Global { config, data_dir, listen: None, port: None, allow_plain_http: false, set }.add_to(sources)
    }
}

impl Global {
    /// Hands the flags to the configuration.
    pub fn add_to(&self, sources: &mut Sources) -> Result<()> {
        sources.file.clone_from(&self.config);
        let mut flag = |key: &str, value: &str, name: &str| {
            sources.flags.push((key.to_owned(), value.to_owned(), format!("flag {name}")));
        };
        for pair in &self.set {
            let Some((key, value)) = pair.split_once('=') else {
                bail!("--set takes KEY=VALUE, as in --set market.max_age=120, not {pair:?}");
            };
            flag(key.trim(), value, "--set");
        }
        if let Some(dir) = &self.data_dir {
            let Some(dir) = dir.to_str() else { bail!("--data-dir must be UTF-8") };
            flag("server.data_dir", dir, "--data-dir");
        }
        if let Some(listen) = &self.listen {
            flag("server.listen", listen, "--listen");
        }
        if let Some(port) = &self.port {
            flag("server.port", port, "--port");
        }
        if self.allow_plain_http {
            flag("server.allow_plain_http", "true", "--allow-plain-http");
        }
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server (the default)
    Serve,
    /// Try it out: simulated prices, funded users, its own data in ./orrery-data/demo
    Demo,
    /// Bring the database to this version's schema; `serve` does it by itself
    Migrate,
    /// Check configuration, machine, database and ledger, and say what to do
    Doctor,
    /// Create, list and change users
    #[command(subcommand)]
    User(UserCommand),
    /// Deposit, fund, verify and export the ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Make, list and revoke API keys of a user
    #[command(subcommand)]
    ApiKey(KeyCommand),
    /// The master keys that seal exchange keys at rest
    #[command(subcommand)]
    Keys(MasterKeyCommand),
    /// Make and use wallets; JSON on standard input and output, so that no key is an argument
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Connectors to exchanges
    #[command(subcommand)]
    Venues(VenuesCommand),
    /// Scripts of workers
    #[command(subcommand)]
    Worker(WorkerCommand),
    /// Copy the database of a running server, with a manifest
    Backup {
        /// Directory to make the copy in
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Put a backup in place; stop the server first
    Restore(Restore),
    /// Show settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI description as JSON
    Openapi,
}

#[derive(Debug, Subcommand)]
pub enum MasterKeyCommand {
    /// List the keys: number, records that it seals
    List,
    /// Make a new key and seal every record with it; works while servers run
    Rotate,
    /// Remove the keys that seal no record; copies of older databases then stay closed
    Prune,
}

#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// Make a wallet and print it, with its private key
    New,
    /// Print the wallet of {"private_key":"…"}
    Import,
    /// Print address, number and public keys of {"private_key":"…"}
    Address,
    /// Print {"signature":"…"} for {"private_key":"…","data":"…"}; other data than text by its deterministic text
    Sign,
    /// Print true or false for {"data":"…","signature":"…","public_key":"…"}
    Verify,
    /// Print the deterministic text of any JSON value
    Canonicalize,
    /// Run a file of test vectors; fails if any case does
    CheckVectors {
        /// The file, in the layout of testdata/gliesereum.json
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum VenuesCommand {
    /// Run recorded cases of exchanges; ends with 1 if any case fails and with 3 if they cannot be read
    CheckFixtures {
        /// The directory, in the layout of testdata/venues
        directory: PathBuf,
        /// Print a table of exchanges and methods in Markdown instead, as docs/venues.md has it
        #[arg(long)]
        table: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// Run a script here, once, and print its log; nothing is kept. Ends with 1 if the script throws or cannot be read
    Run(WorkerRun),
    /// List the nodes that run workers, as the database knows them
    Nodes {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct WorkerRun {
    /// The script, JavaScript or TypeScript
    pub file: PathBuf,
    /// Trade with play money at simulated prices, whatever keys the script has (the default)
    #[arg(long, conflicts_with = "live")]
    pub dry_run: bool,
    /// Reach the exchanges that the script names, with the keys that it has
    #[arg(long)]
    pub live: bool,
    /// Seed of the simulated prices
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Let the script reach addresses of this machine and of private networks
    #[arg(long)]
    pub allow_private: bool,
    /// Let the script reach this host, as name, name:port or address:port; several with commas
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub allow_host: Vec<String>,
    /// Folder of bundles that the script may import, with their modules.json
    #[arg(long, value_name = "DIR")]
    pub modules: Option<PathBuf>,
    /// Modules that the script may import beside gliesereum, several with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub dependency: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// Directory of the backup
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Also check the database file page by page
    #[arg(long)]
    pub verify: bool,
    /// Replace a database that is there; it is kept under another name
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every setting, its value and where it is from; secrets are not shown
    Print,
    /// The reference page
    #[command(hide = true)]
    Reference,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user; the password is read from standard input
    Create {
        #[command(flatten)]
        who: Who,
        /// Display name [default: the part of the address before the @]
        #[arg(long)]
        name: Option<String>,
        /// What the user may do
        #[arg(long, value_enum, default_value = "trader")]
        role: RoleName,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List users: id, address, role, name, when registered
    List,
    /// Change what a user may do, at once
    SetRole {
        #[command(flatten)]
        who: Who,
        /// The new role
        #[arg(long, value_enum)]
        role: RoleName,
    },
    /// Set a password, and end every session and API key of the user
    ResetPassword {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Delete a user; what the ledger says of them stays
    Delete {
        #[command(flatten)]
        who: Who,
    },
}

/// Names a user.
#[derive(Debug, Args)]
pub struct Who {
    /// The user's e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
}

/// Passwords are never arguments, which other programs can read.
#[derive(Debug, Args)]
pub struct PasswordSource {
    /// Read the password from the first line of standard input
    #[arg(long, required = true)]
    pub password_stdin: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RoleName {
    /// Reads
    Viewer,
    /// Trades for themselves
    Trader,
    /// Sees the house's books
    Operator,
    /// Everything
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Trader => Self::Trader,
            RoleName::Operator => Self::Operator,
            RoleName::Admin => Self::Admin,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Give a user money from outside; works while the server runs
    Deposit {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        money: Money,
        /// Idempotency key: the same key deposits once, however often the command runs
        #[arg(long)]
        key: Option<String>,
    },
    /// Give the house money from outside
    Fund {
        /// What for: stock to trade against, or money to lend
        #[arg(long, value_enum)]
        bucket: BucketName,
        #[command(flatten)]
        money: Money,
        /// Idempotency key: the same key funds once, however often the command runs
        #[arg(long)]
        key: Option<String>,
    },
    /// Give a wallet TST from outside; works while the server runs
    Grant {
        /// The wallet's address
        #[arg(long, value_name = "ADDRESS")]
        wallet: String,
        /// How much, as 100 or 0.5
        #[arg(long, value_name = "TST")]
        tst: String,
        /// Idempotency key: the same key grants once, however often the command runs
        #[arg(long)]
        key: Option<String>,
    },
    /// Replay the journal against everything stored; fails on any fault. Prints the head last
    Verify,
    /// Print every entry on a line, then the head
    Export,
}

/// An amount, in exactly one kind of money.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Money {
    /// Rupees, as 1000 or 1000.50
    #[arg(long, value_name = "RUPEES")]
    pub inr: Option<String>,
    /// Whole satoshis
    #[arg(long, value_name = "SATOSHIS")]
    pub btc_sat: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum BucketName {
    /// Stock that users trade against
    Inventory,
    /// Rupees to lend
    Treasury,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is shown once
    Create {
        #[command(flatten)]
        who: Who,
        /// A label to recognise it by
        #[arg(long)]
        name: String,
        /// What it may do, several with commas
        #[arg(long, value_enum, value_delimiter = ',', default_value = "read")]
        scope: Vec<ScopeName>,
        /// Days until it ends [default: never]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: Option<u32>,
    },
    /// List a user's keys
    List {
        #[command(flatten)]
        who: Who,
    },
    /// End a key, at once
    Revoke {
        #[command(flatten)]
        who: Who,
        /// Its number, as `list` shows it
        #[arg(long)]
        id: i64,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ScopeName {
    /// Read what the user reads
    Read,
    /// Trade
    Trade,
    /// Administer
    Admin,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Read => Self::Read,
            ScopeName::Trade => Self::Trade,
            ScopeName::Admin => Self::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn fixed_spellings_parse() {
        for line in [
            "",
            "serve",
            "demo",
            "migrate",
            "doctor",
            "user create --email a@b.c --password-stdin --role admin",
            "user list",
            "user set-role --email a@b.c --role viewer",
            "user reset-password --email a@b.c --password-stdin",
            "user delete --email a@b.c",
            "ledger deposit --email a@b.c --inr 1000.50",
            "ledger deposit --email a@b.c --btc-sat 5 --key k",
            "ledger fund --bucket inventory --btc-sat 100",
            "ledger fund --bucket treasury --inr 100",
            "ledger grant --wallet gkVcmZanoMEk3LWHpJYC24pZte8FgW5mBy --tst 10.5 --key k",
            "ledger verify",
            "ledger export",
            "api-key create --email a@b.c --name bot --scope read,trade --days 30",
            "api-key list --email a@b.c",
            "api-key revoke --email a@b.c --id 3",
            "keys list",
            "keys rotate",
            "keys prune",
            "wallet new",
            "wallet import",
            "wallet address",
            "wallet sign",
            "wallet verify",
            "wallet canonicalize",
            "wallet check-vectors f.json",
            "backup --to d",
            "restore --from d --verify --force",
            "config print",
            "openapi",
            "serve --data-dir d --listen 127.0.0.1:1 --allow-plain-http --set a.b=c",
        ] {
            let words = std::iter::once("orrery-gateway").chain(line.split_whitespace());
            assert!(Arguments::try_parse_from(words).is_ok(), "{line}");
        }
        for line in [
            "ledger deposit --email a@b.c",
            "ledger deposit --email a@b.c --inr 1 --btc-sat 1",
            "user create --email a@b.c --password secret",
            "user create --email a@b.c",
            "wallet import 00",
            "user set-role --email a@b.c --role king",
        ] {
            let words = std::iter::once("orrery-gateway").chain(line.split_whitespace());
            assert!(Arguments::try_parse_from(words).is_err(), "{line}");
        }
    }
}
