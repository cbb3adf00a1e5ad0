//! The web page of the Localhost document's time, served from `ORRERY_UI__DIR`: each call that it makes, in its words,
//! and the fields that it reads of the answer. Its sources are not here; the calls are those that were recorded.

use e2e::{Answer, Client, Gateway, LocaltunnelHost, Options};
use serde_json::{Value, json};

use super::files::{FORM, form};
use super::tunnels::{CLOUDFLARED, NGROK, Programs, gone};

/// The page's own words of where it is.
const PAGE: &str = "<html><head><link rel=\"stylesheet\" href=\"{{ url_for('static', filename='style.css') }}\"></head>\
    <body><script src=\"{{ url_for('static', filename='main.js') }}\"></script></body></html>";

/// The page in a browser on the server's own machine: its origin, its cookie, and the token that its script adds.
struct Page {
    client: Client,
    cookie: String,
    token: String,
}

impl Page {
    async fn open(gateway: &Gateway) -> Self {
        let client = gateway.client();
        let page = client.get("/ui/").await.expect(200);
        let text = String::from_utf8(page.bytes.clone()).unwrap();
        let token = text.split("name=\"csrf-token\" content=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let cookie = page.header("set-cookie").map(|c| c.split(';').next().unwrap_or_default().to_owned());
        for asked in ["/static/style.css", "/static/main.js"] {
            assert!(text.contains(&format!("\"{asked}\"")), "{text}");
            client.get(asked).await.expect(200);
        }
        Self { client, cookie: cookie.unwrap_or_default(), token }
    }

    async fn send(&self, method: &str, path: &str, kind: Option<&str>, body: Option<Vec<u8>>) -> Answer {
        let origin = self.client.base().to_owned();
        let mut headers = vec![("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")];
        headers.extend(kind.map(|kind| ("content-type", kind)));
        if !self.cookie.is_empty() {
            headers.push(("cookie", &self.cookie));
        }
        if method != "GET" && method != "HEAD" {
            headers.extend([("origin", origin.as_str()), ("x-csrf-token", self.token.as_str())]);
        }
        self.client.send(method, path, &headers, body).await
    }

    /// A call whose answer the page reads: anything but a 2xx it shows as an error.
    async fn reads(&self, method: &str, path: &str, body: Option<Value>, fields: &[&str]) -> Answer {
        let kind = body.is_some().then_some("application/json");
        let answer = self.send(method, path, kind, body.map(|b| b.to_string().into_bytes())).await;
        has(&answer, fields);
        answer
    }

    async fn post(&self, path: &str, body: Value, fields: &[&str]) -> Answer {
        self.reads("POST", path, Some(body), fields).await
    }

    async fn uploads(&self, path: &str, parts: &[(&str, Option<&str>, &[u8])], fields: &[&str]) -> Answer {
        let answer = self.send("POST", path, Some(FORM.1), Some(form(parts))).await;
        has(&answer, fields);
        answer
    }
}

/// The answer is a 2xx that has these fields; a dot goes into an object or into each of a list.
#[track_caller]
fn has(answer: &Answer, fields: &[&str]) {
    assert!((200..300).contains(&answer.status), "{} {}: {}", answer.asked, answer.status, answer.body);
    for field in fields {
        assert!(there(&answer.body, field), "{} has no {field}: {}", answer.asked, answer.body);
    }
}

fn there(value: &Value, path: &str) -> bool {
    let Some((first, rest)) = path.split_once('.') else { return value.get(path).is_some() };
    match value.get(first) {
        Some(Value::Array(all)) => !all.is_empty() && all.iter().all(|one| there(one, rest)),
        Some(one) => there(one, rest),
        None => false,
    }
}

async fn page() -> (Gateway, Page, tempfile::TempDir) {
    page_with(Options::default()).await
}

async fn page_with(options: Options) -> (Gateway, Page, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("static")).unwrap();
    std::fs::write(folder.path().join("index.html"), PAGE).unwrap();
    std::fs::write(folder.path().join("static/main.js"), "1").unwrap();
    std::fs::write(folder.path().join("static/style.css"), "a {}").unwrap();
    std::fs::write(folder.path().join("static/webserver-mobile.apk"), b"PK\x03\x04 an app").unwrap();
    let options =
        options.env("ORRERY_UI__DIR", folder.path().to_str().unwrap()).env("ORRERY_AUTH__LOCAL_OPERATOR", "on");
    let gateway = Gateway::start(options).await;
    let page = Page::open(&gateway).await;
    (gateway, page, folder)
}

