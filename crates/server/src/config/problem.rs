//! What is wrong with a configuration, told so that it can be put right at once.

use std::fmt;

use super::print::redact;

/// One thing wrong: a key, its value, where that is from, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    at: Option<At>,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct At {
    key: String,
    value: String,
    origin: String,
}

impl Problem {
    /// Concerns no single value.
    pub fn general(message: impl Into<String>) -> Self {
        Self { at: None, message: message.into() }
    }

    /// Concerns the value of a key; secrets are redacted here.
    pub fn at(key: &str, shown: &str, origin: &str, message: impl Into<String>) -> Self {
        let at = At { key: key.into(), value: redact(key, shown), origin: origin.into() };
        Self { at: Some(at), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{} = {} ({}): {}", at.key, at.value, at.origin, self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Everything that is wrong; nothing was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.0.iter().try_for_each(|p| write!(f, "\n  {p}"))
    }
}

impl std::error::Error for ConfigError {}
