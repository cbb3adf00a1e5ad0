//! A store of bundles in a folder that the operator fills: `modules.json` names each file and its digest.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orrery_workers::script::{Bundle, Modules};
use serde::Deserialize;

/// Name of the list.
const LIST: &str = "modules.json";
/// Largest bundle, bytes.
const BUNDLE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// A bundle of the list.
#[derive(Deserialize)]
struct Listed {
    file: String,
    sha256: String,
}

/// Bundles of a folder, read once.
#[derive(Debug)]
pub struct Folder(HashMap<String, Bundle>);

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The list.
    #[error("{LIST}: {0}")]
    List(serde_json::Error),
    /// A file that is outside of the folder or too large.
    #[error("{0} is no bundle: it has to be a file of the folder itself, of at most 4 MiB")]
    File(String),
}

impl Folder {
    /// Reads `modules.json` (`{name: {file, sha256}}`) and the files it names.
    ///
    /// Errors: those of the files; a digest that differs is found when a script asks for the bundle.
    pub fn read(folder: &Path) -> Result<Self, FolderError> {
        let list = folder.join(LIST);
        let text = std::fs::read_to_string(&list).map_err(|error| FolderError::Io { path: list, error })?;
        let listed: HashMap<String, Listed> = serde_json::from_str(&text).map_err(FolderError::List)?;
        let bundle = |(name, listed): (String, Listed)| {
            let path = folder.join(&listed.file);
            let plain = Path::new(&listed.file).file_name().is_some_and(|file| file == listed.file.as_str());
            let io = |error| FolderError::Io { path: path.clone(), error };
            if !plain || std::fs::metadata(&path).map_err(io)?.len() > BUNDLE_BYTES_MAX {
                return Err(FolderError::File(listed.file));
            }
            let text: Arc<str> = std::fs::read_to_string(&path).map_err(io)?.into();
            Ok((name, Bundle { text, sha256: listed.sha256 }))
        };
        listed.into_iter().map(bundle).collect::<Result<_, _>>().map(Self)
    }
}

impl Modules for Folder {
    fn find(&self, name: &str) -> Option<Bundle> {
        self.0.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_those_of_the_list() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.js"), "export default 1").unwrap();
        let list = r#"{"a": {"file": "a.js", "sha256": "00"}}"#;
        std::fs::write(folder.path().join(LIST), list).unwrap();
        let bundles = Folder::read(folder.path()).unwrap();
        assert_eq!(&*bundles.find("a").unwrap().text, "export default 1");
        assert_eq!(bundles.find("b"), None);
        std::fs::write(folder.path().join(LIST), list.replace("a.js", "../a.js")).unwrap();
        assert!(matches!(Folder::read(folder.path()), Err(FolderError::File(_))));
    }
}
