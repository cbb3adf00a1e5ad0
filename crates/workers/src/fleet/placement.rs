//! On which node a worker runs.

use crate::{ExecutionMode, Spec};

/// What a node does with a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Runs it.
    Here,
    /// Runs it if it is elected.
    Elected,
    /// Leaves it to another.
    Elsewhere,
}

impl Place {
    /// What the node named `node` does with a worker.
    pub fn of(spec: &Spec, node: &str) -> Self {
        match spec.execution_mode {
            ExecutionMode::Parallel => Self::Here,
            ExecutionMode::Leader => Self::Elected,
            ExecutionMode::Exclusive if spec.assigned_node.as_deref() == Some(node) => Self::Here,
            ExecutionMode::Exclusive => Self::Elsewhere,
        }
    }
}

/// How much a node is the one for a worker (rendezvous hashing): the highest of all nodes is, and when it goes
/// its workers spread over all that are left.
pub fn weight(sid: &str, holder: &str) -> u64 {
    // FNV-1a, then the end of MurmurHash3, for FNV alone says little in its high bits
    let bytes = sid.bytes().chain([0]).chain(holder.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Draft;

    #[test]
    fn modes_say_where() {
        let spec = |mode: &str, node: Option<&str>| {
            let draft =
                Draft { execution_mode: Some(mode.into()), assigned_node: node.map(Into::into), ..Draft::default() };
            Spec::new(draft).unwrap()
        };
        assert_eq!(Place::of(&spec("parallel", None), "a"), Place::Here);
        assert_eq!(Place::of(&spec("leader", None), "a"), Place::Elected);
        assert_eq!(Place::of(&spec("exclusive", Some("a")), "a"), Place::Here);
        assert_eq!(Place::of(&spec("exclusive", Some("a")), "b"), Place::Elsewhere);
    }

    #[test]
    fn workers_spread_over_nodes() {
        let nodes = ["s-1/1", "s-2/1", "s-3/1"];
        let mut counts = [0; 3];
        for n in 0..3_000 {
            let sid = format!("worker-{n}");
            let best = (0..3).max_by_key(|i| weight(&sid, nodes[*i])).unwrap();
            counts[best] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
