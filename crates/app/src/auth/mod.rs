//! Registration, login, sessions, profile, API keys, the first administrator.

mod access;
mod browser;
mod hashing;
mod keys;
mod operator;
mod profile;
mod sessions;
mod tickets;
mod turns;
mod users;

use std::sync::Arc;
use std::time::Duration;

use access::Access;
pub use browser::Anchor;
use hashing::Hashing;
pub use orrery_crypto::Algorithm;
use orrery_crypto::JwtKey;
use orrery_identity::rate::Policy;
use orrery_identity::{ApiKey, AuditEvent, IdentityStore, RateStore, User};
use orrery_kernel::{Clock, Entropy, Error, Result, Secret, Timestamp, UserId};

use crate::Ctx;
use crate::events::{Alert, Event, Events};

/// Characters of a display name.
const NAME_CHARS_MAX: usize = 100;
/// Failed logins are counted this long.
const FAILURE_WINDOW: Duration = Duration::from_secs(900);
/// The first wait of an account, and the longest of anybody.
const ACCOUNT_WAIT: Duration = Duration::from_secs(30);
const WAIT_MAX: Duration = Duration::from_secs(900);
/// The first wait of an address: many people may share one.
const ADDRESS_WAIT: Duration = Duration::from_secs(1);

/// Identity's configuration.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// Key of the tokens, at least 32 bytes.
    pub jwt_secret: Secret<Vec<u8>>,
    /// How tokens are signed.
    pub jwt_algorithm: Algorithm,
    /// Lifetime of a session and its token.
    pub jwt_lifetime: Duration,
    /// May anybody register?
    pub open_registration: bool,
    /// Registrations an hour from one address.
    pub registrations_per_hour: u32,
    /// Failed logins of an account before each further one must wait, in 15 minutes.
    pub account_failures: u32,
    /// Failed logins from an address before each further one must wait, in 15 minutes.
    pub address_failures: u32,
    /// bcrypt cost.
    pub bcrypt_cost: u32,
    /// Password hashes computed at the same time.
    pub hash_workers: usize,
    /// Password hashes waiting; beyond that 503.
    pub hash_queue: usize,
    /// Do requests from the machine itself act as operator?
    pub local_operator: bool,
    /// How often changes of permissions by other processes are looked for.
    pub watch: Duration,
}

/// A registration form.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Address.
    pub email: String,
    /// Display name.
    pub name: String,
    /// Password.
    pub password: Secret<String>,
    /// Must equal the password where present.
    pub confirm_password: Option<Secret<String>>,
}

/// A new session.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// JWT.
    pub token: Secret<String>,
    /// The same session as `X-Session-ID` and cookies name it.
    pub session: Secret<String>,
    /// How long it lasts.
    pub lifetime: Duration,
    /// Who.
    pub user: User,
}

/// A new API key; the only time its text is seen.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// `ok_…`.
    pub secret: Secret<String>,
    /// As stored.
    pub key: ApiKey,
}

/// Identity's use cases.
pub struct Auth {
    store: Arc<dyn IdentityStore>,
    rates: Arc<dyn RateStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: AuthSettings,
    jwt: JwtKey,
    tickets: JwtKey,
    browser: browser::Keys,
    hashing: Hashing,
    access: Arc<Access>,
    events: Events,
    turns: turns::Turns,
}

impl Auth {
    /// Assembles the use cases.
    ///
    /// # Errors
    /// When the signing secret is weak or published.
    pub fn new(
        store: Arc<dyn IdentityStore>,
        rates: Arc<dyn RateStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: AuthSettings,
        events: Events,
    ) -> Result<Self> {
        let jwt = JwtKey::new(settings.jwt_secret.expose(), settings.jwt_algorithm).map_err(Error::internal)?;
        let tickets = tickets::key(settings.jwt_secret.expose()).map_err(Error::internal)?;
        let browser = browser::Keys::new(settings.jwt_secret.expose());
        let hashing = Hashing::new(&settings);
        let access = Arc::new(Access::new(store.clone(), events.clone()));
        let turns = turns::Turns::default();
        Ok(Self { store, rates, clock, entropy, settings, jwt, tickets, browser, hashing, access, events, turns })
    }

