//! Faults of the server that the Localhost document was first served by, as regressions: each by its number. Those that
//! another test holds stand here by its name.
//!
//! | fault | held by |
//! | --- | --- |
//! | A2 tokens against forged requests that anybody could read, PATCH unchecked | `files::the_operator_at_the_machine_itself`, `files::sessions_in_headers_and_cookies` |
//! | A3 a list of commands that was easily passed by, and stopped harmless ones | `orrery_exec::guard` (both lists) |
//! | A8 uploads without a bound, two at once past the quota | `files::the_edge_of_the_quota` |
//! | A9 the store's own files for download | `files::files_up_and_down` |
//! | A10 a name tried, then written | `files::files_up_and_down` (twenty of one name); here, a kill |
//! | A11 projects of one second in one folder | `files::programs_and_projects` (a burst) |
//! | A13 archives that leave their folder | `files::programs_and_projects`, `orrery_storage::zip` |
//! | A14 stored pages shown as the server's own | `files::files_up_and_down` |
//! | A15, A16 keys of any type, 500 for bad input | `files::documents_survive_a_kill_and_parallel_writers`, `badinput` |
//! | A17 sessions without an end | `crates/app/tests/exec.rs`: `sessions_are_capped`, `idle_sessions_end`; here, silent ones |
//! | A23 whoever had the port was killed | `lifecycle::a_busy_port_is_a_clear_error` |
//! | A24 secrets that everybody knows | `auth::published_secrets_are_refused_at_start` |
//! | A27 passwords compared byte by byte | `orrery_crypto::password`; hashes by bcrypt alone |
//! | A32 one map for all writers | `files::documents_survive_a_kill_and_parallel_writers`, `orrery_testkit::kept`; here, a kill |

use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::client::PASSWORD;
use e2e::{Answer, Client, Gateway, Options, at_once, eventually};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::files::{FORM, archive, fails, form, local, upload};

/// A server and somebody who may run commands there.
async fn house() -> (Gateway, Client) {
    let gateway = Gateway::start(Options::default()).await;
    let operator = gateway.user_of_role("op@example.com", "operator").await;
    (gateway, operator)
}

async fn run(client: &Client, command: &str) -> Answer {
    client.post("/api/execute", &json!({"command": command})).await
}

async fn script(client: &Client, name: &str, text: &str) -> String {
    let made = upload(client, "/api/programs/upload", &[("file", Some(name), text.as_bytes())]).await.expect(200);
    made.text("program_id").to_owned()
}

