//! Reading an outside web UI from its folder.

use std::path::Path;

use anyhow::{Context, Result, bail};
use orrery_api_localhost::Ui;

/// Most files, and most bytes of all of them.
const FILES_MAX: usize = 2_000;
const BYTES_MAX: u64 = 67_108_864;
/// Folders within folders.
const DEPTH_MAX: usize = 16;

/// All files below `folder` by their paths. Hidden ones and links are left out.
///
/// # Errors
/// When it cannot be read, or holds more than a UI does.
pub fn read(folder: &Path) -> Result<Ui> {
    let (mut files, mut bytes) = (Ui::new(), 0);
    walk(folder, "", 0, &mut files, &mut bytes).with_context(|| format!("ui.dir: {}", folder.display()))?;
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, depth: usize, files: &mut Ui, bytes: &mut u64) -> Result<()> {
    if depth > DEPTH_MAX {
        bail!("its folders are nested too deeply");
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (kind, path) = (entry.file_type()?, format!("{prefix}{name}"));
        if name.starts_with('.') || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), depth + 1, files, bytes)?;
        } else if kind.is_file() {
            *bytes += entry.metadata()?.len();
            if files.len() >= FILES_MAX || *bytes > BYTES_MAX {
                bail!("it holds more than {FILES_MAX} files or {BYTES_MAX} bytes");
            }
            files.insert(path, std::fs::read(entry.path())?.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        };
        ["index.html", "static/main.js", ".git/config", "static/.env"].into_iter().for_each(write);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("passwd")).unwrap();
        let files = read(folder.path()).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["index.html", "static/main.js"]);
        assert!(read(&folder.path().join("none")).is_err());
    }
}
