//! The contract of who makes tunnels, and one that does as it is told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orrery_kernel::Secret;
use orrery_tunnels::{Asked, Heard, Kind, Name, Opened, TunnelError, TunnelProvider};
use tokio::sync::Notify;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A token that is to be seen nowhere.
const TOKEN: &str = "2abcPLANTEDtoken";

/// A provider under test, with its far side.
#[async_trait]
pub trait Far: Send + Sync {
    /// The provider; its tunnels open, unless it is told otherwise.
    fn provider(&self) -> Arc<dyn TunnelProvider>;

    /// The far side loses the tunnel that is open, and takes none in its place.
    async fn lose(&self);

    /// From now on the far side refuses in these words.
    async fn refuse(&self, words: &'static str);

    /// Does anything of a tunnel go on: a connection, a process?
    fn goes_on(&self) -> bool;

    /// How often a tunnel was asked for, and with what, as far as others on the machine or on the way can read it.
    fn readable(&self) -> Vec<String>;
}

/// Keeps what a tunnel says.
#[derive(Default)]
pub struct Ear {
    opened: Mutex<Vec<Opened>>,
    lines: Mutex<Vec<String>>,
    changed: Notify,
}

impl Ear {
    /// The addresses that it opened at.
    pub fn opened(&self) -> Vec<Opened> {
        self.opened.lock().expect("not poisoned").clone()
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("not poisoned").clone()
    }

    async fn until_opened(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.opened().is_empty() {
                return;
            }
            changed.await;
        }
    }
}

impl Heard for Ear {
    fn opened(&self, opened: Opened) {
        self.opened.lock().expect("not poisoned").push(opened);
        self.changed.notify_one();
    }

    fn line(&self, text: &str) {
        self.lines.lock().expect("not poisoned").push(text.to_owned());
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: never"))
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_time(what, waiting).await;
}

/// A port that nobody listens at: what comes through is the matter of each kind.
const PORT: u16 = 9;

/// One that is open says so, goes on, and ends with all that belongs to it when it is dropped.
pub async fn opens_and_ends_with_its_future(far: &dyn Far) {
    let provider = far.provider();
    assert!(Kind::ALL.contains(&provider.kind()) && provider.kind() == far.provider().kind());
    for name in [None, Name::new("my-app")] {
        let (ear, asked) = (Arc::<Ear>::default(), Asked { name, token: None });
        {
            let carry = provider.carry(&asked, PORT, ear.clone());
            tokio::pin!(carry);
            tokio::select! {
                error = &mut carry => panic!("it ended: {error}"),
                () = in_time("it opens", ear.until_opened()) => {}
            }
            tokio::select! {
                error = carry => panic!("it ended: {error}"),
                () = until("something of it goes on", || far.goes_on()) => {}
            }
        }
        assert!(ear.opened().iter().all(|opened| !opened.host().is_empty()), "{:?}", ear.opened());
        until("everything of it ends", || !far.goes_on()).await;
    }
}

/// One that is lost says why, and does not ask again by itself.
pub async fn a_lost_one_ends(far: &dyn Far) {
    let (ear, asked) = (Arc::<Ear>::default(), Asked::default());
    let before = far.readable().len();
    let provider = far.provider();
    let carry = provider.carry(&asked, PORT, ear.clone());
    tokio::pin!(carry);
    tokio::select! {
        error = &mut carry => panic!("it ended: {error}"),
        () = in_time("it opens", ear.until_opened()) => {}
    }
    tokio::select! {
        error = &mut carry => panic!("it ended: {error}"),
        () = until("something of it goes on", || far.goes_on()) => {}
    }
    let ((), error) = in_time("it ends", async { tokio::join!(far.lose(), carry) }).await;
    assert!(matches!(error, TunnelError::Ended(_)), "{error:?}");
    until("everything of it ends", || !far.goes_on()).await;
    assert_eq!(far.readable().len(), before + 1, "asked for once");
}

/// A refusal is passed on in the provider's words.
pub async fn a_refusal_is_said(far: &dyn Far) {
    far.refuse("ERR_4018 this account may not").await;
    let ear = Arc::<Ear>::default();
    let error = in_time("it ends", far.provider().carry(&Asked::default(), PORT, ear.clone())).await;
    assert!(error.to_string().contains("ERR_4018 this account may not"), "{error}");
    assert_eq!(ear.opened(), [], "nothing was opened");
    until("everything of it ends", || !far.goes_on()).await;
}

/// The token is in nothing that others can read: what is asked, what is said, why it ended.
pub async fn the_token_is_nobodys_business(far: &dyn Far) {
    let asked = Asked { name: None, token: Some(Secret::new(TOKEN.to_owned())) };
    let ear = Arc::<Ear>::default();
    far.refuse("the token 2abcPLANTEDtoken is not good").await;
    let error = in_time("it ends", far.provider().carry(&asked, PORT, ear.clone())).await;
    if far.provider().kind() == Kind::Ngrok {
        assert!(!format!("{error:?} {:?}", ear.lines()).contains(TOKEN), "{error:?} {:?}", ear.lines());
    }
    let readable = far.readable();
    assert!(!readable.is_empty() && !readable.concat().contains(TOKEN), "{readable:?}");
}

/// All of the contract.
pub async fn provider_suite(far: &dyn Far) {
    opens_and_ends_with_its_future(far).await;
    a_lost_one_ends(far).await;
    a_refusal_is_said(far).await;
    the_token_is_nobodys_business(far).await;
}

/// What a tunnel in memory does.
#[derive(Clone, Debug)]
pub enum Does {
    /// Is open there until it is told to be lost.
    Opens(&'static str),
    /// Fails.
    Fails(TunnelError),
    /// Never opens.
    Hangs,
}

/// Tunnels in memory.
pub struct Pretend {
    /// What they do, one after the other; after these they open.
    does: Mutex<VecDeque<Does>>,
    lost: Notify,
    asked: Mutex<Vec<Asked>>,
    alive: Arc<AtomicUsize>,
}

impl Pretend {
    /// Tunnels that do this, one after the other, and then open at `https://given.example`.
    pub fn new(does: Vec<Does>) -> Arc<Self> {
        let (does, lost) = (Mutex::new(does.into()), Notify::new());
        Arc::new(Self { does, lost, asked: Mutex::default(), alive: Arc::default() })
    }

