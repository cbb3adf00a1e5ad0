//! Register, log in, authenticate, log out, and the first administrator.

use std::time::Duration;

use orrery_crypto::{Claims, JwtError};
use orrery_identity::rate::Policy;
use orrery_identity::{Action, Caller, Created, Email, NewUser, Proof, Role, Session, SessionId, User};
use orrery_kernel::{Error, ErrorCode, Result, Secret, Timestamp};

use super::{Anchor, Auth, LoggedIn, Registration, checked_name};
use crate::Ctx;

const HOUR: Duration = Duration::from_secs(3_600);
/// How long the first administrator's link works.
const SETUP_LIFETIME: Duration = Duration::from_secs(86_400);

fn not_good() -> Error {
    Error::new(ErrorCode::UnauthenticatedInvalid, "Invalid or expired token")
}

impl Auth {
    /// Creates a trader and logs them in.
    pub async fn register(&self, ctx: &Ctx, form: Registration) -> Result<LoggedIn> {
        if !self.settings.open_registration {
            return Err(Error::new(ErrorCode::Forbidden, "Registration is closed"));
        }
        let (email, name) = check(&form)?;
        let _place = self.hashing.admit()?;
        let policy = Policy::refuse(self.settings.registrations_per_hour, HOUR);
        let verdict = self.rates.take(&format!("register:{}", ctx.address), &policy, ctx.now).await?;
        if !verdict.allowed {
            return Err(Error::rate_limited("Too many registrations from this address", verdict.retry_after));
        }
        let new = self.new_user(ctx.now, email, name, &form.password, Role::Trader).await?;
        match self.store.create_user(&new).await? {
            Created::Taken => Err(taken()),
            Created::New(user) => {
                self.audit(ctx, "register", format!("user:{}", user.id), "ok").await;
                metrics::counter!("registrations_total").increment(1);
                self.open_session(ctx, user).await
            }
        }
    }

    /// Opens a session for a right password. Failures are counted per account and per address;
    /// attempts on one account are made one after another, so parallel guesses cannot slip through.
    pub async fn login(&self, ctx: &Ctx, email: &str, password: &Secret<String>) -> Result<LoggedIn> {
        if email.is_empty() || password.expose().is_empty() {
            return Err(Error::invalid("email", "Email and password are required"));
        }
        let place = self.hashing.admit()?;
        // an address that cannot exist costs what an unknown one costs
        let email = Email::parse(email).ok();
        let account = format!("login:account:{}", email.as_ref().map_or("", Email::key));
        let _turn = self.turns.of(&account).await;
        self.throttle(ctx, &account).await?;
        let found = match &email {
            Some(email) => self.store.credential(email).await?,
            None => None,
        };
        let (user, hash) = found.unzip();
        let good = self.hashing.verify(password, hash).await?;
        drop(place);
        let (true, Some(user)) = (good, user) else {
            self.failed(ctx, &account).await;
            let target = email.map_or_else(String::new, |e| e.key().to_owned());
            self.audit(ctx, "login", target, "bad credentials").await;
            metrics::counter!("logins_total", "outcome" => "failed").increment(1);
            return Err(Error::new(ErrorCode::BadCredentials, "Invalid email or password"));
        };
        self.rates.clear(&account).await?;
        self.audit(ctx, "login", format!("user:{}", user.id), "ok").await;
        metrics::counter!("logins_total", "outcome" => "ok").increment(1);
        self.open_session(ctx, user).await
    }

    /// Refuses an attempt on `account` that must wait.
    pub(super) async fn throttle(&self, ctx: &Ctx, account: &str) -> Result<()> {
        let address = format!("login:address:{}", ctx.address);
        let verdicts = [
            self.rates.peek(account, &self.account_policy(), ctx.now).await?,
            self.rates.peek(&address, &self.address_policy(), ctx.now).await?,
        ];
        match verdicts.iter().filter(|v| !v.allowed).map(|v| v.retry_after).max() {
            None => Ok(()),
            Some(wait) => {
                metrics::counter!("logins_total", "outcome" => "throttled").increment(1);
                Err(Error::rate_limited("Too many failed attempts. Please try again later.", wait))
            }
        }
    }

    /// Counts a failed attempt.
    pub(super) async fn failed(&self, ctx: &Ctx, account: &str) {
        let address = format!("login:address:{}", ctx.address);
        for (key, policy) in [(account, self.account_policy()), (&address, self.address_policy())] {
            if let Err(error) = self.rates.take(key, &policy, ctx.now).await {
                tracing::error!(%error, "could not count a failed login");
            }
        }
    }

    /// Who a bearer token (JWT or `ok_…` API key) stands for at `now`.
    pub async fn authenticate(&self, bearer: &str, now: Timestamp) -> Result<Caller> {
        if bearer.starts_with(orrery_crypto::API_KEY_PREFIX) {
            return self.authenticate_key(bearer, now).await;
        }
        let claims = self.jwt.verify(bearer, now.secs()).map_err(|e| match e {
            JwtError::Expired => Error::new(ErrorCode::UnauthenticatedExpired, "Invalid or expired token"),
            _ => not_good(),
        })?;
        let id = SessionId::parse(&claims.sid).ok_or_else(not_good)?;
        let caller = self.authenticate_session(&id, now).await?;
        if caller.user.0 == claims.id { Ok(caller) } else { Err(not_good()) }
    }

