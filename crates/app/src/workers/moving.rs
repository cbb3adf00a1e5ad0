//! Workers that leave for another server, and come from one.

use orrery_kernel::Result;
use orrery_wallets::Session;
use orrery_workers::{Draft, Spec, Worker, without_secrets};

use super::{Workers, invalid};
use crate::Ctx;

/// Workers in one import.
pub const IMPORTED_MAX: usize = 500;

/// A worker as it leaves.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The worker; its script without secrets.
    pub worker: Worker,
    /// Texts that were taken out of its script.
    pub redacted: usize,
}

impl Workers {
    /// The wallet's workers, or those of `sids`, with scripts without secrets.
    ///
    /// # Errors
    /// `NotFound` for one that is not the wallet's.
    pub async fn export(&self, session: &Session, sids: Option<&[String]>) -> Result<Vec<Exported>> {
        let workers = match sids {
            None => self.list(session).await?,
            Some(sids) => {
                let mut found = Vec::with_capacity(sids.len());
                for sid in sids {
                    found.push(self.get(session, sid).await?);
                }
                found
            }
        };
        let clean = |mut worker: Worker| {
            let (script, redacted) = without_secrets(&worker.spec.script);
            worker.spec.script = script;
            Exported { worker, redacted }
        };
        Ok(workers.into_iter().map(clean).collect())
    }

    /// Makes a worker of each draft, none of them active: what they were elsewhere they need not be here. Each
    /// stands alone; what is wrong with one keeps the others from nothing.
    pub async fn import(&self, ctx: &Ctx, session: &Session, drafts: Vec<Result<Draft>>) -> Vec<Result<Worker>> {
        let mut made = Vec::with_capacity(drafts.len());
        for draft in drafts {
            made.push(match draft {
                Ok(draft) => self.import_one(ctx, session, draft).await,
                Err(error) => Err(error),
            });
        }
        made
    }

    async fn import_one(&self, ctx: &Ctx, session: &Session, draft: Draft) -> Result<Worker> {
        let spec = Spec::new(Draft { active: Some(false), ..draft }).map_err(|e| invalid(&e))?;
        self.checking.check(&spec, "script").await?;
        self.add(ctx, session, spec).await
    }
}
