//! Callers, roles, scopes and the one table of permissions.

use orrery_kernel::UserId;

use crate::SessionId;

/// What a user may do in general; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Trades for themselves.
    Trader,
    /// Runs the house: reports, exposure.
    Operator,
    /// Everything, also users and settings.
    Admin,
}

/// What an API key may do, within its owner's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read what the owner reads.
    Read,
    /// Trade.
    Trade,
    /// Keep data, files and programs.
    Files,
    /// Run commands and programs.
    Exec,
    /// Administer.
    Admin,
}

impl Role {
    /// All of them, least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Trader, Self::Operator, Self::Admin];

    /// The name in stores, commands and answers: `viewer`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Trader => "trader",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Trade, Self::Files, Self::Exec, Self::Admin];

    /// The name in stores, commands and answers: `read`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trade => "trade",
            Self::Files => "files",
            Self::Exec => "exec",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// How the caller proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A session (JWT).
    Session(SessionId),
    /// An API key with these scopes.
    ApiKey(Vec<Scope>),
    /// By calling from the machine itself, where the operator allowed that.
    Local,
}

impl Caller {
    /// Owner of what [`Proof::Local`] keeps; users' numbers begin at 1.
    pub const LOCAL: UserId = UserId(0);

    /// The operator at the machine itself.
    pub fn local() -> Self {
        Self { user: Self::LOCAL, email: "operator@localhost".into(), role: Role::Operator, proof: Proof::Local }
    }
}

/// A known caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub user: UserId,
    /// Address, as claims and events show it.
    pub email: String,
    /// Current role.
    pub role: Role,
    /// How proven.
    pub proof: Proof,
}

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read own balances, transactions, profile.
    ReadOwn,
    /// Trade for oneself.
    Trade,
    /// Change own profile, password, sessions, API keys (sessions only, never an API key).
    ManageSelf,
    /// Keep own data, files and programs.
    Store,
    /// Run commands and programs, open terminals.
    Execute,
    /// Open the server to the internet by a tunnel.
    Tunnel,
    /// Read the house's exposure, reconcile.
    ReadHouse,
    /// Users, deposits, settings, reversals.
    Administer,
}

/// The caller may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not allowed")]
pub struct Denied;

/// The one table of permissions.
pub fn authorize(caller: &Caller, action: Action) -> Result<(), Denied> {
    let (least, scope) = match action {
        Action::ReadOwn => (Role::Viewer, Some(Scope::Read)),
        Action::Trade => (Role::Trader, Some(Scope::Trade)),
        Action::ManageSelf => (Role::Viewer, None),
        Action::Store => (Role::Trader, Some(Scope::Files)),
        // whoever may register is a trader, and a stranger must not run commands
        Action::Execute => (Role::Operator, Some(Scope::Exec)),
        Action::Tunnel => (Role::Operator, Some(Scope::Admin)),
        Action::ReadHouse => (Role::Operator, Some(Scope::Admin)),
        Action::Administer => (Role::Admin, Some(Scope::Admin)),
    };
    let proven = match (&caller.proof, scope) {
        (Proof::Session(_), _) => true,
        // there is no account behind it that could be managed
        (Proof::Local, scope) => scope.is_some(),
        (Proof::ApiKey(scopes), Some(scope)) => scopes.contains(&scope),
        (Proof::ApiKey(_), None) => false,
    };
    if caller.role >= least && proven { Ok(()) } else { Err(Denied) }
}