    /// How many are carried.
    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    /// Those that are open are lost.
    pub fn lose(&self) {
        self.lost.notify_one();
    }

    /// The names that were asked for, in order.
    pub fn names(&self) -> Vec<Option<String>> {
        let asked = self.asked.lock().expect("not poisoned");
        asked.iter().map(|asked| asked.name.as_ref().map(|name| name.as_str().to_owned())).collect()
    }
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl TunnelProvider for Pretend {
    fn kind(&self) -> Kind {
        Kind::Ngrok
    }

    async fn carry(&self, asked: &Asked, _: u16, heard: Arc<dyn Heard>) -> TunnelError {
        self.alive.fetch_add(1, Ordering::SeqCst);
        let _alive = Alive(self.alive.clone());
        self.asked.lock().expect("not poisoned").push(asked.clone());
        let next = self.does.lock().expect("not poisoned").pop_front();
        match next.unwrap_or(Does::Opens("https://given.example")) {
            Does::Opens(url) => {
                heard.line("authtoken 2abcSECRET is good");
                heard.opened(Opened::new(url, Name::new("given")).expect("an address"));
                self.lost.notified().await;
                TunnelError::Ended("the line was cut".into())
            }
            Does::Fails(error) => error,
            Does::Hangs => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use orrery_tunnels::redact;

    use super::*;

    #[async_trait]
    impl Far for Arc<Pretend> {
        fn provider(&self) -> Arc<dyn TunnelProvider> {
            self.clone()
        }

        async fn lose(&self) {
            Pretend::lose(self);
        }

        async fn refuse(&self, words: &'static str) {
            let refused = TunnelError::Refused(redact(words, Some(TOKEN)));
            self.does.lock().expect("not poisoned").push_back(Does::Fails(refused));
        }

        fn goes_on(&self) -> bool {
            self.alive() > 0
        }

        fn readable(&self) -> Vec<String> {
            self.names().into_iter().map(|name| format!("{name:?}")).collect()
        }
    }

    #[tokio::test]
    async fn in_memory() {
        provider_suite(&Pretend::new(Vec::new())).await;
    }
}
