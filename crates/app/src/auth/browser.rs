//! What browsers hold: the name of a session that goes into a cookie, and the token against forged requests.
//!
//! Neither is stored. A session's public id stands in tokens; the name adds a code that only this server can make, so
//! that who reads ids (in a database, in a list) cannot use them.

use std::fmt::Write;

use orrery_crypto::{hmac_sha256, same, token_bits};
use orrery_identity::{Caller, SessionId};
use orrery_kernel::{Entropy, Error, ErrorCode, Result, Secret, Timestamp};

use super::Auth;

/// Bytes of an id, and of a code.
const HALF: usize = 16;

/// What a cookie names, and a token against forged requests is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// A login.
    Session(SessionId),
    /// Nobody: a browser that has not logged in.
    Guest([u8; HALF]),
}

impl Anchor {
    fn id(&self) -> Option<[u8; HALF]> {
        match self {
            Self::Guest(id) => Some(*id),
            Self::Session(id) => bytes(id.as_str().as_bytes()),
        }
    }

    fn kind(&self) -> &'static [u8] {
        match self {
            Self::Session(_) => b"session",
            Self::Guest(_) => b"guest",
        }
    }
}

/// The keys of both.
pub(super) struct Keys {
    names: [u8; 32],
    tokens: [u8; 32],
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

/// `HALF` bytes of as many pairs of small hex digits.
fn bytes(digits: &[u8]) -> Option<[u8; HALF]> {
    let plain = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let text = std::str::from_utf8(digits).ok().filter(|t| t.len() == 2 * HALF && digits.iter().all(plain))?;
    let mut out = [0; HALF];
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(out)
}

fn code(key: &[u8; 32], kind: &[u8], id: &[u8]) -> [u8; HALF] {
    let whole = hmac_sha256(key, &[kind, b" ", id]);
    let mut half = [0; HALF];
    half.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    half
}

impl Keys {
    pub(super) fn new(secret: &[u8]) -> Self {
        let key = |label: &[u8]| orrery_crypto::sha256(&[label, secret].concat());
        Self { names: key(b"orrery session name "), tokens: key(b"orrery csrf ") }
    }

    pub(super) fn text(&self, anchor: &Anchor) -> Secret<String> {
        let id = anchor.id().unwrap_or_default();
        Secret::new(format!("{}{}", hex(&id), hex(&code(&self.names, anchor.kind(), &id))))
    }

    fn read(&self, text: &str) -> Option<Anchor> {
        let (id, given) = text.as_bytes().split_at_checked(2 * HALF)?;
        let (digits, given) = (std::str::from_utf8(id).ok()?, bytes(given)?);
        let id = bytes(id)?;
        let found = [SessionId::parse(digits).map(Anchor::Session), Some(Anchor::Guest(id))];
        found.into_iter().flatten().find(|anchor| same(&code(&self.names, anchor.kind(), &id), &given))
    }

    fn token(&self, anchor: &Anchor) -> String {
        let id = anchor.id().unwrap_or_default();
        let mut bits = [0; 2 * HALF];
        bits.iter_mut()
            .zip(id.into_iter().chain(code(&self.tokens, anchor.kind(), &id)))
            .for_each(|(to, from)| *to = from);
        orrery_crypto::token(bits)
    }

    fn is_token(&self, token: &str, anchor: Option<&Anchor>) -> bool {
        let Some(bits) = token_bits(token) else { return false };
        let Some((id, given)) = bits.split_first_chunk::<HALF>() else { return false };
        let guest = Anchor::Guest(*id);
        let anchor = anchor.unwrap_or(&guest);
        let bound = anchor.id().is_some_and(|own| same(&own, id));
        bound && same(&code(&self.tokens, anchor.kind(), id), given)
    }
}

impl Auth {
    /// An anchor for a browser that has not logged in.
    pub fn new_guest(&self) -> Anchor {
        let mut id = [0; HALF];
        Entropy::fill(&*self.entropy, &mut id);
        Anchor::Guest(id)
    }

    /// What a cookie or `X-Session-ID` holds of it: 64 hex digits.
    pub fn session_name(&self, anchor: &Anchor) -> Secret<String> {
        self.browser.text(anchor)
    }

    /// The inverse; `None` for what this server did not make.
    pub fn read_session_name(&self, text: &str) -> Option<Anchor> {
        self.browser.read(text)
    }

    /// Who a session's name stands for at `now`.
    ///
    /// # Errors
    /// `UnauthenticatedInvalid`, `UnauthenticatedExpired`.
    pub async fn authenticate_name(&self, text: &str, now: Timestamp) -> Result<Caller> {
        match self.browser.read(text) {
            Some(Anchor::Session(id)) => self.authenticate_session(&id, now).await,
            _ => Err(Error::new(ErrorCode::UnauthenticatedInvalid, "Invalid or expired session")),
        }
    }

    /// The token that a page sends along in `X-CSRF-Token`: 43 characters.
    pub fn csrf_token(&self, anchor: &Anchor) -> String {
        self.browser.token(anchor)
    }

    /// Is it the token of `anchor`? Without one: of any browser that has not logged in.
    pub fn is_csrf_token(&self, token: &str, anchor: Option<&Anchor>) -> bool {
        self.browser.is_token(token, anchor)
    }

    /// The operator at the machine itself, where the configuration allows that.
    pub fn local_operator(&self) -> Option<Caller> {
        self.settings.local_operator.then(Caller::local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tokens_are_bound_to_what_they_are_of() {
        let keys = Keys::new(b"a secret of thirty-two bytes, at least");
        let session = Anchor::Session(SessionId::from_bits([7; HALF]));
        let guest = Anchor::Guest([7; HALF]);
        for anchor in [&session, &guest] {
            let text = keys.text(anchor);
            assert_eq!(text.expose().len(), 64);
            assert_eq!(keys.read(text.expose()).as_ref(), Some(anchor));
            assert_eq!(keys.token(anchor).len(), 43);
            assert!(keys.is_token(&keys.token(anchor), Some(anchor)));
        }
        assert!(keys.is_token(&keys.token(&guest), None));
        for (token, anchor) in [
            (keys.token(&session), None),
            (keys.token(&session), Some(&guest)),
            (keys.token(&guest), Some(&session)),
            (keys.token(&Anchor::Guest([8; HALF])), Some(&guest)),
            (String::new(), None),
            ("A".repeat(43), None),
        ] {
            assert!(!keys.is_token(&token, anchor), "{token} {anchor:?}");
        }
        let other = Keys::new(b"another secret of thirty-two bytes");
        assert!(other.read(keys.text(&session).expose()).is_none());
        assert!(!other.is_token(&keys.token(&guest), None));
        let loud = format!("A{}", keys.text(&session).expose().to_uppercase());
        for text in ["", "07", &"0".repeat(64), &"é".repeat(32), loud.split_at(1).1, &loud] {
            assert_eq!(keys.read(text), None, "{text}");
        }
    }
}
