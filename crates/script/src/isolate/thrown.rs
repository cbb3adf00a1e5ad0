//! What a script threw, as text.

use orrery_workers::script::Thrown;
use rquickjs::{Coerced, Ctx, FromJs as _, Object, Value};

use super::parts::{BARE, PREFIX};
use crate::source::FILE;

/// Reads an error, or anything else that was thrown. This may run code of the script, which stays under its limits.
pub(crate) fn thrown<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Thrown {
    let Some(error) = value.as_object().filter(|object| object.is_error()) else {
        let text = texts(ctx, value).unwrap_or_else(|| "something without a text".to_owned());
        let class = if value.is_object() { "Object" } else { "Error" };
        return Thrown::new(class, &text, None, "");
    };
    let field = |name: &str| read(ctx, error, name);
    let class = field("name").filter(|name| !name.is_empty()).unwrap_or_else(|| "Error".to_owned());
    let stack = lines(&field("stack").unwrap_or_default());
    let place = place(&stack);
    Thrown::new(&class, &field("message").unwrap_or_default(), place, &stack)
}

fn read<'js>(ctx: &Ctx<'js>, object: &Object<'js>, name: &str) -> Option<String> {
    let value = object.get::<_, Value<'js>>(name);
    match value {
        Ok(value) if value.is_undefined() => None,
        Ok(value) => texts(ctx, &value),
        Err(_) => {
            ctx.catch();
            None
        }
    }
}

fn texts<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Option<String> {
    let text = if value.is_object() && !value.is_error() {
        ctx.json_stringify(value.clone()).map(|json| json.map(|json| json.to_string()))
    } else {
        Coerced::<String>::from_js(ctx, value.clone()).map(|text| Some(Ok(text.0)))
    };
    match text {
        Ok(Some(Ok(text))) => Some(text),
        Ok(_) => None,
        Err(_) => {
            ctx.catch();
            None
        }
    }
}

/// A stack without the runtime's own frames and the engine's, which have no place.
fn lines(stack: &str) -> String {
    let own = |line: &&str| line.contains(PREFIX) || line.contains(BARE) || !line.contains(':');
    let lines: Vec<_> = stack.lines().map(str::trim).filter(|line| !line.is_empty() && !own(line)).collect();
    lines.join("\n")
}

/// The first place of the script that a stack names.
fn place(stack: &str) -> Option<(u32, u32)> {
    let marker = format!("{FILE}:");
    stack.lines().find_map(|line| {
        let (_, at) = line.split_once(&marker)?;
        let (row, column) = at.trim_end_matches(')').split_once(':')?;
        Some((row.parse().ok()?, column.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_show_the_script_alone() {
        let stack = lines(
            "    at fetch (native)\n    at settle (<null>:0:1)\n    at f (stels:core:2:3)\n    at g (script:4:15)\n    at script:9:1\n",
        );
        assert_eq!(stack, "at g (script:4:15)\nat script:9:1");
        assert_eq!(place(&stack), Some((4, 15)));
        assert_eq!(place("at x (lib:1:2)"), None);
    }
}
