//! Forms with files (RFC 7578), read as they arrive: nothing is held but what has not been asked for yet.

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use memchr::memmem;
use orrery_kernel::{Error, ErrorCode};

/// Most parts of a form.
pub const PARTS_MAX: usize = 2_000;
/// Most bytes of a part's header.
const HEAD_BYTES_MAX: usize = 8_192;
/// Most bytes of a boundary (RFC 2046).
const BOUNDARY_BYTES_MAX: usize = 70;

/// A part's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name of the field.
    pub name: String,
    /// Name of the file, where it is one.
    pub filename: Option<String>,
}

/// A form on its way in.
pub struct Form {
    body: Body,
    buffer: BytesMut,
    /// With the line break and the dashes before it.
    delimiter: Vec<u8>,
    declared: Option<u64>,
    received: u64,
    parts: usize,
    state: State,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a delimiter: the preamble, or the content of a part.
    Content,
    /// After the last one.
    End,
}

fn malformed() -> Error {
    Error::new(ErrorCode::Invalid, "The form is malformed")
}

impl Form {
    /// The form of a request.
    ///
    /// # Errors
    /// When the request says that it is something else.
    pub fn new(headers: &HeaderMap, body: Body) -> Result<Self, Error> {
        let wrong = || Error::new(ErrorCode::Invalid, "No file provided: send a form (multipart/form-data)");
        let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).ok_or_else(wrong)?;
        let (essence, rest) = kind.split_once(';').ok_or_else(wrong)?;
        if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
            return Err(wrong());
        }
        let boundary = parameter(rest, "boundary").filter(|b| (1..=BOUNDARY_BYTES_MAX).contains(&b.len()));
        let boundary = boundary.ok_or_else(malformed)?;
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        Ok(Self {
            body,
            // the first delimiter needs no line break before it
            buffer: BytesMut::from(&b"\r\n"[..]),
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            declared,
            received: 0,
            parts: 0,
            state: State::Content,
            ended: false,
        })
    }

    /// Reads on. `false`: there is no more.
    async fn fill(&mut self) -> Result<bool, Error> {
        while !self.ended {
            match self.body.frame().await {
                None => self.ended = true,
                Some(Err(e)) => {
                    return Err(Error::new(ErrorCode::Invalid, "The request body could not be read").because(e));
                }
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref().filter(|bytes| !bytes.is_empty()) {
                        self.received += bytes.len() as u64;
                        self.buffer.extend_from_slice(bytes);
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// The next piece of the current part. `None`: that was all of it.
    ///
    /// # Errors
    /// When the form ends too early or cannot be read.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if self.state == State::End {
                return Ok(None);
            }
            if let Some(at) = memmem::find(&self.buffer, &self.delimiter) {
                return Ok(Some(self.buffer.split_to(at).freeze()).filter(|bytes| !bytes.is_empty()));
            }
            // a delimiter may begin in what is kept back
            let whole = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            if whole > 0 {
                return Ok(Some(self.buffer.split_to(whole).freeze()));
            }
            if !self.fill().await? {
                return Err(malformed());
            }
        }
    }

    /// The next part; what is left of the current one is skipped. `None`: that was the last.
    ///
    /// # Errors
    /// When the form is malformed, or has more than [`PARTS_MAX`] parts.
    pub async fn next(&mut self) -> Result<Option<Part>, Error> {
        while self.chunk().await?.is_some() {}
        if self.state == State::End {
            return Ok(None);
        }
        self.buffer.advance(self.delimiter.len());
        // two dashes end the form; spaces may fill the line
        loop {
            if self.buffer.starts_with(b"--") {
                self.state = State::End;
                return Ok(None);
            }
            if let Some(end) = memmem::find(&self.buffer, b"\r\n") {
                if end > HEAD_BYTES_MAX || !self.buffer.iter().take(end).all(|b| matches!(b, b' ' | b'\t')) {
                    return Err(malformed());
                }
                // the break stays: a part without a header begins with a second one at once
                self.buffer.advance(end);
                break;
            }
            if self.buffer.len() > HEAD_BYTES_MAX || !self.fill().await? {
                return Err(malformed());
            }
        }
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(Error::new(ErrorCode::TooLarge, "The form has too many parts"));
        }
        let head = self.head().await?;
        let text = std::str::from_utf8(&head).map_err(|_| malformed())?;
        disposition(text).ok_or_else(malformed).map(Some)
    }

    async fn head(&mut self) -> Result<BytesMut, Error> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                if end > HEAD_BYTES_MAX {
                    return Err(malformed());
                }
                let head = self.buffer.split_to(end);
                // an empty content has its delimiter's break right here
                self.buffer.advance(4);
                return Ok(head);
            }
            if self.buffer.len() > HEAD_BYTES_MAX || !self.fill().await? {
                return Err(malformed());
            }
        }
    }

    /// The current part as text of at most `max` bytes.
    ///
    /// # Errors
    /// When it is longer or no UTF-8.
    pub async fn text(&mut self, max: usize) -> Result<String, Error> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > max {
                return Err(Error::new(ErrorCode::Invalid, format!("A field is longer than {max} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes.to_vec()).map_err(|_| malformed())
    }

    /// How long the current part is, if it is the last and the client said how long the whole form is. Asked before
    /// its first piece.
    pub fn length_if_last(&self) -> Option<u64> {
        let left = self.declared?.checked_sub(self.received)? + self.buffer.len() as u64;
        // the last delimiter, two dashes and a line break
        left.checked_sub(self.delimiter.len() as u64 + 4)
    }
}

/// A parameter of a header's value, quoted or not.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        let (key, after) = rest.split_once('=')?;
        let (value, next) = value(after)?;
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
}

/// A token, or a text in quotes where only a quote is escaped: paths of some systems are full of backslashes.
fn value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return Some((token.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                chars.next();
            }
            c => value.push(c),
        }
    }
    None
}

