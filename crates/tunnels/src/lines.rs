//! What the programs of tunnels print, and where in it the tunnel's address is.

/// Longest line; the rest of a longer one is passed over.
const LINE_BYTES_MAX: usize = 4_096;

/// Makes lines of pieces.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The lines that end in `bytes`.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.begun.len());
            self.begun.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        }
        lines
    }
}

/// The address that begins at the first `https://` of a text.
fn address(text: &str) -> Option<&str> {
    let at = text.find("https://").or_else(|| text.find("http://"))?;
    let rest = text.get(at..)?;
    let end = rest.find(|c: char| c.is_whitespace() || "\"'|,}<>".contains(c)).unwrap_or(rest.len());
    rest.get(..end).filter(|url| url.len() > "https://".len())
}

/// The address in a line of cloudflared's: that of a quick tunnel, not those of its terms and errors.
pub fn cloudflared_url(line: &str) -> Option<&str> {
    let ours = |url: &&str| {
        let host = url.split('/').nth(2).unwrap_or_default();
        let within = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        // where quick tunnels are asked for, and not one of them
        host != "api.trycloudflare.com" && (within("trycloudflare.com") || within("cfargotunnel.com"))
    };
    address(line).filter(ours)
}

/// The address in a line of ngrok's log, in either of its forms: `… msg="started tunnel" … url=https://…`.
pub fn ngrok_url(line: &str) -> Option<&str> {
    if !line.contains("started tunnel") {
        return None;
    }
    let at = line.find("url=").map(|at| at + 4).or_else(|| line.find("\"url\":").map(|at| at + 6))?;
    address(line.get(at..)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_come_in_pieces() {
        let mut lines = Lines::default();
        assert!(lines.push(b"a").is_empty());
        assert_eq!(lines.push(b"b\r\n\nc"), ["ab", ""]);
        assert!(lines.push(&vec![b'x'; 3 * LINE_BYTES_MAX]).is_empty());
        assert_eq!(lines.push(b"\nd\n"), [format!("c{}", "x".repeat(LINE_BYTES_MAX - 1)), "d".to_owned()]);
    }

    #[test]
    fn addresses_are_found() {
        let line = "2024-01-01T12:00:00Z INF |  https://abc-def.trycloudflare.com                       |";
        assert_eq!(cloudflared_url(line), Some("https://abc-def.trycloudflare.com"));
        for other in [
            "INF Thank you for trying Cloudflare Tunnel. (https://www.cloudflare.com/website-terms/)",
            "ERR failed to request quick Tunnel: Post \"https://api.trycloudflare.com/tunnel\": no route",
            "https://evil.example/?trycloudflare.com",
            "https://trycloudflare.com",
            "INF https://",
        ] {
            assert_eq!(cloudflared_url(other), None, "{other}");
        }
        let line = "t=2024-01-01T12:00:00+0000 lvl=info msg=\"started tunnel\" obj=tunnels name=command_line \
                    addr=http://127.0.0.1:8000 url=https://my-app.ngrok-free.app";
        assert_eq!(ngrok_url(line), Some("https://my-app.ngrok-free.app"));
        let json = r#"{"addr":"http://127.0.0.1:1","msg":"started tunnel","url":"https://x.ngrok.io"}"#;
        assert_eq!(ngrok_url(json), Some("https://x.ngrok.io"));
        assert_eq!(ngrok_url("lvl=info msg=\"join connections\" url=https://x"), None);
    }

    proptest! {
        #[test]
        fn nothing_breaks_them(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let mut lines = Lines::default();
            let whole: Vec<u8> = pieces.concat();
            let found: Vec<String> = pieces.iter().flat_map(|piece| lines.push(piece)).collect();
            prop_assert_eq!(found.len(), whole.iter().filter(|b| **b == b'\n').count());
            for line in &found {
                let _ = (cloudflared_url(line), ngrok_url(line));
            }
        }
    }
}