/// Any page that the user visited could run commands: no token, and every origin was let in.
#[tokio::test]
async fn a01_other_sites_cannot_act() {
    let gateway = local().await;
    let client = gateway.client();
    let token = client.get("/api/csrf").await.expect(200).text("csrf_token").to_owned();
    for path in ["/api/execute", "/api/data", "/api/terminal/create", "/api/programs/upload", "/api/v1/backup"] {
        let asks = [("origin", "http://evil.example"), ("access-control-request-method", "POST")];
        let preflight = client.send("OPTIONS", path, &asks, None).await;
        assert!(preflight.header("access-control-allow-origin").is_none(), "{path} lets others in");
        for with in [None, Some(("x-csrf-token", token.as_str()))] {
            let headers: Vec<_> = [("origin", "http://evil.example")].into_iter().chain(with).collect();
            let refused = client.send("POST", path, &headers, Some(br#"{"command":"id"}"#.to_vec())).await;
            fails(&refused, 403, "authorization");
            assert!(refused.header("access-control-allow-origin").is_none(), "{path}");
        }
        // a name that somebody else's DNS points here
        let rebound = client.send("POST", path, &[("host", "evil.example"), ("x-csrf-token", &token)], None).await;
        assert_eq!(rebound.status, 421, "{path}");
    }
}

/// Nothing looked at commands at all, on any of the ways to run one.
#[tokio::test]
async fn a04_slips_are_refused_everywhere() {
    let (_gateway, op) = house().await;
    let zip = archive(&[("main.py", b"print(2)", 0o100_644)]);
    let project = upload(&op, "/api/programs/upload-zip", &[("file", Some("p.zip"), &zip)]).await.expect(200);
    let id = project.text("project_id").to_owned();
    let shell = op.post("/api/terminal/create", &json!({})).await.expect(200).text("session_id").to_owned();
    let mine = op.post("/api/programs-terminal/init", &json!({})).await.expect(200).text("session_id").to_owned();
    let ways = [
        ("/api/execute".to_owned(), json!({})),
        ("/api/execute".to_owned(), json!({"interactive": true})),
        ("/api/execute/interactive".to_owned(), json!({})),
        (format!("/api/programs/execute-terminal/{id}"), json!({})),
        (format!("/api/programs/execute-terminal/{id}"), json!({"interactive": true})),
        (format!("/api/terminal/execute/{shell}"), json!({})),
        ("/api/programs-terminal/execute".to_owned(), json!({"session_id": mine})),
    ];
    for (path, body) in ways {
        for command in ["rm -rf /", "rm -fr --no-preserve-root /", "sudo mkfs.ext4 /dev/sda", ":(){ :|:& };:"] {
            let mut body = body.clone();
            body["command"] = json!(command);
            fails(&op.post(&path, &body).await, 400, "validation");
        }
    }
}

/// Arguments were joined into a shell's text, and the password of sudo with them.
#[tokio::test]
async fn a05_arguments_are_no_commands() {
    let (gateway, op) = house().await;
    let id = script(&op, "args.py", "import sys\nprint(sys.argv[1:])").await;
    let path = format!("/api/programs/execute/{id}");
    for body in
        [json!({"arguments": "'; id' '$(id)' '`id`' '| id'"}), json!({"args": ["; id", "$(id)", "`id`", "| id"]})]
    {
        let done = op.post(&path, &body).await.expect(200);
        assert_eq!(done.text("stdout").trim(), "['; id', '$(id)', '`id`', '| id']");
    }
    let secret = "sud0-passw0rd-marker-4711";
    for path in ["/api/execute", "/api/execute/interactive", &path] {
        let refused = op.post(path, &json!({"command": "id", "sudo_password": secret})).await;
        fails(&refused, 403, "authorization");
        assert!(!refused.body.to_string().contains(secret), "{path}");
    }
    assert!(!gateway.logs().contains(secret));
}

/// Lines that spoke of the password were dropped, so that a wrong one looked like success.
#[tokio::test]
async fn a06_a_wrong_sudo_password_is_a_failure() {
    use std::os::unix::fs::PermissionsExt;
    let tools = tempfile::tempdir().unwrap();
    // takes the password as `sudo -S` does, and has its words
    let sudo = "#!/bin/sh\nread -r given\n[ \"$given\" = right ] || { echo 'Sorry, try again.' >&2; \
                echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }\nwhile [ \"$1\" != -- ]; do shift; done\n\
                shift\nexec \"$@\"\n";
    let path = tools.path().join("sudo");
    std::fs::write(&path, sudo).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(tools.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let options = Options::default()
        .env("ORRERY_EXEC__ALLOW_SUDO", "true")
        .env("ORRERY_EXEC__PATH", &format!("{}:/usr/bin:/bin", tools.path().display()));
    let gateway = Gateway::start(options).await;
    let op = gateway.user_of_role("op@example.com", "operator").await;
    let ask = async |password: &str| {
        op.post("/api/execute", &json!({"command": "echo done", "sudo_password": password})).await
    };
    let wrong = "wr0ng-sudo-marker-815";
    let refused = ask(wrong).await;
    fails(&refused, 403, "authorization");
    assert!(!refused.body.to_string().contains(wrong));
    assert_eq!(ask("right").await.expect(200).text("stdout"), "done\n");
    assert!(!gateway.logs().contains(wrong));
}

/// Whoever named another address had a window of their own, and one full window shut out everything.
#[tokio::test]
async fn a07_windows_are_by_peer_and_tier() {
    let gateway = Gateway::start(Options::default().env("ORRERY_LIMITS__COMMAND_MAX", "2")).await;
    let op = gateway.user_of_role("op@example.com", "operator").await;
    for _ in 0..2 {
        run(&op, "true").await.expect(200);
    }
    for n in 0..3 {
        let spoofed = [("x-forwarded-for", format!("203.0.113.{n}")), ("x-real-ip", format!("203.0.113.{n}"))];
        let headers: Vec<_> = spoofed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = op.send("POST", "/api/execute", &headers, Some(br#"{"command":"true"}"#.to_vec())).await;
        fails(&refused, 429, "rate_limit");
    }
    op.get("/api/data").await.expect(200);
    upload(&op, "/api/files/upload", &[("file", Some("a.txt"), b"x")]).await.expect(200);
}

/// Files and their index were written over in place, and a crash left half of either.
#[tokio::test]
async fn a10_a_kill_leaves_the_whole_or_nothing() {
    let mut gateway = Gateway::start(Options::default()).await;
    gateway.client().register("ann@example.com").await;
    for round in 0..3_u8 {
        let ann = gateway.client().login("ann@example.com").await;
        let kept: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut writers = JoinSet::new();
        for n in 0..4_u8 {
            let (writer, kept) = (ann.clone(), kept.clone());
            writers.spawn(async move {
                let bytes = vec![n + round; 300_000];
                let form = form(&[("file", Some("big.bin"), &bytes)]);
                while let Ok(answer) = writer.try_send("POST", "/api/files/upload", &[FORM], Some(form.clone())).await {
                    kept.lock().unwrap().push(answer.expect(200).text("filename").to_owned());
                }
            });
            let ann = ann.clone();
            writers.spawn(async move {
                for i in 0.. {
                    let value = json!({"n": i, "again": vec![i; 500]});
                    let body = json!({"key": format!("k{n}"), "value": value}).to_string().into_bytes();
                    if ann.try_send("POST", "/api/data", &[], Some(body)).await.is_err() {
                        return;
                    }
                }
            });
        }
        eventually("some uploads are through", Duration::from_secs(30), async || {
            let there = kept.lock().unwrap().len();
            if there >= 8 { Ok(()) } else { Err(format!("{there}")) }
        })
        .await;
        gateway.kill9();
        writers.join_all().await;
        gateway.restart().await;
        let ann = gateway.client().login("ann@example.com").await;
        let list = ann.get("/api/files/list").await.expect(200);
        let listed: Vec<&str> =
            list.body["files"].as_array().unwrap().iter().map(|f| f["filename"].as_str().unwrap()).collect();
        for name in kept.lock().unwrap().iter() {
            assert!(listed.contains(&name.as_str()), "{name} was acknowledged");
        }
        for name in listed {
            let bytes = ann.get(&format!("/api/files/download/{name}")).await.expect(200).bytes;
            assert!(bytes.len() == 300_000 && bytes.iter().all(|b| *b == bytes[0]), "{name} is half");
        }
        for n in 0..4 {
            let value = ann.get(&format!("/api/data/k{n}")).await.expect(200).body["value"].clone();
            let all = value["again"].as_array().unwrap();
            assert!(all.len() == 500 && all.iter().all(|again| *again == value["n"]), "a value of two writes");
        }
    }
}

/// Paths were compared as texts and cleaned by cutting `..` out.
#[tokio::test]
async fn a12_paths_stay_in_their_folder() {
    let (gateway, op) = house().await;
    std::fs::write(gateway.data_dir().join("programs-evil"), "print('evil')").unwrap();
    let zip = archive(&[("main.py", b"print(2)", 0o100_644)]);
    let project = upload(&op, "/api/programs/upload-zip", &[("file", Some("p.zip"), &zip)]).await.expect(200);
    let id = project.text("project_id").to_owned();
    for path in
        ["../main.py", "....//main.py", "..%2fmain.py", "/etc/passwd", "main.py\0", "a/../../main.py", "..\\main.py"]
    {
        let body = json!({"specific_file": path});
        let refused = op.post(&format!("/api/programs/execute/{id}"), &body).await;
        assert!([400, 404].contains(&refused.status), "{path}: {} {}", refused.status, refused.body);
        let refused = op.post(&format!("/api/programs/project/{id}/set-main"), &json!({"main_file": path})).await;
        fails(&refused, 400, "validation");
    }
    for path in ["../../programs-evil", "..%2f..%2fprograms-evil", "....//programs-evil", "%00"] {
        let path = path.replace('/', "%2F");
        fails(&op.get(&format!("/api/programs/info/{path}")).await, 404, "not_found");
        fails(&op.get(&format!("/api/files/download/{path}")).await, 404, "not_found");
    }
    // a program that puts a link in its own folder does not lead the server out of it
    let link = json!({"command": "rm main.py && ln -s /etc/passwd main.py"});
    op.post(&format!("/api/programs/execute-terminal/{id}"), &link).await.expect(200);
    let refused = op.post(&format!("/api/programs/execute/{id}"), &json!({})).await;
    assert!((400..500).contains(&refused.status), "{} {}", refused.status, refused.body);
    for text in [refused.body.to_string(), op.get(&format!("/api/programs/info/{id}")).await.body.to_string()] {
        assert!(!text.contains("root:"), "{text}");
    }
}

/// A program that says nothing was a 500, and its process stayed; an old prompt was taken for a new one.
#[tokio::test]
async fn a17_silent_sessions_go_on() {
    let (_gateway, op) = house().await;
    let begun = op.post("/api/execute/interactive", &json!({"command": "cat"})).await.expect(200);
    assert_eq!((&begun.body["waiting_for_input"], &begun.body["completed"]), (&json!(true), &json!(false)));
    let session = begun.text("session_id").to_owned();
    let typed = async |input: &str| {
        op.post("/api/execute/send-input", &json!({"session_id": session, "input": input})).await.expect(200)
    };
    for _ in 0..2 {
        let answer = typed("Enter y/n\n").await;
        assert_eq!((answer.text("output"), &answer.body["waiting_for_input"]), ("Enter y/n\n", &json!(true)));
    }
    op.post("/api/execute/terminate-session", &json!({"session_id": session})).await.expect(200);
    let gone = op.post("/api/execute/send-input", &json!({"session_id": session, "input": "x"})).await;
    fails(&gone, 404, "not_found");
    let python = op.post("/api/execute/interactive", &json!({"command": "python3"})).await.expect(200);
    assert!(python.text("output").contains(">>>") && !python.text("output").contains("EOF"), "{}", python.body);
}

/// The time limit ended the shell and left its children; output had no bound.
#[tokio::test]
async fn a18_time_and_output_are_bounded() {
    let (_gateway, op) = house().await;
    let mark = "271.828182845";
    let asked = json!({"command": format!("setsid sleep {mark} & sleep {mark} & wait"), "timeout": 1});
    fails(&op.post("/api/execute", &asked).await, 408, "system");
    eventually("what was started is gone", Duration::from_secs(10), async || {
        let there = processes().into_iter().filter(|line| line.contains(mark)).count();
        if there == 0 { Ok(()) } else { Err(format!("{there} are left")) }
    })
    .await;
    let much = run(&op, "yes | head -c 20000000; echo the end").await.expect(200);
    assert_eq!(much.body["truncated"], true);
    assert!(much.text("stdout").len() < 4_000_000 && much.text("stdout").ends_with("the end\n"));
}

/// Command lines of the machine's processes.
fn processes() -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let line = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    entries.filter_map(line).map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

/// Commands had the server's environment and its standard input.
#[tokio::test]
async fn a19_commands_have_nothing_of_the_servers() {
    let secret = "the-0perators-own-signing-secret-2718281828459045";
    let gateway = Gateway::start(Options::default().env("JWT_SECRET", secret).env("MARKER", "m4rker")).await;
    let op = gateway.user_of_role("op@example.com", "operator").await;
    let done = run(&op, "env; cat; cat /proc/*/environ 2>/dev/null; echo over").await.expect(200);
    let text = done.text("stdout");
    assert!(text.ends_with("over\n"), "standard input is at its end: {text}");
    assert!(text.contains("PATH=") && !text.contains(secret) && !text.contains("m4rker"), "{text}");
    assert!(!text.contains("ORRERY_"), "{text}");
}

/// A prompt was whatever looked like one, so that output was cut and came with the next command.
#[tokio::test]
async fn a20_output_that_looks_like_a_prompt_comes_whole() {
    let (_gateway, op) = house().await;
    let shell = op.post("/api/terminal/create", &json!({})).await.expect(200).text("session_id").to_owned();
    let path = format!("/api/terminal/execute/{shell}");
    for text in ["a > b $ #", "$ ", "> ", "user@host:~# "] {
        let said = op.post(&path, &json!({"command": format!("echo '{text}'; echo after")})).await.expect(200);
        assert_eq!(said.text("output"), format!("{text}\nafter\n"));
    }
    op.post(&path, &json!({"command": "cd /tmp"})).await.expect(200);
    assert_eq!(op.post(&path, &json!({"command": "pwd"})).await.expect(200).text("output"), "/tmp\n");
}

/// There was one shell for everybody; who came next ended it.
#[tokio::test]
async fn a21_shells_are_their_callers() {
    let (gateway, ann) = house().await;
    let bob = gateway.user_of_role("bob@example.com", "operator").await;
    let init = async |client: &Client| {
        client.post("/api/programs-terminal/init", &json!({})).await.expect(200).text("session_id").to_owned()
    };
    let (anns, bobs, second) = (init(&ann).await, init(&bob).await, init(&ann).await);
    let say = async |client: &Client, session: &str, command: &str| {
        client.post("/api/programs-terminal/execute", &json!({"session_id": session, "command": command})).await
    };
    for (client, session, mark) in [(&ann, &anns, "one"), (&bob, &bobs, "two"), (&ann, &second, "three")] {
        say(client, session, &format!("mark={mark}")).await.expect(200);
    }
    for (client, session, mark) in [(&ann, &anns, "one"), (&bob, &bobs, "two"), (&ann, &second, "three")] {
        assert_eq!(say(client, session, "echo $mark").await.expect(200).text("output"), format!("{mark}\n"));
    }
    fails(&say(&bob, &anns, "echo $mark").await, 404, "not_found");
    fails(&bob.post(&format!("/api/terminal/close/{anns}"), &json!({})).await, 404, "not_found");
}

/// What others had run, with its output, stood on a page for all.
#[tokio::test]
async fn a25_runs_are_their_owners() {
    let (gateway, ann) = house().await;
    let bob = gateway.user_of_role("bob@example.com", "operator").await;
    let id = script(&ann, "a.sh", "echo marker-of-ann").await;
    ann.post(&format!("/api/programs/execute/{id}"), &json!({})).await.expect(200);
    run(&ann, "echo another-marker-of-ann").await.expect(200);
    let info = ann.get(&format!("/api/programs/info/{id}")).await.expect(200);
    assert_eq!(info.body["program"]["history"].as_array().unwrap().len(), 1);
    fails(&bob.get(&format!("/api/programs/info/{id}")).await, 404, "not_found");
    for path in ["/api/programs/list", "/api/terminal/list", "/api/v1/dashboard", "/api/data", "/api/files/list"] {
        let seen = bob.get(path).await.expect(200);
        assert!(!seen.body.to_string().contains("marker-of-ann"), "{path}: {}", seen.body);
        fails(&bob.anonymous().get(path).await, 401, "authentication");
    }
    assert!(!gateway.logs().contains("marker-of-ann"), "neither commands nor their output are logged");
}

/// Registration took a lock twice, and every login waited for it.
#[tokio::test]
async fn a26_registrations_and_logins_at_once() {
    let gateway = Gateway::start(Options::default()).await;
    let client = gateway.client();
    client.register("ann@example.com").await;
    let statuses = at_once(12, |n| {
        let client = client.clone();
        async move {
            match n % 2 {
                0 => client.try_login("ann@example.com", PASSWORD).await.status,
                _ => {
                    let email = format!("user{n}@example.com");
                    let body = json!({"email": email, "name": "End To End", "password": PASSWORD});
                    client.post("/api/auth/register", &body).await.status
                }
            }
        }
    })
    .await;
    // who waits too long for a hash is told to come again
    assert!(statuses.iter().all(|s| [200, 201, 503].contains(s)), "{statuses:?}");
    assert!(statuses.contains(&200) && statuses.contains(&201), "{statuses:?}");
    client.try_login("ann@example.com", PASSWORD).await.expect(200);
}

/// Every path that was not there became a series of its own.
#[tokio::test]
async fn a28_unknown_paths_are_one_series() {
    let gateway = Gateway::start(Options::default()).await;
    let client = gateway.client();
    let series = async || {
        let text = String::from_utf8(client.get("/metrics").await.expect(200).bytes).unwrap();
        text.lines().filter(|line| line.starts_with("http_requests_total{")).map(str::to_owned).collect::<Vec<_>>()
    };
    client.get("/api/data/nothing").await.expect(401);
    client.get("/nothing").await.expect(404);
    let before = series().await.len();
    for n in 0..300 {
        client.get(&format!("/nothing-{n}")).await.expect(404);
        client.get(&format!("/api/data/k{n}")).await.expect(401);
    }
    let after = series().await;
    assert!(after.len() <= before + 2, "{before} became {}: {after:?}", after.len());
    assert!(!after.iter().any(|line| line.contains("nothing-")), "{after:?}");
}

/// Errors and listings named folders of the machine and the words of the framework.
#[tokio::test]
async fn a30_nothing_of_the_machine_is_told() {
    let (gateway, op) = house().await;
    let home = gateway.data_dir().to_string_lossy().into_owned();
    let zip = archive(&[("main.py", b"raise SystemExit(3)", 0o100_644)]);
    let project = upload(&op, "/api/programs/upload-zip", &[("file", Some("p.zip"), &zip)]).await.expect(200);
    let id = project.text("project_id").to_owned();
    let ran = op.post(&format!("/api/programs/execute/{id}"), &json!({})).await.expect(200);
    assert_eq!(ran.int("return_code"), 3, "a program that fails has still run");
    let broken = op.send("POST", "/api/data", &[], Some(b"{\"key\":".to_vec())).await;
    fails(&broken, 400, "validation");
    let form = op.send("POST", "/api/files/upload", &[FORM], Some(form(&[("file", Some(".."), b"x")]))).await;
    fails(&form, 400, "validation");
    let mut texts = vec![ran.body, broken.body, form.body, project.body];
    for path in [
        format!("/api/programs/info/{id}"),
        format!("/api/programs/project/{id}/files"),
        "/api/programs/list".into(),
        "/api/programs/storage-info".into(),
        "/api/files/storage-info".into(),
        "/api/v1/dashboard".into(),
        "/api/v1/health".into(),
        "/api/files/download/none".into(),
        "/api/nothing".into(),
    ] {
        texts.push(op.get(&path).await.body);
    }
    texts.push(op.post(&format!("/api/programs/execute-terminal/{id}"), &json!({"command": "true"})).await.body);
    for text in texts.iter().map(Value::to_string) {
        for told in [home.as_str(), "panicked", "serde", "axum", "sqlx", "src/", "Traceback", "os error"] {
            assert!(!text.contains(told), "{told:?} in {text}");
        }
    }
}

/// Two functions counted the same run.
#[tokio::test]
async fn a31_a_run_counts_once() {
    let (_gateway, op) = house().await;
    let id = script(&op, "once.sh", "exit 0").await;
    let path = format!("/api/programs/execute/{id}");
    op.post(&path, &json!({})).await.expect(200);
    let count = async || op.get(&format!("/api/programs/info/{id}")).await.body["program"]["execution_count"].clone();
    assert_eq!(count().await, 1);
    let ran = at_once(6, |_| {
        let (op, path) = (op.clone(), path.clone());
        async move { op.post(&path, &json!({})).await.status }
    })
    .await;
    let good = ran.iter().filter(|status| **status == 200).count();
    assert!(good > 0 && ran.iter().all(|s| [200, 429].contains(s)), "{ran:?}");
    assert_eq!(count().await, 1 + good);
}

/// Names and outputs became a page's HTML as they were.
#[tokio::test]
async fn a33_names_are_inert() {
    let (_gateway, op) = house().await;
    let evil = ["x'),alert(1);('.txt", "<img src=x onerror=alert(1)>.txt", "a`${alert(1)}`.txt", "a\u{202e}txt.html"];
    for name in evil {
        let file = upload(&op, "/api/files/upload", &[("file", Some(name), b"x")]).await.expect(200);
        let program = upload(
            &op,
            "/api/programs/upload",
            &[("file", Some(&name.replace(".txt", ".py")), b"1"), ("description", None, name.as_bytes())],
        )
        .await
        .expect(200);
        let project = upload(
            &op,
            "/api/programs/upload-multiple",
            &[("project_name", None, name.as_bytes()), ("files[]", Some("a.py"), b"1")],
        )
        .await
        .expect(200);
        for body in [file.body, program.body, project.body] {
            inert(&body, "");
        }
    }
    for path in ["/api/files/list", "/api/programs/list"] {
        inert(&op.get(path).await.expect(200).body, "");
    }
    let page = op.get("/").await.expect(200);
    assert!(!page.header("content-security-policy").unwrap().contains("unsafe-inline"));
}

/// Texts that pages put into HTML and into scripts of theirs have nothing to end either with.
fn inert(value: &Value, field: &str) {
    match value {
        // what its owner called it is told as it was, and no page of the document's time shows it
        Value::String(_) if field.starts_with("original") => {}
        Value::Object(fields) => fields.iter().for_each(|(name, value)| inert(value, name)),
        Value::Array(values) => values.iter().for_each(|value| inert(value, field)),
        Value::String(text) => {
            let bad = |c: char| "<>'\"`&".contains(c) || c == '\u{202e}' || c.is_control();
            assert!(!text.contains(bad), "{field}: {text}");
        }
        _ => {}
    }
}
