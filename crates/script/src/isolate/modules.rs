//! Modules that a script may import: the built-in one and those of the node's store.

use std::collections::HashMap;
use std::sync::Arc;

use rquickjs::loader::{ImportAttributes, Loader as Load, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Module, Result};

use super::parts::GLIESEREUM;

/// The module that every node has.
pub(crate) const BUILT_IN: &str = "gliesereum";

/// The modules of one script: their texts by name.
pub(crate) type Library = HashMap<String, Arc<str>>;

/// Finds modules in a library, and nowhere else.
pub(crate) struct Loader(pub Arc<Library>);

impl Resolver for Loader {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        if name == BUILT_IN || self.0.contains_key(name) {
            return Ok(name.to_owned());
        }
        Err(Error::new_resolving_message(base, name, "this script has no such dependency"))
    }
}

impl Load for Loader {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        if let Some(text) = self.0.get(name) {
            return Module::declare(ctx.clone(), name, text.as_bytes());
        }
        if name == BUILT_IN {
            return Module::declare(ctx.clone(), name, GLIESEREUM);
        }
        Err(Error::new_loading(name))
    }
}
