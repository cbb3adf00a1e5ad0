//! Checksums that a client sends along, against accidents on the way; they prove nothing about who sent them.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::same;

#[derive(Clone, Debug)]
enum Running {
    Sha1(Sha1),
    Sha256(Sha256),
}

/// A checksum that is awaited, and what has come so far.
#[derive(Clone, Debug)]
pub struct Checksum {
    running: Running,
    expected: Vec<u8>,
}

impl Checksum {
    /// The algorithms, by the names that protocols have for them.
    pub const ALGORITHMS: [&str; 2] = ["sha1", "sha256"];

    /// `expected` by that algorithm; nothing has come yet. `None` for another algorithm, or when it is not as long as
    /// one of the algorithm's.
    pub fn awaited(algorithm: &str, expected: Vec<u8>) -> Option<Self> {
        let (running, length) = match algorithm {
            "sha1" => (Running::Sha1(Sha1::new()), 20),
            "sha256" => (Running::Sha256(Sha256::new()), 32),
            _ => return None,
        };
        (expected.len() == length).then_some(Self { running, expected })
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.running {
            Running::Sha1(hash) => hash.update(bytes),
            Running::Sha256(hash) => hash.update(bytes),
        }
    }

    /// Is what came what was meant?
    pub fn holds(self) -> bool {
        match self.running {
            Running::Sha1(hash) => same(hash.finalize().as_slice(), &self.expected),
            Running::Sha256(hash) => same(hash.finalize().as_slice(), &self.expected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_known_texts() {
        let abc = [
            ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ];
        assert_eq!(abc.map(|(name, _)| name), Checksum::ALGORITHMS);
        for (name, sum) in abc {
            let awaited = || Checksum::awaited(name, hex::decode(sum).unwrap()).unwrap();
            let mut parts = awaited();
            parts.update(b"a");
            parts.update(b"bc");
            assert!(parts.holds(), "{name}");
            let mut other = awaited();
            other.update(b"abd");
            assert!(!other.holds(), "{name}");
        }
        assert!(Checksum::awaited("md5", vec![0; 16]).is_none());
        assert!(Checksum::awaited("sha1", vec![0; 32]).is_none());
    }
}
