//! What a run must not be able to do.

use orrery_exec::{Command, Ending, Exit, Layer, Limits, NetPolicy, Profile, Runner as _};

use crate::{Machine, NAMESPACES, closing, hiding, limits, machine, without};

const MOUNTS: [Layer; 3] = [Layer::MountNamespace, Layer::PidNamespace, Layer::NetNamespace];
/// Landlock alone, namespaces alone, both.
fn turns() -> [Machine; 3] {
    [machine(), without(&NAMESPACES), without(&[Layer::Landlock, Layer::LandlockScope])]
}

#[tokio::test]
async fn the_server_s_files_are_not_there() {
    for machine in turns() {
        let data = machine.data.display().to_string();
        for line in [
            format!("cat {data}/secret"),
            format!("ls {data}; cat {data}/../data/secret"),
            format!("cp {data}/secret copy; cat copy"),
            format!("ln -s {data}/secret link; cat link"),
            "cat /proc/self/cwd/../../secret".to_owned(),
            format!("cat /proc/1/root{data}/secret"),
            format!("grep -r planted {data} --include=secret"),
        ] {
            let finished = machine.shell(&line).await;
            let all = format!("{}{}", finished.stdout.text, finished.stderr.text);
            assert!(!all.contains("planted"), "{line}: {all}");
        }
        let write = machine.shell(&format!("echo x > {data}/secret")).await;
        drop(write);
        assert_eq!(std::fs::read_to_string(machine.data.join("secret")).unwrap(), "planted");
    }
}

#[tokio::test]
async fn the_root_is_listed_and_nothing_hidden_with_it() {
    let machine = machine();
    if !machine.unix.layers().await.has(Layer::MountNamespace) {
        eprintln!("this machine has no mount namespaces: the root is not listed");
        return;
    }
    let root = machine.says("ls /").await;
    for name in ["bin", "etc", "usr", "tmp"] {
        assert!(root.lines().any(|line| line == name), "{name}: {root}");
    }
    let data = machine.data.display().to_string();
    assert_eq!(
        machine.says(&format!("ls {data}")).await.trim(),
        "workspaces",
        "only the way to its own place is there"
    );
    for line in [format!("cat {data}/secret"), "echo x > /x".to_owned()] {
        let finished = machine.shell(&line).await;
        assert_ne!(finished.ending, Ending::Exited(Exit::Code(0)), "{line}: {finished:?}");
    }
    // programs see the system alone
    let strict = Command { profile: Profile::Strict, ..Command::shell("ls /", &machine.workspace) };
    assert_ne!(machine.run(strict).await.ending, Ending::Exited(Exit::Code(0)));
}

#[tokio::test]
async fn it_writes_in_its_workspace_and_nowhere_else() {
    for machine in turns() {
        assert_eq!(
            machine.says("echo mine > file && cat file && pwd").await,
            format!("mine\n{}\n", machine.workspace.display())
        );
        assert_eq!(std::fs::read_to_string(machine.workspace.join("file")).unwrap(), "mine\n");
        let mark = format!("orrery-escape-{}", std::process::id());
        machine.shell(&format!("echo x > /tmp/{mark}; echo x > /var/tmp/{mark}; echo x > /dev/shm/{mark}")).await;
        for place in ["/tmp", "/dev/shm"] {
            assert!(!std::path::Path::new(place).join(&mark).exists(), "{place}");
        }
    }
    // without Landlock the rights of the user are all that there is
    let machine = machine();
    let mark = format!("/var/tmp/orrery-escape-{}-2", std::process::id());
    assert_ne!(machine.shell(&format!("echo x > {mark}")).await.ending, crate::Ending::Exited(crate::Exit::Code(0)));
    assert!(!std::path::Path::new(&mark).exists());
}

