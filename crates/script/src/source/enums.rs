//! Enumerations of TypeScript, made on the lines where they stand.

use oxc_ast::ast::{Expression, IdentifierReference, TSEnumDeclaration, TSEnumMemberName, UnaryOperator};
use oxc_ast_visit::Visit;
use oxc_span::GetSpan as _;

use super::blank::code;
use super::edits::Edits;
use super::literal;

/// What the next member is without a value of its own.
enum Next {
    Number(f64),
    /// One more than the member of that name, whose value only the engine knows.
    After(String),
    /// It needs a value: the one before is a text.
    None,
}

/// Writes the enumeration as a function that fills an object.
///
/// Errors: the byte and what is wrong there.
pub(super) fn write(source: &str, declaration: &TSEnumDeclaration<'_>, edits: &mut Edits) -> Result<(), (u32, String)> {
    let name = declaration.id.name.as_str();
    let body = &declaration.body;
    edits.replace(declaration.span.start, body.span.start + 1, format!("var {name};(({name})=>{{"));
    let mut next = Next::Number(0.0);
    let mut known: Vec<String> = Vec::new();
    for (at, member) in body.members.iter().enumerate() {
        let (start, end) = (member.span.start, member.span.end);
        let Some(own) = member_name(&member.id) else {
            return Err((start, "the name of an enumeration's member has to be a name or a text".into()));
        };
        let key = literal(&own);
        match &member.initializer {
            Some(value) => {
                let value_at = value.span();
                let is_text = matches!(value, Expression::StringLiteral(_) | Expression::TemplateLiteral(_));
                let head = if is_text { format!("{name}[{key}]=") } else { format!("{name}[{name}[{key}]=") };
                edits.replace(start, value_at.start, head);
                Qualify { name, known: &known, edits }.visit_expression(value);
                let tail = if is_text { ";".to_owned() } else { format!("]={key};") };
                edits.replace(value_at.end, end, tail);
                next = following(value, is_text, &own);
            }
            None => {
                let value = match &next {
                    Next::Number(number) => number.to_string(),
                    Next::After(before) => format!("{name}[{}]+1", literal(before)),
                    Next::None => return Err((start, "this member of the enumeration needs a value".into())),
                };
                edits.replace(start, end, format!("{name}[{name}[{key}]={value}]={key};"));
                next = following_number(&next, &own);
            }
        }
        known.push(own);
        let next = body.members.get(at + 1).map_or(body.span.end - 1, |next| next.span.start);
        commas(source, end, next, edits);
    }
    edits.replace(body.span.end - 1, body.span.end, format!("}})({name}||({name}={{}}));"));
    Ok(())
}

/// Members are statements now: what separated them goes.
fn commas(source: &str, start: u32, end: u32, edits: &mut Edits) {
    let between = source.get(start as usize..end as usize).unwrap_or_default();
    for (at, _) in code(between).filter(|(_, byte)| *byte == b',') {
        edits.blank(start + at, start + at + 1);
    }
}

fn member_name(id: &TSEnumMemberName<'_>) -> Option<String> {
    match id {
        TSEnumMemberName::Identifier(name) => Some(name.name.to_string()),
        TSEnumMemberName::String(text) | TSEnumMemberName::ComputedString(text) => Some(text.value.to_string()),
        TSEnumMemberName::ComputedTemplateString(_) => None,
    }
}

fn following(value: &Expression<'_>, is_text: bool, own: &str) -> Next {
    if is_text {
        return Next::None;
    }
    match number(value) {
        Some(number) => Next::Number(number + 1.0),
        None => Next::After(own.to_owned()),
    }
}

fn following_number(now: &Next, own: &str) -> Next {
    match now {
        Next::Number(number) => Next::Number(number + 1.0),
        _ => Next::After(own.to_owned()),
    }
}

fn number(value: &Expression<'_>) -> Option<f64> {
    match value {
        Expression::NumericLiteral(literal) => Some(literal.value),
        Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::UnaryNegation => {
            number(&unary.argument).map(|number| -number)
        }
        Expression::ParenthesizedExpression(inner) => number(&inner.expression),
        _ => None,
    }
}

/// Members that a value names by themselves are the object's.
struct Qualify<'e> {
    name: &'e str,
    known: &'e [String],
    edits: &'e mut Edits,
}

impl<'a> Visit<'a> for Qualify<'_> {
    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        if self.known.iter().any(|known| known == it.name.as_str()) {
            let text = format!("{}.{}", self.name, it.name);
            self.edits.replace(it.span.start, it.span.end, text);
        }
    }
}
