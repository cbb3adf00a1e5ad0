//! What users keep, in process: documents, files, programs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_storage::data::{BYTES_MAX, DOCUMENTS_MAX, DataStore, Kept};
use orrery_storage::files::{Added, FILES_MAX, FileIndex, FileRecord, Held, Hold, Pool, UPLOADS_MAX, Upload, Usage};
use orrery_storage::programs::{Language, PROGRAMS_MAX, Program, ProgramFile, ProgramIndex, RUNS_MAX, Run};

type Of = (UserId, String);

#[derive(Clone)]
struct Whole {
    program: Program,
    files: Vec<ProgramFile>,
    runs: Vec<Run>,
}

#[derive(Default)]
struct Inner {
    documents: BTreeMap<Of, String>,
    files: BTreeMap<Of, FileRecord>,
    holds: BTreeMap<String, Hold>,
    uploads: BTreeMap<String, Upload>,
    programs: BTreeMap<Of, Whole>,
}

/// Documents, files and programs in memory; lost with the process.
#[derive(Default)]
pub struct MemoryKept(Mutex<Inner>);

impl MemoryKept {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(owner: UserId, name: &str) -> Of {
    (owner, name.to_owned())
}

impl Inner {
    fn usage(&self, owner: UserId, pool: Pool, but: &str, now: Timestamp) -> Usage {
        let sizes: Vec<u64> = match pool {
            Pool::Files => self.files.values().filter(|f| f.owner == owner).map(|f| f.size).collect(),
            Pool::Programs => {
                self.programs.values().filter(|p| p.program.owner == owner).map(|p| p.program.size).collect()
            }
        };
        let counts = |h: &&Hold| h.owner == owner && h.pool == pool && h.id != but && h.until > now;
        Usage {
            bytes: sizes.iter().sum(),
            held: self.holds.values().filter(counts).map(|h| h.bytes).sum(),
            count: sizes.len() as u64,
        }
    }
}

#[async_trait]
impl DataStore for MemoryKept {
    async fn put_document(&self, owner: UserId, key: &str, value: &str, _: Timestamp) -> Result<Kept, StoreError> {
        let mut inner = self.inner();
        let others = inner.documents.iter().filter(|((o, k), _)| *o == owner && k != key);
        let (count, bytes) = others.fold((0, 0), |(n, b), ((_, k), v)| (n + 1, b + (k.len() + v.len()) as u64));
        if count >= DOCUMENTS_MAX || bytes + (key.len() + value.len()) as u64 > BYTES_MAX {
            return Ok(Kept::Full);
        }
        inner.documents.insert(of(owner, key), value.to_owned());
        Ok(Kept::Done)
    }

    async fn document(&self, owner: UserId, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.inner().documents.get(&of(owner, key)).cloned())
    }

    async fn documents(&self, owner: UserId) -> Result<Vec<(String, String)>, StoreError> {
        let inner = self.inner();
        let own = inner.documents.iter().filter(|((o, _), _)| *o == owner);
        Ok(own.map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    async fn remove_document(&self, owner: UserId, key: &str) -> Result<bool, StoreError> {
        Ok(self.inner().documents.remove(&of(owner, key)).is_some())
    }

    async fn forget_documents(&self, owner: UserId) -> Result<u64, StoreError> {
        let mut inner = self.inner();
        let before = inner.documents.len();
        inner.documents.retain(|(of, _), _| *of != owner);
        Ok((before - inner.documents.len()) as u64)
    }
}

#[async_trait]
impl FileIndex for MemoryKept {
    async fn hold(&self, hold: &Hold, quota: u64, now: Timestamp) -> Result<Held, StoreError> {
        let mut inner = self.inner();
        inner.holds.retain(|_, h| h.owner != hold.owner || h.until > now);
        let usage = inner.usage(hold.owner, hold.pool, &hold.id, now);
        if usage.bytes.saturating_add(usage.held).saturating_add(hold.bytes) > quota {
            return Ok(Held::Full);
        }
        inner.holds.insert(hold.id.clone(), hold.clone());
        Ok(Held::Yes)
    }

    async fn release(&self, id: &str) -> Result<(), StoreError> {
        self.inner().holds.remove(id);
        Ok(())
    }

    async fn usage(&self, owner: UserId, pool: Pool, now: Timestamp) -> Result<Usage, StoreError> {
        Ok(self.inner().usage(owner, pool, "", now))
    }

    async fn add_file(&self, file: &FileRecord, hold: &str) -> Result<Added, StoreError> {
        let mut inner = self.inner();
        if inner.files.values().filter(|f| f.owner == file.owner).count() as u64 >= FILES_MAX {
            return Ok(Added::Full);
        }
        let name = of(file.owner, &file.name);
        if inner.files.contains_key(&name) {
            return Ok(Added::Taken);
        }
        inner.files.insert(name, file.clone());
        inner.holds.remove(hold);
        Ok(Added::Done)
    }

    async fn file(&self, owner: UserId, name: &str) -> Result<Option<FileRecord>, StoreError> {
        Ok(self.inner().files.get(&of(owner, name)).cloned())
    }

    async fn files(&self, owner: UserId) -> Result<Vec<FileRecord>, StoreError> {
        let mut files: Vec<_> = self.inner().files.values().filter(|f| f.owner == owner).cloned().collect();
        files.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.name.cmp(&b.name)));
        Ok(files)
    }

    async fn remove_file(&self, owner: UserId, name: &str) -> Result<Option<FileRecord>, StoreError> {
        Ok(self.inner().files.remove(&of(owner, name)))
    }