#[tokio::test]
async fn the_server_cannot_be_signalled_or_looked_into() {
    let me = std::process::id();
    for machine in turns() {
        let finished = machine
            .shell(&format!("kill -9 {me}; kill -9 $PPID; cat /proc/{me}/environ /proc/$PPID/environ; echo over"))
            .await;
        // with a namespace of processes of its own, 1 is its keeper, which takes no signals
        assert!(finished.stdout.text.ends_with("over\n"), "{finished:?}");
        assert_eq!(finished.stdout.text, "over\n", "the environment of somebody else");
    }
}

#[tokio::test]
async fn its_environment_is_its_own() {
    let machine = machine();
    let text = machine.says("env | cut -d= -f1 | sort | tr '\\n' ' '").await;
    assert_eq!(text, "HOME NO_COLOR PATH PWD TERM ");
    let command = Command { env: vec![("A".into(), "b c".into())], ..Command::shell("echo $A", &machine.workspace) };
    assert_eq!(machine.run(command).await.stdout.text, "b c\n");
}

#[tokio::test]
async fn it_gets_no_descriptors() {
    for machine in [machine(), without(&NAMESPACES[1..])] {
        let listed = machine.shell("ls -l /proc/self/fd 2>/dev/null").await.stdout.text;
        assert!(!listed.contains("socket"), "{listed}");
    }
}

#[tokio::test]
async fn ports_of_the_server_are_closed_to_it() {
    let (server, other) = (listener(), listener());
    let port = |of: &std::net::TcpListener| of.local_addr().unwrap().port();
    let machine = closing(&[port(&server)]);
    let talk = async |machine: &Machine, code: &str, profile| {
        let program = Command::program("python3", &["-c", code], &machine.workspace);
        machine.run(Command { net: NetPolicy::All, profile, ..program }).await.stdout.text
    };
    let plain = |port| format!("import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('in')");
    let renamed =
        |port| format!("import socket; s = socket.socket(2, 1, 262); s.connect(('127.0.0.1', {port})); print('in')");
    let sent = |port| {
        format!(
            "import socket; s = socket.socket(2, 1); s.sendto(b'x', 0x20000000, ('127.0.0.1', {port})); print('in')"
        )
    };
    for profile in [Profile::Standard, Profile::Strict] {
        for code in [plain(port(&server)), renamed(port(&server)), sent(port(&server))] {
            assert_eq!(talk(&machine, &code, profile).await, "", "{code}");
        }
    }
    if machine.unix.layers().await.has(Layer::Landlock) {
        assert_eq!(talk(&machine, &plain(port(&other)), Profile::Standard).await, "in\n");
    }
    // who may do everything may do this
    assert_eq!(talk(&machine, &plain(port(&server)), Profile::Off).await, "in\n");
}

#[tokio::test]
async fn calls_under_other_numbers_are_refused() {
    let code = "import ctypes, errno, os; libc = ctypes.CDLL(None, use_errno=True); \
                libc.syscall(0x40000000 + 39); print(errno.errorcode[ctypes.get_errno()])";
    let machine = machine();
    if cfg!(target_arch = "x86_64") && machine.unix.layers().await.has(Layer::Seccomp) {
        let program = Command::program("python3", &["-c", code], &machine.workspace);
        assert_eq!(machine.run(program).await.stdout.text, "EPERM\n");
    }
}

fn listener() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap()
}

#[tokio::test]
async fn it_talks_to_whom_it_may() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let connect = format!("import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('connected')");
    let own = "import socket; s = socket.create_server(('127.0.0.1', 0)); \
               socket.create_connection(s.getsockname()); print('own')";
    for machine in [machine(), without(&MOUNTS)] {
        let talk = async |net, code: &str| {
            let program = Command::program("python3", &["-c", code], &machine.workspace);
            machine.run(Command { net, ..program }).await.stdout.text
        };
        assert_eq!(talk(NetPolicy::All, &connect).await, "connected\n");
        assert_eq!(talk(NetPolicy::Loopback, &connect).await, "");
        assert_eq!(talk(NetPolicy::None, &connect).await, "");
        assert_eq!(talk(NetPolicy::None, own).await, "");
        let udp =
            format!("import socket; s = socket.socket(2, 2); s.sendto(b'x', ('127.0.0.1', {port})); print('sent')");
        assert_eq!(talk(NetPolicy::None, &udp).await, "");
    }
    let machine = machine();
    let program = Command::program("python3", &["-c", own], &machine.workspace);
    if machine.unix.layers().await.has(Layer::NetNamespace) {
        assert_eq!(machine.run(program).await.stdout.text, "own\n");
    }
}

