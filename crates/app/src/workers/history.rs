//! What workers were, and how to get back there.

use orrery_kernel::{Error, ErrorCode, Result};
use orrery_wallets::Session;
use orrery_workers::{Diff, Spec, Version, Worker};

use super::{Workers, check};
use crate::Ctx;

fn none(version: i64) -> Error {
    Error::new(ErrorCode::NotFound, format!("The worker has no version {version}, or not any more"))
}

impl Workers {
    /// A worker's versions, newest first; the last hundred are kept.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn versions(&self, session: &Session, sid: &str) -> Result<Vec<Version>> {
        self.get(session, sid).await?;
        Ok(self.store.versions(sid).await?)
    }

    /// What differs between two versions; without `to` the newest is meant, without `from` the one before `to`.
    /// Gives both with it.
    ///
    /// # Errors
    /// As [`Self::get`]; `NotFound` for a version that is not kept.
    pub async fn diff(
        &self,
        session: &Session,
        sid: &str,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<(Version, Version, Diff)> {
        let versions = self.versions(session, sid).await?;
        let newest = versions.first().map_or(0, |version| version.version);
        let to = to.unwrap_or(newest);
        // the first one came from nothing: it differs in nothing from itself
        let from = from.unwrap_or((to - 1).max(1));
        let find = |wanted: i64| versions.iter().find(|v| v.version == wanted).cloned().ok_or_else(|| none(wanted));
        let (from, to) = (find(from)?, find(to)?);
        let diff = Diff::between(&from.spec, &to.spec);
        Ok((from, to, diff))
    }

    /// Makes a worker what it was in version `to`, as its next version; whether it is active stays as it is. With
    /// `seen`, only if that is still its version.
    ///
    /// # Errors
    /// As [`Self::update`]; `NotFound` for a version that is not kept.
    pub async fn rollback(
        &self,
        ctx: &Ctx,
        session: &Session,
        sid: &str,
        to: i64,
        seen: Option<i64>,
    ) -> Result<Worker> {
        let there = self.own(session, sid).await?;
        let versions = self.store.versions(sid).await?;
        let old = versions.into_iter().find(|version| version.version == to).ok_or_else(|| none(to))?;
        let spec = Spec { active: there.spec.active, ..old.spec };
        self.has_account(session, Some(&there.spec), &spec).await?;
        if !check::same_program(&there.spec, &spec) {
            self.checking.check(&spec, "script").await?;
        }
        self.change(ctx, session, sid, &spec, Some(seen.unwrap_or(there.version))).await
    }
}
