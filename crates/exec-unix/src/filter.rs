//! System calls that no run needs (seccomp).

use std::collections::BTreeMap;

use orrery_exec::NetPolicy;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Refused whatever their arguments: they look into processes, change the machine, or have been the way out of
/// sandboxes before.
const REFUSED: [libc::c_long; 46] = [
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

/// Namespaces that a run may not make.
const SPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Numbers of protocols from here on are no protocols of packets: MPTCP, SMC.
const PROTOCOLS_RENAMED: u64 = 256;

/// Ways to type into a terminal as if its user did.
const TYPING: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

fn condition(argument: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition, String> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value).map_err(|e| e.to_string())
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, String> {
    SeccompRule::new(conditions).map_err(|e| e.to_string())
}

/// Sockets that are refused: all families but those of the machine itself, the internet and the routing table.
fn sockets(net: NetPolicy) -> Result<Vec<SeccompRule>, String> {
    let allowed: &[libc::c_int] = match net {
        NetPolicy::None => &[libc::AF_UNIX],
        NetPolicy::Loopback | NetPolicy::All => &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK],
    };
    let others = allowed.iter().map(|family| condition(0, SeccompCmpOp::Ne, number(*family)));
    let others = others.collect::<Result<Vec<_>, _>>()?;
    // of netlink only the routing table, which resolvers read
    let netlink = vec![
        condition(0, SeccompCmpOp::Eq, number(libc::AF_NETLINK))?,
        condition(2, SeccompCmpOp::Ne, number(libc::NETLINK_ROUTE))?,
    ];
    // protocols that are TCP under another name, to which closed ports are open
    let renamed = [libc::AF_INET, libc::AF_INET6].map(|family| {
        let beyond = condition(2, SeccompCmpOp::Ge, PROTOCOLS_RENAMED)?;
        rule(vec![condition(0, SeccompCmpOp::Eq, number(family))?, beyond])
    });
    let [inet, inet6] = renamed;
    Ok(vec![rule(others)?, rule(netlink)?, inet?, inet6?])
}

/// Sending that connects: nobody asks then whether the port is closed.
fn connecting(argument: u8) -> Result<Vec<SeccompRule>, String> {
    let flag = number(libc::MSG_FASTOPEN);
    Ok(vec![rule(vec![condition(argument, SeccompCmpOp::MaskedEq(flag), flag)?])?])
}

fn number(value: libc::c_int) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

fn compile(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: libc::c_int) -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| e.to_string())?;
    let refuse = SeccompAction::Errno(u32::try_from(errno).unwrap_or_default());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).map_err(|e| e.to_string())?;
    filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())
}

/// Refuses the calls of the x32 interface, where a machine has it: the same calls under other numbers, which the lists
/// above don't name.
#[cfg(target_arch = "x86_64")]
fn x32() -> BpfProgram {
    const LOAD_NUMBER: u16 = 0x20;
    const IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const BIT: u32 = 0x4000_0000;
    const REFUSE: u32 = 0x0005_0000 | libc::EPERM.unsigned_abs();
    const ALLOW: u32 = 0x7fff_0000;
    [(LOAD_NUMBER, 0, 0), (IF_AT_LEAST, 1, BIT), (RETURN, 0, REFUSE), (RETURN, 0, ALLOW)]
        .map(|(code, jf, k)| seccompiler::sock_filter { code, jt: 0, jf, k })
        .into()
}

/// There is none.
#[cfg(not(target_arch = "x86_64"))]
fn x32() -> BpfProgram {
    BpfProgram::new()
}

/// The filters for runs; made once, for it takes a while.
pub(crate) struct Filters {
    x32: BpfProgram,
    /// `clone3` hides its flags in memory; without it everybody uses `clone`.
    clone3: BpfProgram,
    with_net: BpfProgram,
    without_net: BpfProgram,
}

impl Filters {
    /// Compiles them.
    ///
    /// # Errors
    /// What is wrong, on machines that seccomp filters are not known for.
    pub(crate) fn new() -> Result<Self, String> {
        let clone3 = compile(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?;
        let filter = |net| {
            let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.into_iter().map(|n| (n, Vec::new())).collect();
            let spaces = SPACES.iter().map(|flag| {
                let flag = number(*flag);
                rule(vec![condition(0, SeccompCmpOp::MaskedEq(flag), flag)?])
            });
            rules.insert(libc::SYS_clone, spaces.collect::<Result<_, _>>()?);
            let typing = TYPING.iter().map(|request| rule(vec![condition(1, SeccompCmpOp::Eq, *request)?]));
            rules.insert(libc::SYS_ioctl, typing.collect::<Result<_, _>>()?);
            rules.insert(libc::SYS_socket, sockets(net)?);
            for (call, argument) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
                rules.insert(call, connecting(argument)?);
            }
            compile(rules, libc::EPERM)
        };
        Ok(Self { x32: x32(), clone3, with_net: filter(NetPolicy::All)?, without_net: filter(NetPolicy::None)? })
    }

    /// Holds this process, and whatever it becomes, to them.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn apply(&self, inet: bool) -> Result<(), String> {
        if !self.x32.is_empty() {
            seccompiler::apply_filter(&self.x32).map_err(|e| e.to_string())?;
        }
        seccompiler::apply_filter(&self.clone3).map_err(|e| e.to_string())?;
        let filter = if inet { &self.with_net } else { &self.without_net };
        seccompiler::apply_filter(filter).map_err(|e| e.to_string())
    }
}