#[tokio::test]
async fn calls_that_change_the_machine_are_refused() {
    let machine = machine();
    for line in ["unshare -Ur true", "unshare -m true", "mount -t tmpfs x /mnt", "umount /proc", "chroot / true"] {
        let finished = machine.shell(line).await;
        assert_ne!(finished.ending, crate::Ending::Exited(crate::Exit::Code(0)), "{line}");
    }
    let code = "import ctypes, os; l = ctypes.CDLL(None, use_errno=True); \
                print([(l.syscall(n, 0, 0, 0, 0), ctypes.get_errno()) for n in (101, 425, 321, 272)])";
    if cfg!(target_arch = "x86_64") {
        let program = Command::program("python3", &["-c", code], &machine.workspace);
        assert_eq!(machine.run(program).await.stdout.text, "[(-1, 1), (-1, 1), (-1, 1), (-1, 1)]\n");
    }
    assert_eq!(machine.says("grep NoNewPrivs /proc/self/status | tr -d '[:space:]'").await, "NoNewPrivs:1");
}

#[tokio::test]
async fn programs_see_the_system_only() {
    let machine = machine();
    let strict = |line: &str| Command { profile: Profile::Strict, ..Command::shell(line, &machine.workspace) };
    let python = machine.run(strict("python3 -c 'print(1 + 1)'; echo x > y; cat y")).await;
    assert_eq!(python.stdout.text, "2\nx\n", "{python:?}");
    let elsewhere = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = elsewhere.path().join("file");
    std::fs::write(&file, "of somebody").unwrap();
    let line = format!("cat {}", file.display());
    assert_eq!(machine.run(strict(&line)).await.stdout.text, "");
    assert_eq!(machine.says(&line).await, "of somebody");
}

#[tokio::test]
async fn bounds_hold() {
    for machine in [machine(), without(&NAMESPACES)] {
        let mib = 1_024 * 1_024;
        let limits = Limits { file: mib, memory: 512 * mib, ..limits(std::time::Duration::from_secs(60)) };
        let run =
            async |line: &str| machine.unix.run(Command::shell(line, &machine.workspace), limits, None).await.unwrap();
        run("head -c 5000000 /dev/zero > big").await;
        assert_eq!(std::fs::metadata(machine.workspace.join("big")).unwrap().len(), mib);
        let hungry = run("python3 -c 'x = bytearray(1 << 30); print(len(x))'").await;
        assert_eq!(hungry.stdout.text, "", "{hungry:?}");
        assert_eq!(run("ulimit -c; umask").await.stdout.text, "0\n0077\n");
    }
}

#[tokio::test]
async fn without_a_sandbox_the_limits_hold() {
    let machine = machine();
    let command =
        Command { profile: Profile::Off, ..Command::shell("cat ../../secret; ulimit -c", &machine.workspace) };
    assert_eq!(machine.run(command).await.stdout.text, "planted0\n");
}

#[tokio::test]
async fn sockets_that_are_hidden_answer_nobody() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = folder.path().canonicalize().unwrap().join("service.sock");
    let _server = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let code = format!("import socket; socket.socket(1).connect('{}'); print('in')", path.display());
    let ask = async |machine: &Machine| {
        let program = Command::program("python3", &["-c", &code], &machine.workspace);
        machine.run(program).await.stdout.text
    };
    for hidden in [path.clone(), folder.path().canonicalize().unwrap()] {
        let machine = hiding(&[hidden]);
        if machine.unix.layers().await.has(Layer::MountNamespace) {
            assert_eq!(ask(&machine).await, "");
        }
    }
}
