//! How deeply a text may be nested, told without parsing it: parsers recurse, and a stack that overflows is the end
//! of the process.

/// Most levels of nesting that are parsed.
pub(crate) const DEPTH_MAX: usize = 50_000;

/// Words that begin something that can hold the same again.
const WORDS: [&str; 14] =
    ["new", "typeof", "void", "delete", "await", "yield", "do", "else", "if", "for", "while", "with", "async", "throw"];

/// At least how deep a parser will recurse, or one more than it counts. Texts and comments are counted as if they
/// were code, since a mistake about where they end would hide what follows.
pub(crate) fn depth(source: &str) -> usize {
    // what is open on each level of brackets
    let mut levels: Vec<usize> = vec![0];
    let (mut total, mut deepest) = (0_usize, 0_usize);
    let mut word = 0;
    for (at, byte) in source.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' {
            continue;
        }
        let units = usize::from(WORDS.contains(&source.get(word..at).unwrap_or_default()));
        word = at + 1;
        let units = units
            + match byte {
                b'!' | b'~' | b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'<' | b'>' | b'=' | b'?'
                | b':' | b'.' | b'@' => 1,
                _ => 0,
            };
        total += units;
        if let Some(open) = levels.last_mut() {
            *open += units;
        }
        match byte {
            b'(' | b'[' | b'{' => {
                levels.push(1);
                total += 1;
            }
            b')' | b']' | b'}' if levels.len() > 1 => {
                total -= levels.pop().unwrap_or_default();
                if byte == b'}' {
                    close(&mut levels, &mut total);
                }
            }
            b';' | b',' => close(&mut levels, &mut total),
            _ => {}
        }
        deepest = deepest.max(total);
        if deepest > DEPTH_MAX {
            break;
        }
    }
    deepest
}

/// A statement or an element ended.
fn close(levels: &mut [usize], total: &mut usize) {
    let bottom = levels.len() == 1;
    if let Some(open) = levels.last_mut() {
        let kept = usize::from(!bottom);
        *total -= open.saturating_sub(kept);
        *open = kept.min(*open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_scripts_are_flat() {
        let script =
            "const a = [1, 2, 3]\nif (a.length > 2) { log(a[0] + a[1]) } else { log(`x${a}`) }\n".repeat(2_000);
        assert!(depth(&script) < 20, "{}", depth(&script));
    }

    #[test]
    fn every_way_down_is_counted() {
        for piece in
            ["(", "[", "{", "!", "a=", "a?b:", "a=>", "new ", "typeof ", "if(a)", "a**", "`${", "a:", "f(!", "-"]
        {
            assert!(depth(&piece.repeat(1_000)) >= 1_000, "{piece}");
        }
    }
}