    async fn file_of(&self, owner: UserId, blob: &str) -> Result<Option<FileRecord>, StoreError> {
        Ok(self.inner().files.values().find(|f| f.owner == owner && f.blob == blob).cloned())
    }

    async fn uses(&self, blob: &str) -> Result<bool, StoreError> {
        let inner = self.inner();
        Ok(inner.uploads.contains_key(blob) || inner.files.values().any(|f| f.blob == blob))
    }

    async fn put_upload(&self, upload: &Upload) -> Result<Added, StoreError> {
        let mut inner = self.inner();
        let others = inner.uploads.values().filter(|u| u.owner == upload.owner && u.id != upload.id).count();
        if others as u64 >= UPLOADS_MAX {
            return Ok(Added::Full);
        }
        inner.uploads.insert(upload.id.clone(), upload.clone());
        Ok(Added::Done)
    }

    async fn upload(&self, owner: UserId, id: &str) -> Result<Option<Upload>, StoreError> {
        Ok(self.inner().uploads.get(id).filter(|u| u.owner == owner).cloned())
    }

    async fn remove_upload(&self, id: &str) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        inner.holds.remove(id);
        Ok(inner.uploads.remove(id).is_some())
    }

    async fn uploads_over(&self, now: Timestamp, limit: u32) -> Result<Vec<Upload>, StoreError> {
        let inner = self.inner();
        let mut over: Vec<_> = inner.uploads.values().filter(|u| u.until <= now).cloned().collect();
        over.sort_by_key(|u| u.until);
        over.truncate(limit as usize);
        Ok(over)
    }

    async fn forget_files(&self, owner: UserId) -> Result<Vec<String>, StoreError> {
        let mut inner = self.inner();
        let files = inner.files.extract_if(.., |_, file| file.owner == owner).map(|(_, file)| file.blob);
        let mut names: Vec<_> = files.collect();
        names.extend(inner.uploads.extract_if(.., |_, upload| upload.owner == owner).map(|(id, _)| id));
        inner.holds.retain(|_, hold| hold.owner != owner);
        Ok(names)
    }

    async fn owners(&self, after: UserId, limit: u32) -> Result<Vec<UserId>, StoreError> {
        let inner = self.inner();
        let mut owners: BTreeSet<_> = inner.documents.keys().map(|(owner, _)| *owner).collect();
        owners.extend(inner.files.keys().chain(inner.programs.keys()).map(|(owner, _)| *owner));
        owners.extend(inner.uploads.values().map(|upload| upload.owner));
        Ok(owners.into_iter().filter(|owner| *owner > after).take(limit as usize).collect())
    }
}

#[async_trait]
impl ProgramIndex for MemoryKept {
    async fn add_program(&self, program: &Program, files: &[ProgramFile], hold: &str) -> Result<Added, StoreError> {
        let mut inner = self.inner();
        if inner.programs.keys().filter(|(owner, _)| *owner == program.owner).count() as u64 >= PROGRAMS_MAX {
            return Ok(Added::Full);
        }
        let id = of(program.owner, &program.id);
        if inner.programs.contains_key(&id) {
            return Ok(Added::Taken);
        }
        let program = Program { executions: 0, last_executed: None, ..program.clone() };
        inner.programs.insert(id, Whole { program, files: files.to_vec(), runs: Vec::new() });
        inner.holds.remove(hold);
        Ok(Added::Done)
    }

    async fn program(&self, owner: UserId, id: &str) -> Result<Option<Program>, StoreError> {
        Ok(self.inner().programs.get(&of(owner, id)).map(|whole| whole.program.clone()))
    }

    async fn programs(&self, owner: UserId) -> Result<Vec<Program>, StoreError> {
        let inner = self.inner();
        let own = inner.programs.values().filter(|whole| whole.program.owner == owner);
        let mut programs: Vec<_> = own.map(|whole| whole.program.clone()).collect();
        programs.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        Ok(programs)
    }

    async fn program_files(&self, owner: UserId, id: &str) -> Result<Vec<ProgramFile>, StoreError> {
        Ok(self.inner().programs.get(&of(owner, id)).map(|whole| whole.files.clone()).unwrap_or_default())
    }

    async fn set_main(&self, owner: UserId, id: &str, path: &str, language: Language) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        let Some(whole) = inner.programs.get_mut(&of(owner, id)) else { return Ok(false) };
        whole.program.main_file = Some(path.to_owned());
        whole.program.language = language;
        Ok(true)
    }

    async fn remove_program(&self, owner: UserId, id: &str) -> Result<bool, StoreError> {
        Ok(self.inner().programs.remove(&of(owner, id)).is_some())
    }

    async fn count_run(&self, owner: UserId, id: &str, run: &Run) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        let Some(whole) = inner.programs.get_mut(&of(owner, id)) else { return Ok(false) };
        whole.program.executions += 1;
        whole.program.last_executed = Some(run.at);
        whole.runs.insert(0, run.clone());
        whole.runs.truncate(RUNS_MAX);
        Ok(true)
    }

    async fn runs(&self, owner: UserId, id: &str) -> Result<Vec<Run>, StoreError> {
        Ok(self.inner().programs.get(&of(owner, id)).map(|whole| whole.runs.clone()).unwrap_or_default())
    }

    async fn forget_programs(&self, owner: UserId) -> Result<Vec<String>, StoreError> {
        let mut inner = self.inner();
        Ok(inner.programs.extract_if(.., |(of, _), _| *of == owner).map(|((_, id), _)| id).collect())
    }

    async fn knows(&self, owner: UserId, id: &str) -> Result<bool, StoreError> {
        Ok(self.inner().programs.contains_key(&of(owner, id)))
    }
}
