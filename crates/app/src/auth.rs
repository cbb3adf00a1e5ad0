//! Registration, login, sessions, profile, API keys, the first administrator.

use std::time::Duration;

use orrery_identity::{ApiKey, Caller, Scope, User};
use orrery_kernel::{Result, Secret, Timestamp};

use crate::Ctx;

/// Identity's configuration.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// HS256 key, at least 32 bytes.
    pub jwt_secret: Secret<Vec<u8>>,
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
pub struct Auth {}

impl Auth {
    /// Who a bearer token (JWT or `ok_…` API key) stands for at `now`.
    pub async fn authenticate(&self, _bearer: &str, _now: Timestamp) -> Result<Caller> {
        Err(orrery_kernel::Error::new(orrery_kernel::ErrorCode::UnauthenticatedInvalid, "Invalid or expired token"))
    }
}
// The methods that surfaces and the command line call:
//
//   new(ports: &crate::Ports, settings: AuthSettings, events: Events) -> Result<Self>
//   register(&self, &Ctx, Registration) -> Result<LoggedIn>
//   login(&self, &Ctx, email: &str, password: &Secret<String>) -> Result<LoggedIn>
//   authenticate(&self, bearer: &str, now: Timestamp) -> Result<Caller>      JWT or ok_…; cached, see below
//   expiry(&self, bearer: &str) -> Option<Timestamp>
//   logout(&self, &Ctx) -> Result<()>                                        its own session only
//   me(&self, &Ctx) -> Result<User>
//   change_password(&self, &Ctx, current, new, confirm: Option) -> Result<()>
//   change_name(&self, &Ctx, name, current) -> Result<User>
//   change_email(&self, &Ctx, email, current) -> Result<User>
//   create_api_key(&self, &Ctx, name, scopes: Vec<Scope>, lifetime: Option<Duration>) -> Result<NewKey>
//   api_keys(&self, &Ctx) -> Result<Vec<ApiKey>>
//   revoke_api_key(&self, &Ctx, id: ApiKeyId) -> Result<()>
//   issue_setup_token(&self, now) -> Result<Option<Secret<String>>>          None once an admin exists
//   setup(&self, &Ctx, token: &str, Registration) -> Result<LoggedIn>
//   operator_create_user / operator_set_role / operator_reset_password / operator_delete_user / users (no Ctx caller: the command line)
//   watch(self: Arc/…, tasks)                                                polls IdentityStore::version every 250 ms
#[expect(dead_code, reason = "signature sketch")]
type Sketch = (Ctx, Scope);
