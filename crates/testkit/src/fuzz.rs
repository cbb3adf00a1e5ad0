//! Mutations of recorded inputs: what clients send, damaged. Every case follows from a seed and its number, which a
//! failed test prints; `ORRERY_FUZZ_CASES` runs more of them, `ORRERY_FUZZ_SEED` others.

/// Longest input that is made.
const BYTES_MAX: usize = 150_000;
/// Deepest nesting that is made.
const NESTED_MAX: usize = 20_000;

/// Numbers that readers trip over.
const NUMBERS: [&str; 12] = [
    "0",
    "-0",
    "-1",
    "1e999",
    "-1e-999",
    "0.1",
    "1E5",
    "9007199254740993",
    "18446744073709551616",
    "-9223372036854775809",
    "1.7976931348623157e309",
    "00",
];
/// Pieces that do not belong where they are put.
const PIECES: [&[u8]; 22] = [
    b"null",
    b"true",
    b"\"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\uDC00\\ud800",
    b"\x00",
    b"\x1f",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x92",
    "\u{202e}".as_bytes(),
    b"\n",
];

/// How many cases a test runs: `otherwise`, or what the environment says.
pub fn cases(otherwise: u64) -> u64 {
    number("ORRERY_FUZZ_CASES").unwrap_or(otherwise)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name} is no number: {e}")))
}

/// One case: its own source of chance. Dropped by a panic, it says how to run it again.
#[derive(Debug)]
pub struct Case {
    seed: u64,
    number: u64,
    state: u64,
    made: Vec<u8>,
}

impl Case {
    /// The case of that number.
    pub fn new(number: u64) -> Self {
        let seed = self::number("ORRERY_FUZZ_SEED").unwrap_or(1);
        Self { seed, number, state: seed.rotate_left(32) ^ number, made: Vec::new() }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    fn place(&mut self, bytes: &[u8]) -> usize {
        self.below(bytes.len() + 1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of `corpus`, damaged a few times.
    pub fn mutant(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.pick(corpus).clone();
        for _ in 0..=self.below(4) {
            self.damage(&mut bytes, corpus);
            bytes.truncate(BYTES_MAX);
        }
        self.made.clone_from(&bytes);
        bytes
    }

    /// The same as a text.
    pub fn mutant_text(&mut self, corpus: &[Vec<u8>]) -> String {
        let text = String::from_utf8_lossy(&self.mutant(corpus)).into_owned();
        self.made = text.clone().into_bytes();
        text
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        match self.below(9) {
            0 => {
                for _ in 0..=self.below(8) {
                    let (at, bit) = (self.place(bytes), self.below(8));
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << bit;
                    }
                }
            }
            1 => bytes.truncate(self.place(bytes)),
            2 => {
                let (from, to) = self.range(bytes);
                bytes.drain(from..to);
            }
            3 => {
                // the beginning of one and the end of another
                let other = self.pick(corpus).clone();
                bytes.truncate(self.place(bytes));
                bytes.extend_from_slice(&other[self.place(&other)..]);
            }
            4 => {
                let (from, to) = self.range(bytes);
                let piece = bytes[from..to].repeat(1 + self.below(4));
                bytes.splice(to..to, piece);
            }
            5 => {
                let (at, piece) = (self.place(bytes), *self.pick(&PIECES));
                bytes.splice(at..at, piece.iter().copied());
            }
            6 => self.renumber(bytes),
            7 => self.nest(bytes),
            _ => {
                let at = self.place(bytes);
                let long = vec![*self.pick(b"a0 \xff["); self.below(70_000)];
                bytes.splice(at..at, long);
            }
        }
    }

    fn range(&mut self, bytes: &[u8]) -> (usize, usize) {
        let (a, b) = (self.place(bytes), self.place(bytes));
        (a.min(b), a.max(b))
    }

    /// Puts a number where one is.
    fn renumber(&mut self, bytes: &mut Vec<u8>) {
        let starts: Vec<usize> = (0..bytes.len())
            .filter(|at| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[at - 1].is_ascii_digit()))
            .collect();
        if starts.is_empty() {
            return;
        }
        let from = *self.pick(&starts);
        let len = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = match self.below(NUMBERS.len() + 1) {
            0 => "9".repeat(1 + self.below(5_000)),
            n => NUMBERS[n - 1].to_owned(),
        };
        bytes.splice(from..from + len, number.into_bytes());
    }

    /// Puts brackets around a place, thousands deep.
    fn nest(&mut self, bytes: &mut Vec<u8>) {
        let (from, to) = self.range(bytes);
        let depth = 1 + self.below(NESTED_MAX);
        let (open, close) = *self.pick(&[("[", "]"), ("{\"a\":", "}"), ("[", ""), ("{\"a\":[", "]}")]);
        bytes.splice(to..to, close.repeat(depth).into_bytes());
        bytes.splice(from..from, open.repeat(depth).into_bytes());
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let shown = String::from_utf8_lossy(self.made.get(..400).unwrap_or(&self.made)).into_owned();
            eprintln!(
                "ORRERY_FUZZ_SEED={} case {}: {} bytes that begin with {shown:?}",
                self.seed,
                self.number,
                self.made.len()
            );
        }
    }
}

/// A client's WebSocket frame (RFC 6455 §5.2) with `first` as its first byte.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
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
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// What a client may write on a WebSocket whose texts are `texts`: whole, in fragments, with control frames between.
pub fn websocket_streams(texts: &[&str]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for text in texts {
        let (head, tail) = text.as_bytes().split_at(text.len() / 2);
        all.push(masked(0x81, text.as_bytes()));
        all.push([masked(0x01, head), masked(0x89, b"are you there"), masked(0x80, tail)].concat());
        all.push([masked(0x81, text.as_bytes()), masked(0x88, &[0x03, 0xe8])].concat());
        all.push([masked(0x82, text.as_bytes()), masked(0x8a, b"")].concat());
    }
    all.push(masked(0x81, &[b'x'; 70_000]));
    all.push(masked(0x88, b"\x0f\xa0words"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_the_same_whenever_it_is_made() {
        let corpus = [br#"{"a":[1,2,"x"]}"#.to_vec(), b"other".to_vec()];
        for number in 0..500 {
            let made = Case::new(number).mutant(&corpus);
            assert_eq!(made, Case::new(number).mutant(&corpus));
            assert!(made.len() <= BYTES_MAX);
        }
        let different: std::collections::HashSet<_> = (0..500).map(|n| Case::new(n).mutant(&corpus)).collect();
        assert!(different.len() > 400, "{}", different.len());
    }
}
