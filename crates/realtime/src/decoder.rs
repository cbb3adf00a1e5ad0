//! Frames of a client (RFC 6455 §5): unmasked to messages, in order, within a bound.

use bytes::Bytes;

use crate::frame::CONTROL_BYTES_MAX;

/// A message or a control frame of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// To be answered with a pong of the same payload.
    Ping(Bytes),
    /// An answer to a ping.
    Pong(Bytes),
    /// The client closes.
    Close(Option<Close>),
}

/// Why a client closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// RFC 6455 §7.4.
    pub code: u16,
    /// Words.
    pub reason: String,
}

/// The client does not speak the protocol, or says too much; the connection ends with [`FrameError::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Against RFC 6455.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// A text that is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
    /// A message beyond the bound.
    #[error("message too large")]
    TooLarge,
}

impl FrameError {
    /// The close code (RFC 6455 §7.4.1).
    pub fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::Utf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

/// Keeps no more than one unfinished message and one unfinished frame of it: twice `message_bytes_max`
/// and a read at most, and nothing while the client is silent.
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    /// What was fed and not understood yet.
    buffer: Vec<u8>,
    /// What of `buffer` is used up.
    used: usize,
    /// The fragments so far, and whether they are text.
    message: Option<(bool, Vec<u8>)>,
}

struct Header {
    last: bool,
    opcode: u8,
    mask: [u8; 4],
    start: usize,
    len: usize,
}

impl Decoder {
    /// Refuses messages of more than `message_bytes_max` bytes, before they are buffered.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, buffer: Vec::new(), used: 0, message: None }
    }

    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message of what was fed; `None`: feed more.
    ///
    /// # Errors
    /// The connection must end; nothing after it means anything.
    pub fn next_message(&mut self) -> Result<Option<Message>, FrameError> {
        loop {
            let Some(header) = self.header()? else {
                self.compact();
                return Ok(None);
            };
            let end = header.start + header.len;
            if self.buffer.len() < end {
                self.compact();
                return Ok(None);
            }
            let payload = self.buffer.get_mut(header.start..end).unwrap_or_default();
            for (byte, mask) in payload.iter_mut().zip(header.mask.iter().cycle()) {
                *byte ^= mask;
            }
            self.used = end;
            let payload = self.buffer.get(header.start..end).unwrap_or_default();
            match header.opcode {
                0x8 => return close(payload).map(Some),
                0x9 => return Ok(Some(Message::Ping(Bytes::copy_from_slice(payload)))),
                0xa => return Ok(Some(Message::Pong(Bytes::copy_from_slice(payload)))),
                0x0 => match &mut self.message {
                    Some((_, message)) => message.extend_from_slice(payload),
                    None => return Err(FrameError::Protocol("a continuation of nothing")),
                },
                opcode => self.message = Some((opcode == 0x1, payload.to_vec())),
            }
            if header.last
                && let Some((text, message)) = self.message.take()
            {
                return match text {
                    true => String::from_utf8(message).map(Message::Text).map(Some).map_err(|_| FrameError::Utf8),
                    false => Ok(Some(Message::Binary(message))),
                };
            }
        }
    }

    /// The next frame's header, checked; `None`: not all of it is there.
    fn header(&self) -> Result<Option<Header>, FrameError> {
        let rest = self.buffer.get(self.used..).unwrap_or_default();
        let [first, second, more @ ..] = rest else { return Ok(None) };
        let (last, opcode, short) = (first & 0x80 != 0, first & 0x0f, usize::from(second & 0x7f));
        if first & 0x70 != 0 {
            return Err(FrameError::Protocol("a reserved bit is set"));
        }
        if second & 0x80 == 0 {
            return Err(FrameError::Protocol("a client's frame is not masked"));
        }
        let control = opcode >= 0x8;
        match opcode {
            0x0 if self.message.is_none() => return Err(FrameError::Protocol("a continuation of nothing")),
            0x1 | 0x2 if self.message.is_some() => return Err(FrameError::Protocol("a message within a message")),
            0x0..=0x2 => {}
            0x8..=0xa if last && short <= CONTROL_BYTES_MAX => {}
            0x8..=0xa => return Err(FrameError::Protocol("a control frame in parts or too long")),
            _ => return Err(FrameError::Protocol("an unknown opcode")),
        }
        let (len, size) = match (short, more) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 2),
            (127, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 8),
            (126 | 127, _) => return Ok(None),
            (n, _) => (n as u64, 0),
        };
        let so_far = self.message.as_ref().map_or(0, |(_, message)| message.len());
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if !control && len > self.message_bytes_max.saturating_sub(so_far) {
            return Err(FrameError::TooLarge);
        }
        let Some([a, b, c, d]) = more.get(size..size + 4) else { return Ok(None) };
        Ok(Some(Header { last, opcode, mask: [*a, *b, *c, *d], start: self.used + 2 + size + 4, len }))
    }

    /// Forgets what is used up; frees the memory when nothing is left.
    fn compact(&mut self) {
        if self.used == self.buffer.len() {
            self.buffer = Vec::new();
        } else if self.used > 0 {
            self.buffer.drain(..self.used);
        }
        self.used = 0;
    }
}