#[tokio::test]
async fn what_it_asks_when_it_is_opened() {
    let (_gateway, page, _folder) = page().await;
    page.reads("GET", "/health", None, &[]).await;
    let command = json!({"command": "whoami && hostname && pwd"});
    let lines = page.post("/api/execute", command, &["success", "stdout", "stderr", "return_code"]).await;
    assert_eq!((&lines.body["success"], lines.int("return_code")), (&json!(true), 0));
    assert_eq!(lines.text("stdout").lines().count(), 3, "{}", lines.body);
    assert!(page.reads("GET", "/api/programs/list", None, &["programs"]).await.body["programs"].is_array());
    let files = ["files", "storage_info.file_count", "storage_info.used_mb", "storage_info.available_bytes"];
    let listed = page.reads("GET", "/api/files/list", None, &files).await;
    assert!(listed.body["storage_info"]["used_mb"].is_number(), "the page calls toFixed on it");
    let shell = page.reads("POST", "/api/programs-terminal/init", None, &["session_id", "working_dir"]).await;
    let line = json!({"session_id": shell.text("session_id"), "command": "echo 'a > b $'"});
    let said = page.post("/api/programs-terminal/execute", line, &["success", "output", "working_dir"]).await;
    assert_eq!(said.text("output"), "a > b $\n");
    let tunnels = page.reads("GET", "/api/tunnels/status", None, &["tunnels"]).await;
    for name in ["ngrok", "localtunnel", "cloudflared"] {
        let tunnel = &tunnels.body["tunnels"][name];
        assert!(tunnel["status"] == "stopped" && there(tunnel, "public_url"), "{}", tunnels.body);
    }
    page.reads("POST", "/api/tunnels/stop-all", None, &["success", "results"]).await;
    page.reads("GET", "/api/mobile/tunnel/status", None, &["data.running", "data.url"]).await;
    let data = ["data.storage", "data.totals", "data.recent_programs", "data.recent_requests", "data.server_time"];
    page.reads("GET", "/api/v1/dashboard", None, &data).await;
}

#[tokio::test]
async fn its_data() {
    let (_gateway, page, _folder) = page().await;
    // it sends every value as a text
    page.post("/api/data", json!({"key": "k", "value": "{\"a\": 1}"}), &["success"]).await;
    let all = page.reads("GET", "/api/data", None, &["data.k"]).await;
    assert_eq!(all.body["data"]["k"], json!({"a": 1}));
    let one = page.reads("GET", "/api/data/k", None, &["value", "value_string"]).await;
    assert_eq!(one.text("value_string"), "{\n  \"a\": 1\n}");
    page.reads("DELETE", "/api/data/k", None, &["success"]).await;
}

