//! Random UUIDs.

use orrery_kernel::Entropy;

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uuid(entropy: &dyn Entropy) -> String {
    let mut b = [0_u8; 16];
    entropy.fill(&mut b);
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let digits = hex::encode(b);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}
