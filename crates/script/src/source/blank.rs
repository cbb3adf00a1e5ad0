//! Blanks what of TypeScript is types, over the tree that the parser made.
//!
//! Where a blank could join two lines into one statement, it becomes a semicolon.

use std::collections::HashSet;

use orrery_workers::script::ScriptFault;
use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::scope::ScopeFlags;

use super::edits::Edits;
use super::imports::Import;
use super::{enums, fault};

/// Words before a member's name that are TypeScript's alone.
const MODIFIERS: [&str; 7] = ["public", "private", "protected", "override", "readonly", "abstract", "declare"];

/// Walks a script and collects what to change.
pub(super) struct Blanker<'s> {
    source: &'s str,
    edits: Edits,
    imports: Vec<Import>,
    /// Modules named in `import()`.
    modules: Vec<String>,
    /// Names used as values.
    used: HashSet<String>,
    /// May it reach globals that it does not name?
    dynamic: bool,
    /// Ends of statements that no semicolon closes.
    open_ends: HashSet<u32>,
    /// Beginnings of annotations that were dealt with where they stand.
    done: HashSet<u32>,
    fault: Option<ScriptFault>,
}

/// What to make of the script.
pub(super) struct Blanked {
    pub edits: Edits,
    /// Statements that make the imports.
    pub imports: Vec<String>,
    /// Modules that it imports.
    pub modules: Vec<String>,
    /// Names that it uses; `None` if it may reach others too.
    pub names: Option<HashSet<String>>,
}

impl<'s> Blanker<'s> {
    pub fn new(source: &'s str) -> Self {
        Self {
            source,
            edits: Edits::default(),
            imports: Vec::new(),
            modules: Vec::new(),
            used: HashSet::new(),
            dynamic: false,
            open_ends: HashSet::new(),
            done: HashSet::new(),
            fault: None,
        }
    }