/// Name and file name of a part's `Content-Disposition`.
fn disposition(head: &str) -> Option<Part> {
    let fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, text) = fields.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))?;
    let (kind, parameters) = text.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    // browsers escape quotes and line breaks in this way, and nothing else
    let unescaped = |text: String| text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
    let name = unescaped(parameter(parameters, "name")?);
    Some(Part { name, filename: parameter(parameters, "filename").map(unescaped) })
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const KIND: &str = "multipart/form-data; boundary=\"--X\"";

    fn form(pieces: Vec<Vec<u8>>) -> Form {
        let length: usize = pieces.iter().map(Vec::len).sum();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, KIND.parse().unwrap());
        headers.insert(header::CONTENT_LENGTH, length.into());
        let pieces = pieces.into_iter().map(|p| Ok::<_, std::io::Error>(Bytes::from(p)));
        Form::new(&headers, Body::from_stream(stream::iter(pieces))).unwrap()
    }

    type Read = Vec<(String, Option<String>, Vec<u8>)>;

    async fn all(mut form: Form) -> Result<Read, Error> {
        let mut read = Vec::new();
        while let Some(part) = form.next().await? {
            let mut bytes = Vec::new();
            while let Some(chunk) = form.chunk().await? {
                bytes.extend_from_slice(&chunk);
            }
            read.push((part.name, part.filename, bytes));
        }
        Ok(read)
    }

    fn sample() -> Vec<u8> {
        let content = b"a\r\n----\r\n--\r\n----Y\0\xff";
        [
            b"preamble\r\n----X\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhello\r\n----X \r\n".as_slice(),
            b"Content-Type: x/y\r\ncontent-disposition: form-data; filename=\"C:\\a \\\"b%22; x.txt\"; name=file\r\n\r\n",
            content,
            b"\r\n----X\r\nContent-Disposition: form-data; name=\"empty\"; filename=\"\"\r\n\r\n\r\n----X--\r\n",
        ]
        .concat()
    }

    fn expected() -> Read {
        vec![
            ("text".into(), None, b"hello".to_vec()),
            ("file".into(), Some("C:\\a \"b\"; x.txt".into()), b"a\r\n----\r\n--\r\n----Y\0\xff".to_vec()),
            ("empty".into(), Some(String::new()), Vec::new()),
        ]
    }

    #[tokio::test]
    async fn however_it_is_cut() {
        for size in [1, 2, 3, 7, 50, 10_000] {
            let pieces = sample().chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(all(form(pieces)).await.unwrap(), expected(), "pieces of {size}");
        }
    }

    #[tokio::test]
    async fn cut_short_anywhere_it_is_refused() {
        let whole = sample();
        for end in 0..whole.len() - 4 {
            assert!(all(form(vec![whole[..end].to_vec()])).await.is_err(), "{end}");
        }
    }

    #[tokio::test]
    async fn the_length_of_the_last_part_is_known() {
        let head = b"----X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".to_vec();
        let whole = [head, vec![7; 1_000], b"\r\n----X--\r\n".to_vec()].concat();
        for size in [1, 64, 100, 5_000] {
            let mut form = form(whole.chunks(size).map(<[u8]>::to_vec).collect());
            form.next().await.unwrap();
            assert_eq!(form.length_if_last(), Some(1_000));
        }
    }

    #[tokio::test]
    async fn bounds() {
        let many = "----X\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(PARTS_MAX + 1);
        let refused = all(form(vec![many.into_bytes()])).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::TooLarge);
        let long = format!("----X\r\nContent-Disposition: form-data; name=a\r\nX: {}\r\n\r\n", "x".repeat(10_000));
        assert!(all(form(vec![long.into_bytes()])).await.is_err());
        let mut fields = form(vec![sample()]);
        fields.next().await.unwrap();
        assert!(fields.text(4).await.is_err());
        for kind in ["", "application/json", "multipart/form-data", "multipart/form-data; boundary="] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            assert!(Form::new(&headers, Body::empty()).is_err(), "{kind}");
        }
    }
}
