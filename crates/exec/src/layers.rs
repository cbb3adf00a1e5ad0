//! What holds a run in: the layers of the sandbox, and which of them this machine has.

use std::collections::BTreeMap;

/// One layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// A process of its own makes the runs, so that the server never forks.
    Runner,
    /// Rights cannot be gained by a run (`no_new_privs`).
    NoNewPrivileges,
    /// Bounds on computing, files, memory.
    ResourceLimits,
    /// Which files are read and written.
    Landlock,
    /// Signals and abstract sockets stay within the run.
    LandlockScope,
    /// System calls that no run needs are refused.
    Seccomp,
    /// A user namespace, without which an unprivileged server has none of the next.
    UserNamespace,
    /// The server's files are not there, `/tmp` is the run's own.
    MountNamespace,
    /// Other processes are not there; everything of a run ends with it.
    PidNamespace,
    /// A loopback of its own.
    NetNamespace,
    /// A bound on processes that holds for root too.
    ProcessBound,
}

impl Layer {
    /// All.
    pub const ALL: [Self; 11] = [
        Self::Runner,
        Self::NoNewPrivileges,
        Self::ResourceLimits,
        Self::Landlock,
        Self::LandlockScope,
        Self::Seccomp,
        Self::UserNamespace,
        Self::MountNamespace,
        Self::PidNamespace,
        Self::NetNamespace,
        Self::ProcessBound,
    ];

    /// The name in configuration and reports: `landlock`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runner => "runner",
            Self::NoNewPrivileges => "no_new_privs",
            Self::ResourceLimits => "rlimits",
            Self::Landlock => "landlock",
            Self::LandlockScope => "landlock_scope",
            Self::Seccomp => "seccomp",
            Self::UserNamespace => "user_namespace",
            Self::MountNamespace => "mount_namespace",
            Self::PidNamespace => "pid_namespace",
            Self::NetNamespace => "net_namespace",
            Self::ProcessBound => "process_bound",
        }
    }

    /// The layer of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }
}

/// Which layers are active; where one is not, why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers(BTreeMap<Layer, Result<(), String>>);

impl Layers {
    /// Notes that a layer is active, or why it is not.
    pub fn set(&mut self, layer: Layer, state: Result<(), String>) {
        self.0.insert(layer, state);
    }

    /// Is it active?
    pub fn has(&self, layer: Layer) -> bool {
        matches!(self.0.get(&layer), Some(Ok(())))
    }

    /// Every layer with why it is missing (`None`: it is active), in order.
    pub fn report(&self) -> impl Iterator<Item = (Layer, Option<&str>)> {
        Layer::ALL.into_iter().map(|layer| match self.0.get(&layer) {
            Some(Ok(())) => (layer, None),
            Some(Err(why)) => (layer, Some(why.as_str())),
            None => (layer, Some("not looked for")),
        })
    }

    /// Those of `required` that are missing, with why.
    pub fn missing(&self, required: &[Layer]) -> Vec<(Layer, String)> {
        let lacking = self.report().filter(|(layer, _)| required.contains(layer));
        lacking.filter_map(|(layer, why)| Some((layer, why?.to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_gaps() {
        for layer in Layer::ALL {
            assert_eq!(Layer::parse(layer.name()), Some(layer));
        }
        let mut layers = Layers::default();
        layers.set(Layer::Landlock, Ok(()));
        layers.set(Layer::Seccomp, Err("no".into()));
        assert!(layers.has(Layer::Landlock) && !layers.has(Layer::Seccomp) && !layers.has(Layer::Runner));
        let required = [Layer::Landlock, Layer::Seccomp, Layer::Runner];
        let missing = [(Layer::Runner, "not looked for".to_owned()), (Layer::Seccomp, "no".to_owned())];
        assert_eq!(layers.missing(&required), missing);
    }
}