    /// What was collected.
    ///
    /// Errors: the first thing that is no plain script.
    pub fn finish(self) -> Result<Blanked, ScriptFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let used = |name: &str| self.used.contains(name);
        let mut modules = self.modules;
        modules.extend(self.imports.iter().filter_map(|import| import.module(&used)).map(str::to_owned));
        let imports = self.imports.iter().filter(|import| import.module(&used).is_some());
        let imports = imports.map(|import| import.statement(&used)).collect();
        let names = (!self.dynamic).then_some(self.used);
        Ok(Blanked { edits: self.edits, imports, modules, names })
    }

    fn refuse(&mut self, at: u32, message: &str) {
        if self.fault.is_none() {
            self.fault = Some(fault(self.source, at, message));
        }
    }

    fn text(&self, start: u32, end: u32) -> &'s str {
        self.source.get(start as usize..end as usize).unwrap_or_default()
    }

    /// A whole statement goes. The semicolon ends what may stand before it without one.
    fn drop_statement(&mut self, span: Span) {
        self.edits.over(span.start, span.end, ";");
    }

    /// What follows an expression goes.
    fn drop_tail(&mut self, start: u32, end: u32) {
        let text = if self.open_ends.contains(&end) { ";" } else { "" };
        self.edits.over(start, end, text);
    }

    /// Blanks `?` and `!` between a name and what follows it.
    fn drop_marks(&mut self, start: u32, end: u32) {
        for (at, byte) in code(self.text(start, end)) {
            if matches!(byte, b'?' | b'!') {
                self.edits.blank(start + at, start + at + 1);
            }
        }
    }

    /// Blanks TypeScript's words in what stands before a member's name. `joins`: what follows could belong to the
    /// line before.
    fn drop_modifiers(&mut self, start: u32, end: u32, joins: bool) {
        let mut first = true;
        for (at, word) in words(self.text(start, end)) {
            let from = start + at;
            let to = from + u32::try_from(word.len()).unwrap_or(0);
            if MODIFIERS.contains(&word) {
                self.edits.over(from, to, if joins && first && at == 0 { ";" } else { "" });
            }
            first = false;
        }
    }

    fn keyword(&self, start: u32, end: u32, keyword: &str) -> Option<u32> {
        let found = words(self.text(start, end)).find(|(_, word)| *word == keyword);
        found.map(|(at, _)| start + at)
    }

    fn after_decorators(decorators: &[Decorator<'_>], span: Span) -> u32 {
        decorators.last().map_or(span.start, |decorator| decorator.span.end)
    }

    /// `this` as the first parameter is a type.
    fn drop_this(&mut self, this: &TSThisParameter<'_>, params: &FormalParameters<'_>) {
        let next = params.items.first().map(|item| item.span.start);
        let next = next.or_else(|| params.rest.as_ref().map(|rest| rest.span.start));
        let end = next.unwrap_or(this.span.end);
        self.edits.blank(this.span.start, end);
    }

    /// Parameters of a constructor that are fields too.
    fn fields_of(&mut self, method: &MethodDefinition<'_>, derived: bool) {
        let function = &method.value;
        let is_field = |item: &&FormalParameter<'_>| item.accessibility.is_some() || item.readonly || item.r#override;
        let mut made = String::new();
        for item in function.params.items.iter().filter(is_field) {
            match item.pattern.get_identifier_name() {
                Some(name) => made.push_str(&format!("this.{name}={name};")),
                None => self.refuse(item.span.start, "a parameter that is a field has to be a plain name"),
            }
        }
        let Some(body) = function.body.as_ref().filter(|_| !made.is_empty()) else { return };
        let at = if derived {
            body.statements.iter().find(|statement| is_super_call(statement)).map(|statement| statement.span().end)
        } else {
            let directives = body.directives.last().map(|directive| directive.span.end);
            Some(directives.unwrap_or(body.span.start + 1))
        };
        match at {
            Some(at) => self.edits.replace(at, at, format!(";{made}")),
            None => self.refuse(body.span.start, "a constructor with fields as parameters has to call super() itself"),
        }
    }

    fn member_types(&mut self, class: &Class<'_>) {
        for member in &class.body.body {
            if let ClassElement::MethodDefinition(method) = member
                && method.kind == MethodDefinitionKind::Constructor
            {
                self.fields_of(method, class.heritage.is_some());
            }
        }
    }

    fn export(&mut self, it: &ExportDeclaration<'_>) {
        match &it.declaration {
            Declaration::TSTypeAliasDeclaration(_) | Declaration::TSInterfaceDeclaration(_) => {
                self.drop_statement(it.span);
            }
            _ => self.edits.over(it.span.start, it.declaration.span().start, ";"),
        }
    }
}

fn is_super_call(statement: &Statement<'_>) -> bool {
    let Statement::ExpressionStatement(statement) = statement else { return false };
    matches!(&statement.expression, Expression::CallExpression(call) if matches!(call.callee, Expression::Super(_)))
}

/// The bytes of a piece of source that are no comment, with their places.
pub(super) fn code(text: &str) -> impl Iterator<Item = (u32, u8)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..)?;
            let byte = *rest.first()?;
            let skip = if rest.starts_with(b"//") {
                rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
            } else if rest.starts_with(b"/*") {
                rest.windows(2).skip(2).position(|two| two == b"*/").map_or(rest.len(), |end| end + 4)
            } else {
                at += 1;
                return Some((u32::try_from(at - 1).unwrap_or(u32::MAX), byte));
            };
            at += skip;
        }
    })
}

/// The words of a piece of source that are no comment, with their places.
fn words(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let mut letters = code(text).filter(|(_, byte)| byte.is_ascii_alphabetic()).peekable();
    std::iter::from_fn(move || {
        let (start, _) = letters.next()?;
        let mut end = start + 1;
        while letters.next_if(|(at, _)| *at == end).is_some() {
            end += 1;
        }
        Some((start, text.get(start as usize..end as usize)?))
    })
}

