//! Commands and interactive sessions of the real server, and what holds them in.

use std::sync::Arc;

use e2e::{Client, Gateway, Options};
use serde_json::json;

async fn operator(options: Options) -> (Gateway, Client) {
    let gateway = Gateway::start(options).await;
    let client = gateway.user_of_role("op@example.com", "operator").await;
    (gateway, client)
}

#[tokio::test]
async fn a_command_runs_to_its_end() {
    let (gateway, client) = operator(Options::default()).await;
    let run = async |body: serde_json::Value| client.post("/api/execute", &body).await;
    let answer = run(json!({"command": "echo out; echo err >&2; exit 3"})).await.expect(200);
    let body = &answer.body;
    assert_eq!((answer.text("stdout"), answer.text("stderr"), answer.int("return_code")), ("out\n", "err\n", 3));
    assert_eq!(
        (&body["success"], &body["completed"], &body["output"]),
        (&json!(true), &json!(true), &json!("out\nerr\n"))
    );
    assert!(
        body["execution_time"].is_f64() && body["truncated"] == false && body["waiting_for_input"] == false,
        "{body}"
    );
    let late = run(json!({"command": "sleep 100 & sleep 100", "timeout": 1})).await.expect(408);
    assert!(late.text("error").contains("timed out after 1 seconds"), "{}", late.body);
    for slip in ["rm -rf /", "dd if=/dev/zero of=/dev/sda", "mkfs.ext4 /dev/sda"] {
        assert_eq!(run(json!({"command": slip})).await.expect(400).text("category"), "validation");
    }
    assert_eq!(run(json!({})).await.expect(400).text("error"), "Command is required");
    assert_eq!(run(json!({"command": "cat"})).await.expect(200).int("return_code"), 0, "its input is closed");
    let much = run(json!({"command": "head -c 3000000 /dev/zero | tr '\\0' x"})).await.expect(200);
    assert!(much.body["truncated"] == true && much.text("stdout").len() < 1_200_000);
    let denied = run(json!({"command": "id", "sudo_password": "PLANTEDpassword"})).await.expect(403);
    assert_eq!(denied.body["details"]["field"], "sudo_password");
    assert!(!gateway.logs().contains("PLANTED"));
}

#[tokio::test]
async fn sessions_answer_as_the_document_and_the_page_ask() {
    let (gateway, client) = operator(Options::default()).await;
    let started = client.post("/api/execute/interactive", &json!({"command": "python3 -q"})).await.expect(200);
    let (body, session) = (&started.body, started.text("session_id").to_owned());
    assert_eq!(started.text("message"), "Interactive session started");
    assert_eq!((&body["stdout"], &body["output"]), (&json!(">>> "), &json!(">>> ")), "{body}");
    assert_eq!(
        (&body["completed"], &body["return_code"], &body["waiting_for_input"]),
        (&json!(false), &json!(null), &json!(true))
    );
    // the document's input is sent as it is, without an echo
    let input = json!({"session_id": session, "input": "print('Hello World')\n"});
    let answer = client.post("/api/execute/send-input", &input).await.expect(200);
    assert_eq!((answer.text("output"), &answer.body["waiting_for_input"]), ("Hello World\n>>> ", &json!(true)));
    // the page's answer gets its line break here
    let response = json!({"session_id": session, "response": "6 * 7"});
    let answer = client.post("/api/execute/interactive", &response).await.expect(200);
    assert_eq!((answer.text("output"), &answer.body["completed"]), ("42\n>>> ", &json!(false)));
    let half = json!({"session_id": session, "input": "print("});
    client.post("/api/execute/send-input", &half).await.expect(200);
    let rest = json!({"session_id": session, "input": "'whole')\n"});
    assert_eq!(client.post("/api/execute/send-input", &rest).await.expect(200).text("output"), "whole\n>>> ");
    let other = gateway.user_of_role("other@example.com", "operator").await;
    other.post("/api/execute/send-input", &half).await.expect(404);
    let ended = json!({"session_id": session, "input": "exit(5)\n"});
    let answer = client.post("/api/execute/send-input", &ended).await.expect(200);
    assert_eq!((&answer.body["completed"], answer.int("return_code")), (&json!(true), 5), "{}", answer.body);
    client.post("/api/execute/interactive", &json!({"session_id": session})).await.expect(400);

    let page = json!({"command": "cat", "interactive": true});
    let started = client.post("/api/execute", &page).await.expect(200);
    let session = json!({"session_id": started.text("session_id")});
    let ended = client.post("/api/execute/terminate-session", &session).await.expect(200);
    assert_eq!(ended.text("message"), "Session terminated");
    let gone = client.post("/api/execute/terminate-session", &session).await.expect(404);
    assert_eq!(gone.text("error"), "Invalid or expired session");
}