fn close(payload: &[u8]) -> Result<Message, FrameError> {
    match payload {
        [] => Ok(Message::Close(None)),
        [_] => Err(FrameError::Protocol("a close code of one byte")),
        [a, b, reason @ ..] => {
            let code = u16::from_be_bytes([*a, *b]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(FrameError::Protocol("a close code that must not be sent"));
            }
            let reason = std::str::from_utf8(reason).map_err(|_| FrameError::Utf8)?.to_owned();
            Ok(Message::Close(Some(Close { code, reason })))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client's frame.
    fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            n @ 0..=125 => out.push(0x80 | n as u8),
            n @ 126..=65_535 => {
                out.push(0x80 | 126);
                out.extend((n as u16).to_be_bytes());
            }
            n => {
                out.push(0x80 | 127);
                out.extend((n as u64).to_be_bytes());
            }
        }
        out.extend(mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        out
    }

    fn all(bytes: &[u8], step: usize) -> Result<Vec<Message>, FrameError> {
        let mut decoder = Decoder::new(70_000);
        let mut messages = Vec::new();
        for chunk in bytes.chunks(step) {
            decoder.feed(chunk);
            while let Some(message) = decoder.next_message()? {
                messages.push(message);
            }
        }
        assert!(decoder.message.is_some() || decoder.used == 0);
        Ok(messages)
    }

    #[test]
    fn fragments_with_a_ping_between_them() {
        let mask = [1, 2, 3, 4];
        let bytes = [
            masked(0x01, "grü".as_bytes(), mask),
            masked(0x89, b"p", mask),
            masked(0x80, b"n", mask),
            masked(0x88, &[&4008_u16.to_be_bytes()[..], b"x"].concat(), mask),
        ]
        .concat();
        for step in 1..bytes.len() {
            assert_eq!(
                all(&bytes, step).unwrap(),
                [
                    Message::Ping(Bytes::from_static(b"p")),
                    Message::Text("grün".into()),
                    Message::Close(Some(Close { code: 4008, reason: "x".into() })),
                ]
            );
        }
    }

    #[test]
    fn what_the_standard_forbids() {
        let mask = [9, 9, 9, 9];
        let protocol = |bytes: &[u8]| matches!(all(bytes, 1), Err(FrameError::Protocol(_)));
        assert!(protocol(&[0x81, 0x01, b'x']), "unmasked");
        assert!(protocol(&masked(0xc1, b"x", mask)), "reserved bit");
        assert!(protocol(&masked(0x83, b"x", mask)), "opcode");
        assert!(protocol(&masked(0x80, b"x", mask)), "continuation");
        assert!(protocol(&masked(0x09, b"x", mask)), "ping in parts");
        assert!(protocol(&masked(0x89, &[0; 126], mask)), "long ping");
        assert!(protocol(&[masked(0x01, b"x", mask), masked(0x81, b"y", mask)].concat()), "nested");
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert!(protocol(&masked(0x88, &code.to_be_bytes(), mask)), "{code}");
        }
        assert!(protocol(&masked(0x88, &[3], mask)));
        assert_eq!(all(&masked(0x81, &[0xff], mask), 1), Err(FrameError::Utf8));
        assert_eq!(all(&masked(0x81, &[b'x'; 70_001], mask), 4_096), Err(FrameError::TooLarge));
        let parts = [masked(0x01, &[b'x'; 70_000], mask), masked(0x80, b"x", mask)].concat();
        assert_eq!(all(&parts, 4_096), Err(FrameError::TooLarge));
        // refused by its header, before any of it is there
        let mut decoder = Decoder::new(10);
        decoder.feed(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(decoder.next_message(), Err(FrameError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_was_sent_is_read(
            messages in proptest::collection::vec((any::<bool>(), ".{0,200}", any::<[u8; 4]>(), 1_usize..50), 0..8),
            step in 1_usize..300,
        ) {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for (text, content, mask, part) in messages {
                let opcode = if text { 1 } else { 2 };
                let chunks: Vec<&[u8]> = content.as_bytes().chunks(part).collect();
                let chunks = if chunks.is_empty() { vec![&b""[..]] } else { chunks };
                for (i, chunk) in chunks.iter().enumerate() {
                    let last = if i + 1 == chunks.len() { 0x80 } else { 0 };
                    bytes.extend(masked(last | if i == 0 { opcode } else { 0 }, chunk, mask));
                }
                expected.push(if text { Message::Text(content) } else { Message::Binary(content.into_bytes()) });
            }
            prop_assert_eq!(all(&bytes, step).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..600), step in 1_usize..64) {
            // an error or messages, never a panic, and the same however the bytes come
            prop_assert_eq!(all(&bytes, step), all(&bytes, 600));
        }
    }
}
