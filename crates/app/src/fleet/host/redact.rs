//! Secrets that a script was seen to use stand in none of its lines.

use std::sync::{Mutex, PoisonError};

/// Secrets of one run; of more the first are hidden.
const SECRETS_MAX: usize = 64;
/// Shorter ones are words that a text may have by chance.
const LENGTH_MIN: usize = 8;
const HIDDEN: &str = "********";

/// What a run's lines do not show.
#[derive(Default)]
pub(super) struct Secrets(Mutex<Vec<String>>);

impl Secrets {
    /// Hides it from now on.
    pub(super) fn hide(&self, secret: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() >= LENGTH_MIN && all.len() < SECRETS_MAX && !all.iter().any(|known| known == secret) {
            all.push(secret.to_owned());
            // what holds another is hidden first
            all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// The text without them.
    pub(super) fn hidden(&self, text: &str) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for secret in all.iter() {
            if text.contains(secret) {
                text = text.replace(secret, HIDDEN);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_hidden() {
        let secrets = Secrets::default();
        secrets.hide("a-long-key");
        secrets.hide("a-long-key-of-more");
        secrets.hide("short");
        assert_eq!(secrets.hidden("a-long-key a-long-key-of-more short"), "******** ******** short");
    }
}