#[tokio::test]
async fn what_runs_is_held_in() {
    let (gateway, client) = operator(Options::default()).await;
    client.post("/api/data", &json!({"key": "secret", "value": "PLANTEDvalue"})).await.expect(200);
    let run = async |line: String| {
        let answer = client.post("/api/execute", &json!({"command": line})).await.expect(200);
        (answer.int("return_code"), format!("{}{}", answer.text("stdout"), answer.text("stderr")))
    };
    let data = gateway.data_dir().canonicalize().unwrap();
    let root = data.display().to_string();
    let health = client.get("/api/v1/health").await.expect(200);
    let layers = health.body["data"]["sandbox"].as_object().unwrap_or_else(|| panic!("{}", health.body)).clone();
    let doctor = String::from_utf8_lossy(&gateway.command(&["doctor"], "").stdout).into_owned();
    for (layer, state) in &layers {
        let line = doctor
            .lines()
            .find(|line| line.contains(&format!("sandbox {layer}")))
            .unwrap_or_else(|| panic!("{doctor}"));
        assert_eq!(line.contains("active"), state == "active", "{layer}: {state} and {line}");
    }
    assert_eq!(layers.len(), 11);
    if layers["mount_namespace"] == "active" {
        let (code, listed) = run("ls /".into()).await;
        assert!(code == 0 && listed.lines().any(|line| line == "usr"), "{listed}");
    }
    for line in [
        format!("cat {root}/orrery.db"),
        format!("cat {root}/keys/* {root}/*.key {root}/jwt*"),
        format!("ls -R {root}; find {root} -type f -exec cat {{}} +"),
        "cat /proc/1/environ /proc/*/environ".to_owned(),
    ] {
        let (_, said) = run(line.clone()).await;
        for inside in ["PLANTED", "SQLite format", "JWT", "ORRERY_"] {
            assert!(!said.contains(inside), "{line}: {said}");
        }
    }
    let (code, said) = run(format!("kill -9 {}", gateway.pid())).await;
    assert_ne!(code, 0, "{said}");
    let port = gateway.host().rsplit(':').next().unwrap();
    let (code, _) =
        run(format!("exec 3<>/dev/tcp/127.0.0.1/{port} || bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'")).await;
    assert_ne!(code, 0, "commands do not reach the server");
    client.get("/health").await.expect(200);
}

#[test]
fn a_layer_that_is_required_and_missing_is_an_error_at_the_start() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let options = Options::default().env("ORRERY_SANDBOX__REQUIRE", "seccomp,landlock");
    let output = options.clone().env("ORRERY_SANDBOX__WITHOUT", "seccomp").run(data.path(), &["serve"], "");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("sandbox.require") && text.contains("seccomp"), "{text}");
    assert!(!text.contains("landlock ("), "what is there is not complained of: {text}");
}

#[tokio::test]
async fn what_runs_here_is_not_the_local_operator() {
    for (local_operator, says) in [("on", "out"), ("off", "in")] {
        let (gateway, client) = operator(Options::default().env("ORRERY_AUTH__LOCAL_OPERATOR", local_operator)).await;
        let port = gateway.host().rsplit_once(':').unwrap().1.to_owned();
        let command = format!("bash -c '(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo in || echo out'");
        let mut answer = client.post("/api/execute/interactive", &json!({"command": command})).await.expect(200);
        let asked = json!({"session_id": answer.text("session_id"), "input": ""});
        let mut output = answer.text("output").to_owned();
        // a busy machine takes longer than one answer waits
        for _ in 0..12 {
            if answer.body["completed"] == true {
                break;
            }
            answer = client.post("/api/execute/send-input", &asked).await.expect(200);
            output.push_str(answer.text("output"));
        }
        assert_eq!(output.trim(), says, "{local_operator}: {}", answer.body);
    }
}