    /// Starts the task that notices changes of permission made by other processes, within the time of the settings.
    pub fn watch(&self, tasks: &crate::tasks::Tasks) {
        tasks.spawn("access-watch", self.access.clone().watch(self.settings.watch, tasks.stopping()));
    }

    /// Another process says that somebody's permissions changed.
    pub fn changed_elsewhere(&self) {
        self.access.changed_elsewhere();
    }

    /// Drops what outlived its use; for a job.
    pub async fn prune(&self) -> Result<u64> {
        // a day's grace keeps recently ended sessions explainable
        let before = Timestamp::from_micros(self.clock.now().micros() - 86_400_000_000);
        Ok(self.store.prune_sessions(before).await?)
    }

    fn account_policy(&self) -> Policy {
        Policy::delay(self.settings.account_failures, FAILURE_WINDOW, ACCOUNT_WAIT, WAIT_MAX)
    }

    fn address_policy(&self) -> Policy {
        Policy::delay(self.settings.address_failures, FAILURE_WINDOW, ADDRESS_WAIT, WAIT_MAX)
    }

    fn bits<const N: usize>(&self) -> [u8; N] {
        let mut bits = [0; N];
        self.entropy.fill(&mut bits);
        bits
    }

    /// Writes an administrator's act that another part carried out into the audit log.
    pub async fn record_act(&self, ctx: &Ctx, action: &'static str, target: String) {
        self.audit(ctx, action, target, "ok").await;
    }

    /// Writes what another part did, or did not do, into the audit log.
    pub(crate) async fn record_outcome(&self, ctx: &Ctx, action: &'static str, target: String, outcome: &str) {
        self.audit(ctx, action, target, outcome).await;
    }

    async fn audit(&self, ctx: &Ctx, action: &'static str, target: String, outcome: &str) {
        let actor = ctx.caller.as_ref().map_or_else(|| "anonymous".into(), |c| format!("user:{}", c.user));
        self.record(actor, action, target, outcome, ctx.address.to_string()).await;
    }

    async fn record(&self, actor: String, action: &'static str, target: String, outcome: &str, address: String) {
        if ALERTING.contains(&action) || outcome != "ok" && !EVERYDAY.contains(&outcome) {
            let id = |text: &str| text.strip_prefix("user:")?.split(' ').next()?.parse().ok().map(UserId);
            let (target, actor, address) = (target.clone(), actor.clone(), address.clone());
            let user = id(&target).or_else(|| id(&actor));
            let alert = Alert { user, actor, action, target, outcome: outcome.to_owned(), address };
            self.events.send(Event::Alert(Arc::new(alert)));
        }
        let event =
            AuditEvent { at: self.clock.now(), actor, action: action.into(), target, outcome: outcome.into(), address };
        if let Err(error) = self.store.audit(&event).await {
            tracing::error!(%error, action, "could not write the audit log");
        }
    }
}

/// What becomes of runs and sessions without anybody having done wrong.
const EVERYDAY: [&str; 4] = ["timed out", "not run", "watches", "not shared"];
/// Acts that users and operators are told of at once, also when they are good.
const ALERTING: [&str; 9] = [
    "password_change",
    "password_reset",
    "email_change",
    "role_change",
    "user_delete",
    "api_key_create",
    "api_key_revoke",
    "setup",
    "tunnel_start",
];

/// A display name within its bounds.
fn checked_name(name: &str, chars_min: usize) -> Result<String> {
    let name = name.trim();
    let chars = name.chars().count();
    if chars < chars_min {
        return Err(Error::invalid("name", format!("Name must be at least {chars_min} characters long")));
    }
    if chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "Name must be at most 100 characters long, without control characters"));
    }
    Ok(name.to_owned())
}
