//! WebSocket frames of a server (RFC 6455 §5.2): unmasked, so that one frame serves every client.

use bytes::{BufMut, Bytes, BytesMut};

/// Most bytes of a control frame's payload (RFC 6455 §5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// Most bytes of a close frame's reason.
pub const REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

const FINAL: u8 = 0x80;

/// A whole text message, header included.
pub fn text(payload: &[u8]) -> Bytes {
    whole(0x1, payload)
}

/// A whole binary message, header included.
pub fn binary(payload: &[u8]) -> Bytes {
    whole(0x2, payload)
}

/// A ping; more than [`CONTROL_BYTES_MAX`] bytes are cut.
pub fn ping(payload: &[u8]) -> Bytes {
    whole(0x9, &payload[..payload.len().min(CONTROL_BYTES_MAX)])
}

/// The answer to a ping; more than [`CONTROL_BYTES_MAX`] bytes are cut.
pub fn pong(payload: &[u8]) -> Bytes {
    whole(0xa, &payload[..payload.len().min(CONTROL_BYTES_MAX)])
}

/// The last frame. A reason beyond [`REASON_BYTES_MAX`] is cut at a character.
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut payload = BytesMut::with_capacity(2 + reason.len().min(REASON_BYTES_MAX));
    payload.put_u16(code);
    payload.put_slice(&reason.as_bytes()[..reason.floor_char_boundary(REASON_BYTES_MAX)]);
    whole(0x8, &payload)
}

/// Header and payload, as one piece of memory.
fn whole(opcode: u8, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(payload.len() + 10);
    out.put_u8(FINAL | opcode);
    match payload.len() {
        n @ 0..=125 => out.put_u8(n as u8),
        n @ 126..=65_535 => {
            out.put_u8(126);
            out.put_u16(n as u16);
        }
        n => {
            out.put_u8(127);
            out.put_u64(n as u64);
        }
    }
    out.put_slice(payload);
    out.freeze()
}
