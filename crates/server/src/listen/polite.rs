//! Answers to what cannot be read.
//!
//! The HTTP library itself answers bytes that are no request, or a head beyond its own bounds, with a
//! bare status line. Such an answer is known by the request id that it lacks, and is replaced by one
//! in the surface's shape.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::StatusCode;
use orrery_http_kit::layers::Edge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest bare answer; the library's have a status line, a length and a date.
const BARE_BYTES_MAX: usize = 256;

pub(super) struct Polite<I> {
    io: I,
    edge: Edge,
    peer: IpAddr,
    /// What is written in place of a bare answer, and how much of it is out.
    instead: Option<(Vec<u8>, usize)>,
}

impl<I> Polite<I> {
    pub(super) fn new(io: I, edge: Edge, peer: IpAddr) -> Self {
        Self { io, edge, peer, instead: None }
    }

    fn replacement(&self, status: StatusCode) -> Vec<u8> {
        let (parts, body) = self.edge.unreadable(status, self.peer);
        let mut bytes =
            format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or_default()).into_bytes();
        for (name, value) in &parts.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
        bytes
    }
}

/// The status of a bare refusal by the library.
fn bare(bytes: &[u8]) -> Option<StatusCode> {
    if bytes.len() > BARE_BYTES_MAX || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let status = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "))?.get(..3)?;
    let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
    (status.is_client_error() && !text.contains("x-request-id")).then_some(status)
}

impl<I: AsyncWrite + Unpin> Polite<I> {
    /// Writes what stands in for `len` bytes of a bare answer.
    fn write_instead(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<io::Result<usize>> {
        while let Some((bytes, out)) = &mut self.instead {
            let rest = bytes.get(*out..).unwrap_or_default();
            if rest.is_empty() {
                self.instead = None;
                break;
            }
            match Pin::new(&mut self.io).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => *out += n,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(len))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Polite<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.instead.is_none() {
            match bare(buf) {
                Some(status) => this.instead = Some((this.replacement(status), 0)),
                None => return Pin::new(&mut this.io).poll_write(cx, buf),
            }
        }
        this.write_instead(cx, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = bufs.iter().filter(|b| !b.is_empty());
        match (filled.next(), filled.next()) {
            (Some(only), None) => self.poll_write(cx, only),
            _ => Pin::new(&mut self.io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Polite<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_librarys_own_refusals_are_bare() {
        let bare = |text: &str| bare(text.as_bytes()).map(|s| s.as_u16());
        assert_eq!(bare("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"), Some(400));
        assert_eq!(bare("HTTP/1.1 431 X\r\nconnection: close\r\n\r\n"), Some(431));
        assert_eq!(bare("HTTP/1.1 404 Not Found\r\nx-request-id: a\r\ncontent-length: 0\r\n\r\n"), None);
        assert_eq!(bare("HTTP/1.1 100 Continue\r\n\r\n"), None);
        assert_eq!(bare("HTTP/1.1 204 No Content\r\n\r\n"), None);
        assert_eq!(bare("{\"error\":\"HTTP/1.1 400\"}"), None);
    }
}
