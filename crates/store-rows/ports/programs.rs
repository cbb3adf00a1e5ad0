//! Programs of users, on either database.

use async_trait::async_trait;
use orrery_kernel::{StoreError, UserId};
use orrery_storage::files::Added;
use orrery_storage::programs::{Language, PROGRAMS_MAX, Program, ProgramFile, ProgramIndex, RUNS_MAX, Run};
use orrery_store_rows::programs as rows;

use super::files::turn;
use crate::both::{Db, Tx};
use crate::sql::{files as holds, programs as sql};

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

async fn add(tx: &mut Tx, program: Program, files: String, hold: String) -> Result<Added, StoreError> {
    if tx.one(sql::COUNT.call().bind(program.owner.0)).await?.columns().count(0)? >= PROGRAMS_MAX {
        tx.nothing_to_keep();
        return Ok(Added::Full);
    }
    let call = sql::ADD.call().bind(program.owner.0).bind(program.id).bind(program.kind.name()).bind(program.name);
    let call = call.bind(program.original).bind(program.description).bind(program.language.name());
    let call = call.bind(whole(program.size)).bind(whole(program.file_count)).bind(program.main_file);
    if tx.execute(call.bind(program.at.micros()).bind(files)).await? == 0 {
        tx.nothing_to_keep();
        return Ok(Added::Taken);
    }
    tx.execute(holds::RELEASE.call().bind(hold)).await?;
    Ok(Added::Done)
}

async fn count(tx: &mut Tx, owner: UserId, id: String, run: Run) -> Result<bool, StoreError> {
    let Some(row) = tx.optional(sql::RUNS.call().bind(owner.0).bind(id.clone())).await? else {
        tx.nothing_to_keep();
        return Ok(false);
    };
    let at = run.at.micros();
    let mut runs = rows::runs(row.columns())?;
    runs.insert(0, run);
    runs.truncate(RUNS_MAX);
    let call = sql::COUNT_RUN.call().bind(owner.0).bind(id).bind(at).bind(rows::runs_text(&runs));
    Ok(tx.execute(call).await? == 1)
}

#[async_trait]
impl ProgramIndex for Db {
    async fn add_program(&self, program: &Program, files: &[ProgramFile], hold: &str) -> Result<Added, StoreError> {
        let (program, files, hold) = (program.clone(), rows::files_text(files), hold.to_owned());
        self.alter(turn(program.owner), move |tx| Box::pin(add(tx, program, files, hold))).await
    }

    async fn program(&self, owner: UserId, id: &str) -> Result<Option<Program>, StoreError> {
        let row = self.optional(sql::PROGRAM.call().bind(owner.0).bind(id.to_owned())).await?;
        row.map(|row| rows::program(row.columns())).transpose()
    }

    async fn programs(&self, owner: UserId) -> Result<Vec<Program>, StoreError> {
        let rows = self.all(sql::PROGRAMS.call().bind(owner.0).bind(whole(PROGRAMS_MAX))).await?;
        rows.iter().map(|row| rows::program(row.columns())).collect()
    }

    async fn program_files(&self, owner: UserId, id: &str) -> Result<Vec<ProgramFile>, StoreError> {
        let row = self.optional(sql::FILES.call().bind(owner.0).bind(id.to_owned())).await?;
        row.map_or(Ok(Vec::new()), |row| rows::files(row.columns()))
    }

    async fn set_main(&self, owner: UserId, id: &str, path: &str, language: Language) -> Result<bool, StoreError> {
        let call = sql::SET_MAIN.call().bind(owner.0).bind(id.to_owned()).bind(path.to_owned()).bind(language.name());
        self.alter(turn(owner), |tx| Box::pin(async move { Ok(tx.execute(call).await? == 1) })).await
    }

    async fn remove_program(&self, owner: UserId, id: &str) -> Result<bool, StoreError> {
        let call = sql::REMOVE.call().bind(owner.0).bind(id.to_owned());
        self.alter(turn(owner), |tx| Box::pin(async move { Ok(tx.execute(call).await? == 1) })).await
    }

    async fn count_run(&self, owner: UserId, id: &str, run: &Run) -> Result<bool, StoreError> {
        let (id, run) = (id.to_owned(), run.clone());
        self.alter(turn(owner), move |tx| Box::pin(count(tx, owner, id, run))).await
    }

    async fn runs(&self, owner: UserId, id: &str) -> Result<Vec<Run>, StoreError> {
        let row = self.optional(sql::RUNS.call().bind(owner.0).bind(id.to_owned())).await?;
        row.map_or(Ok(Vec::new()), |row| rows::runs(row.columns()))
    }

    async fn forget_programs(&self, owner: UserId) -> Result<Vec<String>, StoreError> {
        let forget = sql::FORGET.call().bind(owner.0);
        self.alter(turn(owner), |tx| {
            Box::pin(async move { tx.all(forget).await?.iter().map(|row| row.columns().get(0)).collect() })
        })
        .await
    }

    async fn knows(&self, owner: UserId, id: &str) -> Result<bool, StoreError> {
        Ok(self.program(owner, id).await?.is_some())
    }
}
