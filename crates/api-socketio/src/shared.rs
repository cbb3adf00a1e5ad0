//! What all sockets are told the same: written once for each change, however many there are.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// The newest state and its JSON. One, so that a socket that is slow gets the newest and nothing queues.
pub(crate) struct Shared<T>(Mutex<Option<(Arc<T>, Arc<RawValue>)>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Shared<T> {
    /// The JSON of `state`, which `render` shows; the same memory for everybody who asks for the same state.
    pub(crate) fn json<S: Serialize>(
        &self,
        state: &Arc<T>,
        render: impl FnOnce(&T) -> S,
    ) -> serde_json::Result<Arc<RawValue>> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, json)) = newest.as_ref().filter(|(known, _)| Arc::ptr_eq(known, state)) {
            return Ok(json.clone());
        }
        let json: Arc<RawValue> = to_raw_value(&render(state))?.into();
        *newest = Some((state.clone(), json.clone()));
        Ok(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_written_once_for_all() {
        let (shared, first, second) = (Shared::default(), Arc::new(1), Arc::new(2));
        let mut written = 0;
        let mut json = |state: &Arc<i32>| {
            let render = |n: &i32| {
                written += 1;
                [*n, written]
            };
            shared.json(state, render).unwrap()
        };
        let one = json(&first);
        assert!(Arc::ptr_eq(&one, &json(&first)), "a second socket gets the same");
        assert_eq!((one.get(), json(&second).get()), ("[1,1]", "[2,2]"));
    }
}