    /// Who a session stands for at `now`, for those who proved it once.
    ///
    /// # Errors
    /// `UnauthenticatedInvalid` when it was revoked, `UnauthenticatedExpired`.
    pub async fn authenticate_session(&self, id: &SessionId, now: Timestamp) -> Result<Caller> {
        let (session, user) = self.access.session(id).await?.ok_or_else(not_good)?;
        if user.id != session.user {
            return Err(not_good());
        }
        if now >= session.expires_at {
            return Err(Error::new(ErrorCode::UnauthenticatedExpired, "Invalid or expired token"));
        }
        Ok(Caller { user: user.id, email: user.email, role: user.role, proof: Proof::Session(id.clone()) })
    }

    /// When a session ends; `None` when there is none (any more).
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn session_expiry(&self, id: &SessionId) -> Result<Option<Timestamp>> {
        Ok(self.access.session(id).await?.map(|(session, _)| session.expires_at))
    }

    /// When a token that was good runs out; `None` for one without an end.
    pub fn expiry(&self, bearer: &str) -> Option<Timestamp> {
        // not a check: only a token that was authenticated is asked about
        self.jwt.verify(bearer, i64::MIN).ok().map(|claims| Timestamp::from_secs(claims.exp))
    }

    /// Ends the caller's own session, and no other.
    pub async fn logout(&self, ctx: &Ctx) -> Result<()> {
        let caller = ctx.authorize(Action::ManageSelf)?;
        if let Proof::Session(id) = &caller.proof {
            self.store.revoke_session(id, ctx.now).await?;
            self.access.changed();
            self.audit(ctx, "logout", format!("user:{}", caller.user), "ok").await;
        }
        Ok(())
    }

    /// A new one-time token for the first administrator, replacing earlier ones; `None` once there is
    /// an administrator.
    pub async fn issue_setup_token(&self, now: Timestamp) -> Result<Option<Secret<String>>> {
        if self.store.count_role(Role::Admin).await? > 0 {
            return Ok(None);
        }
        let token = orrery_crypto::token(self.bits());
        self.store.put_setup_token(&orrery_crypto::digest(&token), now.plus(SETUP_LIFETIME)).await?;
        Ok(Some(Secret::new(token)))
    }

    /// Creates the first administrator and logs them in.
    pub async fn setup(&self, ctx: &Ctx, token: &str, form: Registration) -> Result<LoggedIn> {
        let account = "setup";
        self.throttle(ctx, account).await?;
        let (email, name) = check(&form)?;
        let _place = self.hashing.admit()?;
        let new = self.new_user(ctx.now, email, name, &form.password, Role::Admin).await?;
        match self.store.create_first_admin(&orrery_crypto::digest(token), &new).await? {
            None => {
                self.failed(ctx, account).await;
                self.audit(ctx, "setup", String::new(), "bad token").await;
                Err(Error::new(ErrorCode::Forbidden, "The setup link is not valid (any more)"))
            }
            Some(Created::Taken) => Err(taken()),
            Some(Created::New(user)) => {
                self.access.changed();
                self.audit(ctx, "setup", format!("user:{}", user.id), "ok").await;
                self.open_session(ctx, user).await
            }
        }
    }

    pub(super) async fn new_user(
        &self,
        at: Timestamp,
        email: Email,
        name: String,
        password: &Secret<String>,
        role: Role,
    ) -> Result<NewUser> {
        let password = self.hashing.hash(password, self.bits()).await?;
        Ok(NewUser { email, name, password, role, at })
    }

    async fn open_session(&self, ctx: &Ctx, user: User) -> Result<LoggedIn> {
        // tokens count whole seconds; the session ends with its token
        let (issued, lifetime) =
            (ctx.now.secs(), i64::try_from(self.settings.jwt_lifetime.as_secs()).unwrap_or(86_400));
        let session = Session {
            id: SessionId::from_bits(self.bits()),
            user: user.id,
            created_at: ctx.now,
            expires_at: Timestamp::from_secs(issued + lifetime),
            address: ctx.address.to_string(),
            agent: ctx.agent.chars().take(200).collect(),
        };
        self.store.create_session(&session).await?;
        let claims = Claims {
            id: user.id.0,
            email: user.email.clone(),
            name: user.name.clone(),
            sid: session.id.as_str().to_owned(),
            iat: issued,
            exp: issued + lifetime,
        };
        let token = Secret::new(self.jwt.issue(&claims).map_err(Error::internal)?);
        let named = self.browser.text(&Anchor::Session(session.id));
        Ok(LoggedIn { token, session: named, lifetime: self.settings.jwt_lifetime, user })
    }
}

pub(super) fn taken() -> Error {
    Error::new(ErrorCode::Conflict, "User with this email already exists")
}

/// The documented server's checks in its order, then ours.
fn check(form: &Registration) -> Result<(Email, String)> {
    let password = form.password.expose();
    if form.email.is_empty() || form.name.trim().is_empty() || password.is_empty() {
        return Err(Error::invalid("email", "All fields are required"));
    }
    if form.confirm_password.as_ref().is_some_and(|c| c.expose() != password) {
        return Err(Error::invalid("confirmPassword", "Passwords do not match"));
    }
    if password.chars().count() < orrery_crypto::PASSWORD_CHARS_MIN {
        return Err(Error::invalid("password", orrery_crypto::PasswordError::Short.to_string()));
    }
    let email = Email::parse(&form.email).map_err(|e| Error::invalid("email", e.to_string()))?;
    let name = checked_name(&form.name, 1)?;
    orrery_crypto::check_password(password).map_err(|e| Error::invalid("password", e.to_string()))?;
    Ok((email, name))
}
