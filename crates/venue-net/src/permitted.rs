//! A request's body that is given out only while there is a permit for it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use orrery_venues::Permit;

/// The permit had ended when the connection asked for the body: the request is not whole, and no exchange takes it.
#[derive(Debug, thiserror::Error)]
#[error("the right to send it has ended")]
pub(crate) struct Withheld;

impl Withheld {
    /// Is it what this error comes from?
    pub(crate) fn caused(error: &(dyn std::error::Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<Self>)
    }
}

/// The connection asks for it when it writes the request: after a name was looked up, a connection made and TLS agreed
/// upon, each of which may have been waited for.
pub(crate) struct Permitted {
    body: Option<Bytes>,
    permit: Permit,
}

impl Permitted {
    pub(crate) fn new(body: String, permit: Permit) -> Self {
        Self { body: Some(Bytes::from(body)).filter(|body| !body.is_empty()), permit }
    }
}

impl Body for Permitted {
    type Data = Bytes;
    type Error = Withheld;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Withheld>>> {
        let Some(body) = self.body.take() else { return Poll::Ready(None) };
        Poll::Ready(Some(if self.permit.holds() { Ok(Frame::data(body)) } else { Err(Withheld) }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| u64::try_from(body.len()).unwrap_or(u64::MAX)))
    }
}