#[tokio::test]
async fn its_commands() {
    let (_gateway, page, _folder) = page().await;
    let failed = json!({"command": "echo out; echo err >&2; exit 3", "interactive": false});
    let failed = page.post("/api/execute", failed, &["stdout", "stderr", "return_code"]).await;
    assert_eq!((failed.text("stdout"), failed.text("stderr"), failed.int("return_code")), ("out\n", "err\n", 3));
    let asks = json!({"command": "bash -c 'read -p \"Continue? [y/N] \" x; echo got $x'", "interactive": true});
    let begun = page.post("/api/execute", asks, &["success", "stdout", "waiting_for_input", "session_id"]).await;
    assert_eq!((begun.text("stdout"), &begun.body["waiting_for_input"]), ("Continue? [y/N] ", &json!(true)));
    let answer = json!({"session_id": begun.text("session_id"), "response": "y"});
    let fields = ["success", "output", "completed", "return_code", "waiting_for_input"];
    let over = page.post("/api/execute/interactive", answer, &fields).await;
    assert_eq!((over.text("output"), &over.body["completed"], over.int("return_code")), ("got y\n", &json!(true), 0));
    let shell = page.reads("POST", "/api/terminal/create", None, &["success", "session_id", "cwd"]).await;
    let id = shell.text("session_id").to_owned();
    let line = json!({"command": "cd /tmp && pwd"});
    let said = page.post(&format!("/api/terminal/execute/{id}"), line, &["success", "output", "cwd"]).await;
    assert_eq!((said.text("output"), said.text("cwd")), ("/tmp\n", "/tmp"));
    page.reads("POST", &format!("/api/terminal/close/{id}"), None, &["success"]).await;
}

#[tokio::test]
async fn its_files() {
    let (_gateway, page, _folder) = page().await;
    let parts: [(&str, Option<&str>, &[u8]); 2] =
        [("files", Some("a.txt"), b"one"), ("files", Some("b.txt"), b"three")];
    let up = page.uploads("/api/files/upload", &parts, &["success", "message", "files.filename", "files.size"]).await;
    assert_eq!(up.body["files"].as_array().unwrap().len(), 2);
    let list = page.reads("GET", "/api/files/list", None, &["files.filename", "files.size"]).await;
    assert_eq!(list.body["storage_info"]["file_count"], 2);
    let name = up.body["files"][0]["filename"].as_str().unwrap();
    // a link, which the browser follows by itself
    assert_eq!(page.send("GET", &format!("/api/files/download/{name}"), None, None).await.expect(200).bytes, b"one");
    page.reads("DELETE", &format!("/api/files/delete/{name}"), None, &["success", "message"]).await;
    // the answer of an upload is read whatever its status is
    let refused =
        page.send("POST", "/api/files/upload", Some(FORM.1), Some(form(&[("files", Some("a.exe"), b"x")]))).await;
    assert!(refused.status == 400 && refused.body["success"] == false && !refused.text("error").is_empty());
}

