//! Values to text, without spaces.

use std::fmt::Write as _;

use super::{Json, plain};

/// As text.
pub(crate) fn text(value: &Json<'_>) -> String {
    let mut out = String::with_capacity(length(value));
    write(value, &mut out);
    out
}

/// How long the text is if nothing in it is escaped.
fn length(value: &Json<'_>) -> usize {
    match value {
        Json::Null => 4,
        Json::Bool(flag) => 5 - usize::from(*flag),
        Json::Number((digits, _)) => digits.len(),
        Json::String(text) => text.len() + 2,
        // brackets, and a comma between two
        Json::Array(elements) => elements.iter().map(|one| length(one) + 1).sum::<usize>().max(1) + 1,
        Json::Object(members) => {
            members.iter().map(|(name, one)| name.len() + length(one) + 4).sum::<usize>().max(1) + 1
        }
    }
}

fn write(value: &Json<'_>, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Json::Number((digits, _)) => out.push_str(digits),
        Json::String(text) => string(text, out),
        Json::Array(elements) => {
            out.push('[');
            for (place, one) in elements.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(one, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (place, (name, one)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                string(name, out);
                out.push(':');
                write(one, out);
            }
            out.push('}');
        }
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    if plain(text.as_bytes()) == text.len() {
        out.push_str(text);
    } else {
        escaped(text, out);
    }
    out.push('"');
}

fn escaped(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' => {
                // a string takes everything
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
}