impl<'a> Visit<'a> for Blanker<'_> {
    fn visit_statement(&mut self, it: &Statement<'a>) {
        let ends_open = matches!(
            it,
            Statement::ExpressionStatement(_)
                | Statement::VariableDeclaration(_)
                | Statement::ReturnStatement(_)
                | Statement::ThrowStatement(_)
                | Statement::ExportDeclaration(_)
        );
        let end = it.span().end;
        if ends_open && !self.text(end.saturating_sub(1), end).ends_with(';') {
            self.open_ends.insert(end);
        }
        walk::walk_statement(self, it);
    }

    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        if self.done.contains(&it.span.start) {
            return;
        }
        // the colon is the annotation's, whether the tree says so or not
        let before = self.text(0, it.span.start);
        let start = if self.text(it.span.start, it.span.end).starts_with(':') {
            it.span.start
        } else {
            before.rfind(':').and_then(|at| u32::try_from(at).ok()).unwrap_or(it.span.start)
        };
        self.drop_tail(start, it.span.end);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.edits.blank(it.span.start, it.span.end);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.edits.blank(it.span.start, it.span.end);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.visit_expression(&it.expression);
        self.drop_tail(it.expression.span().end, it.span.end);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.visit_expression(&it.expression);
        self.drop_tail(it.expression.span().end, it.span.end);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.visit_expression(&it.expression);
        self.drop_tail(it.expression.span().end, it.span.end);
    }

    fn visit_ts_instantiation_expression(&mut self, it: &TSInstantiationExpression<'a>) {
        self.visit_expression(&it.expression);
        self.drop_tail(it.expression.span().end, it.span.end);
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        let end = it.expression.span().start;
        if self.text(it.span.start, end).contains('\n') {
            self.refuse(it.span.start, "write this assertion on one line, or with `as`");
        }
        self.edits.blank(it.span.start, end);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_type_alias_declaration(&mut self, it: &TSTypeAliasDeclaration<'a>) {
        self.drop_statement(it.span);
    }

    fn visit_ts_interface_declaration(&mut self, it: &TSInterfaceDeclaration<'a>) {
        self.drop_statement(it.span);
    }

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        if it.declare {
            return self.drop_statement(it.span);
        }
        if let Err((at, message)) = enums::write(self.source, it, &mut self.edits) {
            self.refuse(at, &message);
        }
        for value in it.body.members.iter().filter_map(|member| member.initializer.as_ref()) {
            self.visit_expression(value);
        }
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        if !it.declare {
            self.refuse(it.span.start, "namespaces are not supported: use plain functions and objects");
        }
        self.drop_statement(it.span);
    }

    fn visit_ts_external_module_declaration(&mut self, it: &TSExternalModuleDeclaration<'a>) {
        self.drop_statement(it.span);
    }

    fn visit_ts_global_declaration(&mut self, it: &TSGlobalDeclaration<'a>) {
        self.drop_statement(it.span);
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        self.refuse(it.span.start, "`import … =` is not supported: write `import … from`");
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.refuse(it.span.start, "a script exports nothing");
    }

    fn visit_decorator(&mut self, it: &Decorator<'a>) {
        self.refuse(it.span.start, "decorators are not supported");
    }

    fn visit_variable_declaration(&mut self, it: &VariableDeclaration<'a>) {
        if it.declare {
            return self.drop_statement(it.span);
        }
        walk::walk_variable_declaration(self, it);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if it.definite {
            let end = it.type_annotation.as_ref().map_or(it.span.end, |annotation| annotation.span.start);
            self.drop_marks(it.id.span().end, end);
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        if it.declare || it.body.is_none() {
            return self.drop_statement(it.span);
        }
        if let Some(this) = &it.this_param {
            self.drop_this(this, &it.params);
        }
        walk::walk_function(self, it, flags);
    }

    fn visit_ts_this_parameter(&mut self, _: &TSThisParameter<'a>) {}

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        let start = Self::after_decorators(&it.decorators, it.span);
        let name = it.pattern.span();
        self.drop_modifiers(start, name.start, false);
        if it.optional {
            let end = it.type_annotation.as_ref().map(|annotation| annotation.span.start);
            let end = end.or_else(|| it.initializer.as_ref().map(|value| value.span().start));
            self.drop_marks(name.end, end.unwrap_or(it.span.end));
        }
        walk::walk_formal_parameter(self, it);
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        if let Some(of) = &it.return_type
            && self.text(of.span.start, of.span.end).contains('\n')
        {
            // an arrow stands on the line of the parenthesis before it
            self.done.insert(of.span.start);
            let close = it.params.span.end - 1;
            self.edits.blank(close, close + 1);
            self.edits.blank(of.span.start, of.span.end - 1);
            self.edits.over(of.span.end - 1, of.span.end, ")");
        }
        walk::walk_arrow_function_expression(self, it);
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        if it.declare {
            return self.drop_statement(it.span);
        }
        let start = Self::after_decorators(&it.decorators, it.span);
        if it.r#abstract
            && let Some(at) = self.keyword(start, it.body.span.start, "abstract")
        {
            self.edits.over(at, at + 8, ";");
        }
        if let Some(first) = it.implements.first() {
            let from = it.heritage.as_ref().map(|heritage| match &heritage.type_arguments {
                Some(arguments) => arguments.span.end,
                None => heritage.expression.span().end,
            });
            let from = from.or_else(|| it.type_parameters.as_ref().map(|parameters| parameters.span.end));
            let from = from.or_else(|| it.id.as_ref().map(|id| id.span.end)).unwrap_or(start + 5);
            if let Some(at) = self.keyword(from, first.span.start, "implements") {
                self.edits.blank(at, it.body.span.start);
            }
        }
        self.member_types(it);
        walk::walk_class(self, it);
    }

    fn visit_ts_class_implements(&mut self, _: &TSClassImplements<'a>) {}

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.r#type == MethodDefinitionType::TSAbstractMethodDefinition || it.value.body.is_none() {
            return self.drop_statement(it.span);
        }
        let start = Self::after_decorators(&it.decorators, it.span);
        self.drop_modifiers(start, it.key.span().start, it.computed || it.value.generator);
        if it.optional {
            self.drop_marks(it.key.span().end, it.value.span.start);
        }
        walk::walk_method_definition(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.declare || it.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition {
            return self.drop_statement(it.span);
        }
        if !self.text(it.span.end.saturating_sub(1), it.span.end).ends_with(';') {
            self.open_ends.insert(it.span.end);
        }
        let start = Self::after_decorators(&it.decorators, it.span);
        self.drop_modifiers(start, it.key.span().start, it.computed);
        if it.optional || it.definite {
            let end = it.type_annotation.as_ref().map(|annotation| annotation.span.start);
            let end = end.or_else(|| it.value.as_ref().map(|value| value.span().start));
            self.drop_marks(it.key.span().end, end.unwrap_or(it.span.end));
        }
        walk::walk_property_definition(self, it);
    }

    fn visit_ts_index_signature(&mut self, it: &TSIndexSignature<'a>) {
        self.drop_statement(it.span);
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        self.imports.extend(Import::of(it));
        self.drop_statement(it.span);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        if let Expression::StringLiteral(module) = &it.source {
            self.modules.push(module.value.to_string());
        }
        walk::walk_import_expression(self, it);
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        self.export(it);
        walk::walk_export_declaration(self, it);
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        // for editors, which take a file with an export for a module
        self.drop_statement(it.span);
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        self.refuse(it.span.start, "a script exports nothing");
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        self.refuse(it.span.start, "a script exports nothing");
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            return self.drop_statement(it.span);
        }
        self.refuse(it.span.start, "a script exports nothing");
    }

    fn visit_identifier_name(&mut self, it: &IdentifierName<'a>) {
        // a way to `Function`, which makes code of texts
        self.dynamic |= it.name == "constructor";
    }

    fn visit_string_literal(&mut self, it: &StringLiteral<'a>) {
        self.dynamic |= it.value == "constructor";
    }

    fn visit_this_expression(&mut self, _: &ThisExpression) {
        // in a function of a sloppy script it may be the global object
        self.dynamic = true;
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.dynamic |= matches!(it.name.as_str(), "globalThis" | "eval" | "Function" | "Reflect");
        if !self.used.contains(it.name.as_str()) {
            self.used.insert(it.name.to_string());
        }
    }

    fn visit_import_meta(&mut self, it: &ImportMeta) {
        self.refuse(it.span.start, "a script has no import.meta");
    }
}