#[tokio::test]
async fn its_programs() {
    let (_gateway, page, _folder) = page().await;
    let parts: [(&str, Option<&str>, &[u8]); 2] =
        [("file", Some("hi.py"), b"import sys; print('hi', *sys.argv[1:])"), ("description", None, b"says hi")];
    let fields = ["success", "program.filename", "program.program_type", "program.size", "program.program_id"];
    let single = page.uploads("/api/programs/upload", &parts, &fields).await;
    let parts: [(&str, Option<&str>, &[u8]); 6] = [
        ("path_one.sh", None, b"proj/one.sh"),
        ("path_two.sh", None, b"proj/lib/two.sh"),
        ("files[]", Some("one.sh"), b"echo one"),
        ("files[]", Some("two.sh"), b"echo two"),
        ("project_name", None, b"proj"),
        ("description", None, b""),
    ];
    let fields = ["success", "project.project_name", "project.file_count", "project.total_size", "project.project_id"];
    let project = page.uploads("/api/programs/upload-multiple", &parts, &fields).await;
    let item = ["type", "program_id", "filename", "program_type", "size", "total_size", "file_count", "upload_time"];
    let item = item.into_iter().chain(["last_executed", "execution_count", "description"]);
    let item: Vec<_> = item.map(|field| format!("programs.{field}")).collect();
    let list =
        page.reads("GET", "/api/programs/list", None, &item.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let listed = list.body["programs"].as_array().unwrap();
    assert!(listed.iter().all(|p| (p["type"] == "project") == p["project_id"].is_string()), "{}", list.body);
    let (id, of) =
        (project.body["project"]["project_id"].as_str().unwrap(), single.body["program"]["program_id"].as_str());
    let fields =
        ["program.type", "program.files.program_type", "program.files.is_executable", "program.files.relative_path"];
    page.reads("GET", &format!("/api/programs/info/{id}"), None, &fields).await;
    let fields = ["files.relative_path", "project.project_name", "project.total_size", "project.upload_time"];
    page.reads("GET", &format!("/api/programs/project/{id}/files"), None, &fields).await;

    let asked = json!({"args": ["a b", "c"], "use_sudo": false, "sudo_password": null, "interactive": false});
    let fields = ["success", "command", "program_type", "completed", "return_code", "stdout", "output"];
    let ran = page.post(&format!("/api/programs/execute/{}", of.unwrap()), asked, &fields).await;
    assert_eq!((ran.text("output"), ran.text("program_type")), ("hi a b c\n", "python"));
    let body = json!({"relative_path": "proj/lib/two.sh"});
    page.post(&format!("/api/programs/project/{id}/set-main"), body, &["success"]).await;
    let asked = json!({"args": [], "use_sudo": false, "interactive": false});
    let ran = page.post(&format!("/api/programs/execute/{id}"), asked, &fields).await;
    assert_eq!(ran.text("stdout"), "two\n");
    let asked = json!({"args": [], "interactive": false, "specific_file": "proj/one.sh"});
    assert_eq!(page.post(&format!("/api/programs/execute/{id}"), asked, &fields).await.text("stdout"), "one\n");
    let asked =
        json!({"command": "cd proj && ls | sort", "use_sudo": false, "sudo_password": null, "interactive": false});
    let fields = ["success", "command", "cwd", "completed", "return_code", "stdout", "output"];
    let said = page.post(&format!("/api/programs/execute-terminal/{id}"), asked, &fields).await;
    assert_eq!(said.text("stdout"), "lib\none.sh\n");
    // a question of the program's is answered on the same page
    let parts: [(&str, Option<&str>, &[u8]); 1] = [("file", Some("ask.py"), b"print('got', input('name? '))")];
    let ask = page.uploads("/api/programs/upload", &parts, &["program.program_id"]).await;
    let path = format!("/api/programs/execute/{}", ask.body["program"]["program_id"].as_str().unwrap());
    let begun =
        page.post(&path, json!({"args": [], "interactive": true}), &["stdout", "waiting_for_input", "session_id"]);
    let begun = begun.await;
    assert_eq!((begun.text("stdout"), &begun.body["waiting_for_input"]), ("name? ", &json!(true)));
    let answer = json!({"session_id": begun.text("session_id"), "response": "ann"});
    let over = page.post("/api/execute/interactive", answer, &["output", "completed"]).await;
    assert_eq!(over.text("output"), "got ann\n");
    page.reads("DELETE", &format!("/api/programs/delete/{id}"), None, &["success"]).await;
    // "delete all" names programs by their files
    page.reads("DELETE", "/api/programs/delete/hi.py", None, &["success"]).await;
}

#[tokio::test]
async fn a_project_that_nobody_knows_how_to_start() {
    let (_gateway, page, _folder) = page().await;
    let parts: [(&str, Option<&str>, &[u8]); 2] =
        [("files[]", Some("notes.txt"), b"1"), ("project_name", None, b"notes")];
    let project = page.uploads("/api/programs/upload-multiple", &parts, &["project.project_id"]).await;
    let path = format!("/api/programs/execute/{}", project.body["project"]["project_id"].as_str().unwrap());
    let asked = json!({"args": [], "interactive": false}).to_string().into_bytes();
    let refused = page.send("POST", &path, Some("application/json"), Some(asked)).await;
    assert_eq!((refused.status, &refused.body["need_main_file"]), (400, &json!(true)), "{}", refused.body);
    for field in [
        "project_id",
        "candidates.relative_path",
        "candidates.program_type",
        "candidates.size",
        "candidates.is_executable",
    ] {
        assert!(there(&refused.body, field), "{field}: {}", refused.body);
    }
}

#[tokio::test]
async fn its_tunnels() {
    let (host, programs) = (LocaltunnelHost::start().await, Programs::new());
    programs.add("cloudflared", CLOUDFLARED);
    programs.add("ngrok", NGROK);
    let options = programs.options().env("ORRERY_TUNNELS__LOCALTUNNEL_HOST", &host.url());
    let (_gateway, page, _folder) = page_with(options).await;
    let services = [
        ("ngrok", "https://my-app.ngrok.app"),
        ("localtunnel", "http://tidy-owl-7.lt.example"),
        ("cloudflared", "https://quiet-red-fox.trycloudflare.com"),
    ];
    let all = async |what: &str| {
        let all = page.reads("GET", "/api/tunnels/status", None, &["tunnels"]).await;
        services.map(|(name, _)| {
            let tunnel = &all.body["tunnels"][name];
            assert_eq!(tunnel["status"] == "running", tunnel["public_url"].is_string(), "{what}: {tunnel}");
            tunnel["public_url"].as_str().unwrap_or_default().to_owned()
        })
    };
    for (at, (name, url)) in services.into_iter().enumerate() {
        // it sends no body
        let start = format!("/api/{name}/start");
        let started = page.reads("POST", &start, None, &["success", "status", "public_url", "message"]).await;
        assert_eq!((started.text("status"), started.text("public_url")), ("running", url), "{name}");
        assert_eq!(all(name).await.iter().position(|found| found == url), Some(at), "{name}");
        let stopped = page.reads("POST", &format!("/api/{name}/stop"), None, &["success", "status"]).await;
        assert_eq!(stopped.text("status"), "stopped", "{name}");
        assert_eq!(all(name).await.concat(), "", "{name}");
        // of one that is not there it says the same
        page.reads("POST", &format!("/api/{name}/stop"), None, &["success", "status"]).await;
    }
    for (name, _) in services {
        page.post(&format!("/api/{name}/start"), json!({}), &["success", "public_url"]).await;
    }
    assert_eq!(all("all three").await, services.map(|(_, url)| url));
    let processes = [programs.processes("ngrok").await, programs.processes("cloudflared").await].concat();
    let over = page.reads("POST", "/api/tunnels/stop-all", None, &["success", "results"]).await;
    assert_eq!(over.body["results"], json!({"ngrok": true, "localtunnel": true, "cloudflared": true}));
    assert_eq!(all("none").await.concat(), "");
    gone(&processes).await;
}

#[tokio::test]
async fn its_telephone() {
    let programs = Programs::new();
    programs.add("cloudflared", CLOUDFLARED);
    let (gateway, page, _folder) = page_with(programs.options()).await;
    let asks = async |method: &str, what: &str| {
        let path = format!("/api/mobile/tunnel/{what}");
        let answer = page.reads(method, &path, None, &["success", "data.running", "data.url", "data.status"]).await;
        (answer.body["data"]["running"] == true, answer.body["data"]["url"].as_str().unwrap_or_default().to_owned())
    };
    let (none, there) = ((false, String::new()), (true, "https://quiet-red-fox.trycloudflare.com".to_owned()));
    assert_eq!(asks("GET", "status").await, none);
    assert_eq!(asks("POST", "start").await, there);
    assert_eq!(asks("GET", "status").await, there);
    assert_eq!(asks("POST", "stop").await, none);
    assert_eq!(asks("GET", "status").await, none);
    gone(&programs.processes("cloudflared").await).await;
    // a write of a page that has no token
    gateway.client().post("/api/mobile/tunnel/start", &json!({})).await.expect(403);

    // whether there is an app is asked before its link is shown
    let app = "/static/webserver-mobile.apk";
    let head = page.send("HEAD", app, None, None).await.expect(200);
    assert_eq!((head.header("content-length"), head.bytes.len()), (Some("11"), 0));
    assert_eq!(head.header("content-type"), Some("application/vnd.android.package-archive"));
    let whole = page.send("GET", app, None, None).await.expect(200);
    assert_eq!(whole.bytes, b"PK\x03\x04 an app");
    for method in ["HEAD", "GET"] {
        page.send(method, "/static/none.apk", None, None).await.expect(404);
    }
}
