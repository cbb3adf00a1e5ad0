//! Password hashing on a bounded pool: some 200 ms of a core each must neither block the server nor
//! be had without limit.

use std::sync::Arc;
use std::time::Duration;

use orrery_crypto::PasswordError;
use orrery_identity::PasswordHash;
use orrery_kernel::{Error, Result, Secret};
use tokio::sync::Semaphore;

use super::AuthSettings;

pub(super) struct Hashing {
    cost: u32,
    /// Places for those working and those waiting.
    places: Arc<Semaphore>,
    workers: Arc<Semaphore>,
}

impl Hashing {
    pub(super) fn new(settings: &AuthSettings) -> Self {
        let workers = settings.hash_workers.max(1);
        Self {
            cost: settings.bcrypt_cost,
            places: Arc::new(Semaphore::new(workers + settings.hash_queue)),
            workers: Arc::new(Semaphore::new(workers)),
        }
    }

    /// Is there a place at all? Cheap; to be asked before anything is counted.
    pub(super) fn admit(&self) -> Result<tokio::sync::OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            metrics::counter!("password_queue_full_total").increment(1);
            Error::unavailable("Too many logins at the moment; try again", Duration::from_secs(2))
        })
    }

    pub(super) async fn hash(&self, password: &Secret<String>, salt: [u8; 16]) -> Result<PasswordHash> {
        let (password, cost) = (password.clone(), self.cost);
        let hash = self.run(move || orrery_crypto::hash_password(password.expose(), cost, salt)).await?;
        hash.map(PasswordHash).map_err(Error::internal)
    }

    /// Is it the password of `hash`? Without a hash: no, after the same time.
    pub(super) async fn verify(&self, password: &Secret<String>, hash: Option<PasswordHash>) -> Result<bool> {
        let (password, cost) = (password.clone(), self.cost);
        let good = self
            .run(move || match hash {
                Some(hash) => orrery_crypto::verify_password(password.expose(), &hash.0),
                None => {
                    orrery_crypto::verify_nothing(password.expose(), cost);
                    Ok(false)
                }
            })
            .await?;
        good.map_err(|e: PasswordError| Error::internal(e))
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turn = self.workers.clone().acquire_owned().await.map_err(Error::internal)?;
        #[expect(clippy::disallowed_methods, reason = "this is the bounded pool")]
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(Error::internal)
    }
}
