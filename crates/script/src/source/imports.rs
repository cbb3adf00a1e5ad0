//! Imports of a script: it is the body of a function, where there are none, so they are made at its beginning.

use oxc_ast::ast::{ImportDeclaration, ImportDeclarationSpecifier, ImportOrExportKind, ModuleExportName};

use super::literal;

/// Imports as they were met; what is only used as a type is known at the end of the script.
pub(super) struct Import {
    module: String,
    /// `None` for an import without names, which is there for what the module does.
    names: Option<Vec<Name>>,
}

struct Name {
    local: String,
    /// The name in the module; `None` for the whole of it.
    imported: Option<String>,
}

impl Import {
    /// Of a declaration; none where it is about types.
    pub fn of(declaration: &ImportDeclaration<'_>) -> Option<Self> {
        if declaration.import_kind == ImportOrExportKind::Type {
            return None;
        }
        let module = declaration.source.value.to_string();
        let names = declaration.specifiers.as_ref().map(|all| all.iter().filter_map(name).collect());
        Some(Self { module, names })
    }

    /// The module's name, if the script needs it: some name is used as more than a type.
    pub fn module(&self, used: &dyn Fn(&str) -> bool) -> Option<&str> {
        let needed = self.names.as_ref().is_none_or(|names| names.iter().any(|name| used(&name.local)));
        needed.then_some(self.module.as_str())
    }

    /// The statement that makes it.
    pub fn statement(&self, used: &dyn Fn(&str) -> bool) -> String {
        let from = format!("await import({})", literal(&self.module));
        let Some(names) = &self.names else { return format!("{from};") };
        let mut text = String::new();
        for name in names.iter().filter(|name| used(&name.local)) {
            match &name.imported {
                None => text.push_str(&format!("const {} = {from};", name.local)),
                Some(of) => text.push_str(&format!("const {{{}: {}}} = {from};", literal(of), name.local)),
            }
        }
        text
    }
}

fn name(specifier: &ImportDeclarationSpecifier<'_>) -> Option<Name> {
    let (local, imported) = match specifier {
        ImportDeclarationSpecifier::ImportSpecifier(one) => {
            if one.import_kind == ImportOrExportKind::Type {
                return None;
            }
            let imported = match &one.imported {
                ModuleExportName::IdentifierName(name) => name.name.to_string(),
                ModuleExportName::IdentifierReference(name) => name.name.to_string(),
                ModuleExportName::StringLiteral(text) => text.value.to_string(),
            };
            (&one.local, Some(imported))
        }
        ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => (&one.local, Some("default".to_owned())),
        ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => (&one.local, None),
    };
    Some(Name { local: local.name.to_string(), imported })
}
