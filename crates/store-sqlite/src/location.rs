//! Where a database is.

use std::path::PathBuf;

use crate::error::OpenError;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// In this process, gone with it.
    Memory,
    /// In a file.
    File(PathBuf),
}

impl Location {
    /// `sqlite://PATH`, `sqlite:PATH`, `sqlite::memory:`, or a plain path. Paths are taken as they are:
    /// no percent signs are decoded, and URL parameters are refused rather than ignored.
    pub(crate) fn parse(text: &str) -> Result<Self, OpenError> {
        let bad = || OpenError::Location(text.to_owned());
        let path = match text.strip_prefix("sqlite:") {
            Some(rest) => {
                let rest = rest.strip_prefix("//").unwrap_or(rest);
                if rest.contains('?') {
                    return Err(bad());
                }
                rest
            }
            None if text.contains("://") => return Err(bad()),
            None => text,
        };
        match path {
            "" => Err(bad()),
            ":memory:" => Ok(Self::Memory),
            path if path.contains('\0') => Err(bad()),
            path => Ok(Self::File(path.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Location;

    #[test]
    fn locations() {
        let file = |p: &str| Some(Location::File(p.into()));
        for (text, want) in [
            ("sqlite:///var/lib/orrery.db", file("/var/lib/orrery.db")),
            ("sqlite://orrery.db", file("orrery.db")),
            ("sqlite:data/orrery.db", file("data/orrery.db")),
            ("/var/lib/orrery.db", file("/var/lib/orrery.db")),
            ("odd?name.db", file("odd?name.db")),
            ("sqlite::memory:", Some(Location::Memory)),
            ("sqlite://:memory:", Some(Location::Memory)),
            ("", None),
            ("sqlite://", None),
            ("sqlite://a.db?mode=ro", None),
            ("postgres://localhost/a", None),
        ] {
            assert_eq!(Location::parse(text).ok(), want, "{text}");
        }
    }
}
