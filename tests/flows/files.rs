//! The Localhost document: what users keep, who may, and what is left after a crash.

use e2e::client::PASSWORD;
use e2e::{Answer, Client, Gateway, Options, at_once};
use serde_json::{Value, json};

pub(super) const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=BOUNDARY");

/// A form of `(field, file name, content)`; without a file name it is a text.
pub(super) fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head = format!("--BOUNDARY\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(b"--BOUNDARY--\r\n");
    body
}

pub(super) async fn upload(client: &Client, path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Answer {
    client.send("POST", path, &[FORM], Some(form(parts))).await
}

/// An archive of stored files, with the mode on Unix of each.
pub(super) fn archive(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, data, mode) in files {
        let offset = u32::try_from(out.len()).unwrap().to_le_bytes();
        let crc = crc32fast::hash(data).to_le_bytes();
        let (size, name_len) = ((data.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
        let common = [b"\x14\0\0\x08\0\0\0\0\0\0".as_slice(), &crc, &size, &size, &name_len, &[0; 2]].concat();
        out.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), data].concat());
        directory.extend([b"PK\x01\x02\x14\x03", common.as_slice(), &[0; 6], &(mode << 16).to_le_bytes()].concat());
        directory.extend([&offset, name.as_bytes()].concat());
    }
    let (count, at) = ((files.len() as u16).to_le_bytes(), (out.len() as u32).to_le_bytes());
    let size = (directory.len() as u32).to_le_bytes();
    out.extend(directory);
    out.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &size, &at, &[0; 2]].concat());
    out
}

#[track_caller]
pub(super) fn fails(answer: &Answer, status: u16, category: &str) {
    assert_eq!((answer.status, &answer.body["category"]), (status, &json!(category)), "{}", answer.body);
    assert_eq!(answer.body["success"], false);
    let id = answer.text("error_id");
    let digits = id.strip_prefix("err_").and_then(|rest| rest.split_once('_')).unwrap();
    assert!(digits.0.bytes().chain(digits.1.bytes()).all(|b| b.is_ascii_digit()), "{id}");
}

pub(super) async fn local() -> Gateway {
    Gateway::start(Options::default().env("ORRERY_AUTH__LOCAL_OPERATOR", "on")).await
}

#[tokio::test]
async fn the_operator_at_the_machine_itself() {
    let gateway = local().await;
    let client = gateway.client();
    client.get("/api/data").await.expect(200);
    let csrf = client.get("/api/csrf").await.expect(200);
    let token = csrf.text("csrf_token").to_owned();
    let cookie = csrf.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(csrf.header("set-cookie").unwrap().contains("HttpOnly; SameSite="));
    let other = client.get("/api/csrf").await.expect(200).text("csrf_token").to_owned();
    let body = json!({"key": "a", "value": {"b": 1}}).to_string().into_bytes();
    let put = async |headers: &[(&str, &str)]| client.send("POST", "/api/data", headers, Some(body.clone())).await;
    // with its cookie, and as the document's examples do without
    put(&[("x-csrf-token", &token), ("cookie", &cookie)]).await.expect(200);
    put(&[("x-csrf-token", &token)]).await.expect(200);
    for (headers, why) in [
        (vec![], "without a token"),
        (vec![("x-csrf-token", "nonsense")], "a wrong one"),
        (vec![("x-csrf-token", other.as_str()), ("cookie", cookie.as_str())], "of another session"),
        (vec![("x-csrf-token", token.as_str()), ("origin", "http://evil.example")], "from another site"),
        (vec![("x-csrf-token", token.as_str()), ("sec-fetch-site", "cross-site")], "from another site"),
        (vec![("x-csrf-token", token.as_str()), ("origin", "null")], "from nowhere"),
    ] {
        let refused = put(&headers).await;
        fails(&refused, 403, "authorization");
        assert!(refused.header("access-control-allow-origin").is_none(), "{why}");
    }
    for (method, path) in [("PATCH", "/api/files/tus/1"), ("DELETE", "/api/data/a")] {
        fails(&client.send(method, path, &[("tus-resumable", "1.0.0")], None).await, 403, "authorization");
    }
    // whatever came through something is not from here
    for headers in [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1"), ("via", "1.1 x")] {
        fails(&client.send("GET", "/api/data", &[headers], None).await, 401, "authentication");
    }
    assert_eq!(client.send("GET", "/api/data", &[("host", "evil.example")], None).await.status, 421);
    fails(&client.send("GET", "/api/data", &[("sec-fetch-site", "cross-site")], None).await, 403, "authorization");
    // other documents ask who it is as ever
    client.get("/api/balance").await.refuses(401, "Access token required");
}

#[tokio::test]
async fn the_local_operator_stays_on_the_loopback() {
    let data = tempfile::tempdir().unwrap();
    let options = Options::default()
        .env("ORRERY_AUTH__LOCAL_OPERATOR", "on")
        .env("ORRERY_LISTEN", "0.0.0.0:0")
        .env("ORRERY_SERVER__ALLOW_PLAIN_HTTP", "true");
    let output = options.run(data.path(), &["serve"], "");
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && text.contains("auth.local_operator"), "{text}");
    assert!(!text.contains("listening on"), "{text}");
}

#[tokio::test]
async fn sessions_in_headers_and_cookies() {
    let gateway = Gateway::start(Options::default()).await;
    let (ann, _bob) =
        (gateway.client().register("ann@example.com").await, gateway.client().register("bob@example.com").await);
    let login = gateway.client().try_login("ann@example.com", PASSWORD).await.expect(200);
    let session = login.text("session_id").to_owned();
    let cookie = format!("session_id={session}");
    assert!(login.header("set-cookie").unwrap().starts_with(&cookie));
    let client = gateway.client();
    let write = async |headers: &[(&str, &str)]| {
        client.send("POST", "/api/data", headers, Some(br#"{"key":"k","value":1}"#.to_vec())).await
    };
    write(&[("x-session-id", &session)]).await.expect(200);
    fails(&write(&[("cookie", &cookie)]).await, 403, "authorization");
    let token = client.send("GET", "/api/csrf", &[("cookie", &cookie)], None).await.text("csrf_token").to_owned();
    write(&[("cookie", &cookie), ("x-csrf-token", &token)]).await.expect(200);
    let bob = gateway.client().try_login("bob@example.com", PASSWORD).await.expect(200);
    let bobs = format!("session_id={}", bob.text("session_id"));
    fails(&write(&[("cookie", &bobs), ("x-csrf-token", &token)]).await, 403, "authorization");
    fails(&write(&[("x-csrf-token", &token)]).await, 401, "authentication");
    assert_eq!(ann.get("/api/data/k").await.body["value"], 1, "the same account by its token");
    client.send("POST", "/api/auth/logout", &[("cookie", &cookie), ("x-csrf-token", &token)], None).await.expect(200);
    fails(&client.send("GET", "/api/data", &[("x-session-id", &session)], None).await, 401, "authentication");
    // a key that may read may not write
    let key = ann.post("/api/user/api-keys", &json!({"name": "k", "scopes": ["read"]})).await.expect(201);
    let reader = client.with_token(key.text("key"));
    reader.get("/api/data").await.expect(200);
    fails(&reader.post("/api/data", &json!({"key": "a", "value": 1})).await, 403, "authorization");
    let key = ann.post("/api/user/api-keys", &json!({"name": "f", "scopes": ["files"]})).await.expect(201);
    client.with_token(key.text("key")).post("/api/data", &json!({"key": "a", "value": 1})).await.expect(200);
}

#[tokio::test]
async fn documents_survive_a_kill_and_parallel_writers() {
    let mut gateway = Gateway::start(Options::default()).await;
    let ann = gateway.client().register("ann@example.com").await;
    let put = async |key: String, value: Value| ann.post("/api/data", &json!({"key": key, "value": value})).await;
    let stored = at_once(200, |i| {
        let ann = ann.clone();
        async move { ann.post("/api/data", &json!({"key": format!("k{i}"), "value": {"n": i}})).await.status }
    })
    .await;
    assert!(stored.iter().all(|status| *status == 200), "{stored:?}");
    for (value, kept, text) in [
        (json!("{\"a\":1}"), json!({"a": 1}), "{\n  \"a\": 1\n}"),
        (json!("5"), json!(5), "5"),
        (json!("null"), Value::Null, "null"),
        (json!("plain"), json!("plain"), "plain"),
        (json!([1, "é"]), json!([1, "é"]), "[\n  1,\n  \"é\"\n]"),
    ] {
        put("v".into(), value).await.expect(200);
        let got = ann.get("/api/data/v").await.expect(200);
        assert_eq!((&got.body["value"], got.text("value_string")), (&kept, text));
    }
    put("a/b c".into(), json!(1)).await.expect(200);
    assert_eq!(ann.get("/api/data/a%2Fb%20c").await.expect(200).body["value"], 1);
    for (body, field) in [
        (json!({"value": 1}), "key"),
        (json!({"key": "", "value": 1}), "key"),
        (json!({"key": 5, "value": 1}), "key"),
        (json!({"key": ["a"], "value": 1}), "key"),
        (json!({"key": "a"}), "value"),
    ] {
        let refused = ann.post("/api/data", &body).await;
        fails(&refused, 400, "validation");
        assert_eq!(refused.body["details"]["field"], field, "{body}");
    }
    fails(&ann.send("POST", "/api/data", &[], Some(b"{broken".to_vec())).await, 400, "validation");
    let large = "x".repeat(300_000);
    fails(&put("large".into(), json!(large)).await, 413, "validation");
    gateway.kill9();
    gateway.restart().await;
    let ann = gateway.client().login("ann@example.com").await;
    let all = ann.get("/api/data").await.expect(200);
    assert_eq!(all.int("count"), 202);
    assert!((0..200).all(|i| all.body["data"][format!("k{i}")]["n"] == i));
    ann.send("DELETE", "/api/data/k7", &[], None).await.expect(200);
    fails(&ann.send("DELETE", "/api/data/k7", &[], None).await, 404, "not_found");
    fails(&ann.get("/api/data/k7").await, 404, "not_found");
}

#[tokio::test]
async fn files_up_and_down() {
    let gateway = Gateway::start(Options::default()).await;
    let (ann, bob) =
        (gateway.client().register("ann@example.com").await, gateway.client().register("bob@example.com").await);
    let content = b"0123456789".as_slice();
    let up = upload(&ann, "/api/files/upload", &[("file", Some("my \u{202e}report.html"), content)]).await.expect(200);
    let name = up.text("filename").to_owned();
    assert!(name.starts_with("my_report_") && name.ends_with(".html"), "{name}");
    assert_eq!((up.text("original_name"), up.int("size")), ("my report.html", 10));
    let address = up.text("url").to_owned();
    let got = ann.get(&address).await.expect(200);
    assert_eq!(got.bytes, content);
    assert!(got.header("content-disposition").unwrap().starts_with("attachment; filename=\"my_report.html\""));
    assert!(got.header("content-security-policy").unwrap().starts_with("sandbox"));
    assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
    let tag = got.header("etag").unwrap().to_owned();
    for (headers, status, bytes) in [
        (vec![("range", "bytes=2-4")], 206, "234"),
        (vec![("range", "bytes=-3")], 206, "789"),
        (vec![("range", "bytes=20-")], 416, ""),
        (vec![("range", "bytes=2-4"), ("if-range", tag.as_str())], 206, "234"),
        (vec![("range", "bytes=2-4"), ("if-range", "\"stale\"")], 200, "0123456789"),
        (vec![("range", "bytes=0-1,4-5")], 200, "0123456789"),
        (vec![("if-none-match", tag.as_str())], 304, ""),
        (vec![("if-none-match", "\"other\"")], 200, "0123456789"),
    ] {
        let part = ann.send("GET", &address, &headers, None).await.expect(status);
        assert_eq!(part.bytes, bytes.as_bytes(), "{headers:?}");
    }
    let head = ann.send("HEAD", &address, &[], None).await.expect(200);
    assert_eq!((head.header("content-length"), head.bytes.len()), (Some("10"), 0));
    // nobody else's, and nothing that is not a file's name
    for path in [&address, "/api/files/download/..%2f..%2forrery.db", "/api/files/download/.file_metadata.json"] {
        fails(&bob.get(path).await, 404, "not_found");
    }
    fails(&bob.send("DELETE", &format!("/api/files/delete/{name}"), &[], None).await, 404, "not_found");
    assert_eq!(bob.get("/api/files/list").await.int("count"), 0);
    for bad in ["a.exe", "a.EXE", "a.exe.", "a.exe%20", "a.exe.txt", ".hidden", "", "..", "con.txt"] {
        let refused = upload(&ann, "/api/files/upload", &[("file", Some(bad), b"x")]).await;
        fails(&refused, 400, "validation");
    }
    for (kind, body) in [("application/json", "{}"), (FORM.1, "--BOUNDARY--\r\n"), (FORM.1, "broken")] {
        let body = Some(body.as_bytes().to_vec());
        fails(&ann.send("POST", "/api/files/upload", &[("content-type", kind)], body).await, 400, "validation");
    }
    let same = at_once(20, |_| {
        let ann = ann.clone();
        async move {
            let answer = upload(&ann, "/api/files/upload", &[("files", Some("same.txt"), b"x")]).await.expect(200);
            answer.text("filename").to_owned()
        }
    })
    .await;
    assert_eq!(same.iter().collect::<std::collections::BTreeSet<_>>().len(), 20);
    let list = ann.get("/api/files/list").await.expect(200);
    assert_eq!((list.int("count"), &list.body["storage_info"]["used_bytes"]), (21, &json!(30)));
    ann.send("DELETE", &format!("/api/files/delete/{name}"), &[], None).await.expect(200);
    fails(&ann.get(&address).await, 404, "not_found");
}

#[tokio::test]
async fn the_edge_of_the_quota() {
    let gateway = Gateway::start(Options::default().env("ORRERY_FILES__QUOTA_BYTES", "100000")).await;
    let ann = gateway.client().register("ann@example.com").await;
    let statuses = at_once(20, |_| {
        let ann = ann.clone();
        async move { upload(&ann, "/api/files/upload", &[("file", Some("a.bin"), &[7; 10_000])]).await.status }
    })
    .await;
    let kept = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!((kept, statuses.iter().filter(|status| **status == 413).count()), (10, 10), "{statuses:?}");
    let storage = ann.get("/api/files/storage-info").await.expect(200).body["storage"].clone();
    assert_eq!((&storage["used_bytes"], &storage["available_bytes"]), (&json!(100_000), &json!(0)));
    assert_eq!((&storage["usage_percent"], &storage["file_count"]), (&json!(100.0), &json!(10)));
    let blobs = gateway.data_dir().join("files");
    let arriving = std::fs::read_dir(blobs.join("arriving")).unwrap().count();
    assert_eq!(arriving, 0, "what was refused is gone");
    // declared too large: refused before it is sent
    let declared = ("content-length", "200000000");
    let refused = ann.try_send("POST", "/api/files/upload", &[FORM, declared], None).await;
    if let Ok(refused) = refused {
        fails(&refused, 413, "validation");
    }
}

#[tokio::test]
async fn uploads_that_go_on() {
    let mut gateway = Gateway::start(Options::default()).await;
    let (ann, bob) =
        (gateway.client().register("ann@example.com").await, gateway.client().register("bob@example.com").await);
    let tus = ("tus-resumable", "1.0.0");
    let meta = ("upload-metadata", "filename cmVwb3J0LnR4dA==");
    let made = ann.send("POST", "/api/files/tus", &[tus, meta, ("upload-length", "10")], None).await.expect(201);
    let place = made.header("location").unwrap().to_owned();
    let kind = ("content-type", "application/offset+octet-stream");
    let part = async |client: &Client, offset: &str, bytes: &[u8]| {
        client.send("PATCH", &place, &[tus, kind, ("upload-offset", offset)], Some(bytes.to_vec())).await
    };
    assert_eq!(part(&ann, "0", b"01234").await.expect(204).header("upload-offset"), Some("5"));
    assert_eq!(part(&ann, "3", b"x").await.status, 409);
    fails(&part(&bob, "5", b"x").await, 404, "not_found");
    assert_eq!(part(&ann, "5", b"0123456789").await.status, 413);
    gateway.kill9();
    gateway.restart().await;
    let ann = gateway.client().login("ann@example.com").await;
    let look = ann.send("HEAD", &place, &[tus], None).await.expect(200);
    assert_eq!((look.header("upload-offset"), look.header("upload-length")), (Some("5"), Some("10")));
    let done = part(&ann, "5", b"56789").await.expect(204);
    let file = ann.get(done.header("content-location").unwrap()).await.expect(200);
    assert_eq!(file.bytes, b"0123456789");
    let look = ann.send("HEAD", &place, &[tus], None).await.expect(200);
    assert_eq!(look.header("upload-offset"), Some("10"));
    let options = ann.send("OPTIONS", "/api/files/tus", &[], None).await.expect(204);
    assert!(options.header("tus-extension").unwrap().contains("creation"));
    assert_eq!(ann.send("POST", "/api/files/tus", &[("upload-length", "1")], None).await.status, 412);
    fails(&ann.send("POST", "/api/files/tus", &[tus, ("upload-length", "-1")], None).await, 400, "validation");
    fails(
        &ann.send("POST", "/api/files/tus", &[tus, ("upload-length", "999999999999")], None).await,
        413,
        "validation",
    );
    let storage = ann.get("/api/files/storage-info").await.body["storage"].clone();
    assert_eq!(storage["used_bytes"], 10);
}

#[tokio::test]
async fn programs_and_projects() {
    let gateway = Gateway::start(Options::default()).await;
    let (ann, bob) =
        (gateway.client().register("ann@example.com").await, gateway.client().register("bob@example.com").await);
    let single = upload(
        &ann,
        "/api/programs/upload",
        &[("file", Some("my script.py"), b"print(1)"), ("description", None, b"<img onerror=x>")],
    )
    .await
    .expect(200);
    assert_eq!(single.body["program"]["description"], "_img onerror=x_");
    let zip = archive(&[("src/util.py", b"x = 1", 0), ("main.py", b"print(2)", 0o100_644), ("notes/", b"", 0)]);
    let project =
        upload(&ann, "/api/programs/upload-zip", &[("file", Some("p.zip"), &zip), ("project_name", None, b"mine")])
            .await
            .expect(200);
    let id = project.text("project_id").to_owned();
    assert_eq!((project.text("project_name"), project.text("main_file")), ("mine", "main.py"));
    assert_eq!(project.body["files"], json!(["src/util.py", "main.py"]));
    let files = ann.get(&format!("/api/programs/project/{id}/files")).await.expect(200);
    assert_eq!((files.int("count"), &files.body["project"]["project_name"]), (2, &json!("mine")));
    let main = format!("/api/programs/project/{id}/set-main");
    assert_eq!(
        ann.post(&main, &json!({"main_file": "src/util.py"})).await.expect(200).text("main_file"),
        "src/util.py"
    );
    ann.post(&main, &json!({"relative_path": "main.py"})).await.expect(200);
    for path in ["../main.py", "nope.py", ""] {
        fails(&ann.post(&main, &json!({"main_file": path})).await, 400, "validation");
    }
    for bad in [
        archive(&[("../evil.py", b"x", 0)]),
        archive(&[("/etc/cron.d/evil", b"x", 0)]),
        archive(&[("a\\..\\evil.py", b"x", 0)]),
        archive(&[("link", b"/etc/passwd", 0o120_777)]),
        archive(&[("a.py", b"1", 0), ("A.py", b"2", 0)]),
        archive(&[("tool.exe", b"x", 0)]),
        b"not an archive".to_vec(),
        Vec::new(),
    ] {
        let refused = upload(&ann, "/api/programs/upload-zip", &[("file", Some("p.zip"), &bad)]).await;
        fails(&refused, 400, "validation");
    }
    let mut broken = archive(&[("a.py", b"print(1)", 0)]);
    broken[35] ^= 1;
    fails(&upload(&ann, "/api/programs/upload-zip", &[("file", Some("p.zip"), &broken)]).await, 400, "validation");
    let many = upload(
        &ann,
        "/api/programs/upload-multiple",
        &[
            ("path_a.py", None, b"src/a.py"),
            ("files[]", Some("a.py"), b"1"),
            ("files[]", Some("run.sh"), b"echo"),
            ("project_name", None, b"many"),
        ],
    )
    .await
    .expect(200);
    assert_eq!(many.body["files"], json!(["src/a.py", "run.sh"]));
    let burst = at_once(10, |_| {
        let (ann, zip) = (ann.clone(), zip.clone());
        async move {
            let answer = upload(&ann, "/api/programs/upload-zip", &[("file", Some("p.zip"), &zip)]).await.expect(200);
            answer.text("project_id").to_owned()
        }
    })
    .await;
    assert_eq!(burst.iter().collect::<std::collections::BTreeSet<_>>().len(), 10);
    let list = ann.get("/api/programs/list").await.expect(200);
    assert_eq!(list.int("count"), 13);
    assert!(!list.body.to_string().contains(&*gateway.data_dir().to_string_lossy()), "no path of this machine");
    let storage = ann.get("/api/programs/storage-info").await.expect(200).body["storage"].clone();
    assert_eq!((&storage["total_programs"], &storage["total_projects"]), (&json!(1), &json!(12)));
    for path in [format!("/api/programs/info/{id}"), format!("/api/programs/project/{id}/files")] {
        fails(&bob.get(&path).await, 404, "not_found");
    }
    fails(&bob.send("DELETE", &format!("/api/programs/delete/{id}"), &[], None).await, 404, "not_found");
    ann.send("DELETE", "/api/programs/delete/my_script.py", &[], None).await.expect(200);
    ann.send("DELETE", &format!("/api/programs/delete/{id}"), &[], None).await.expect(200);
    let arriving = gateway.data_dir().join("programs/arriving");
    assert_eq!(std::fs::read_dir(arriving).unwrap().count(), 0, "what was refused is gone");
    let dashboard = ann.get("/api/v1/dashboard").await.expect(200).body["data"].clone();
    assert_eq!((&dashboard["totals"]["projects"], &dashboard["recent_requests"]), (&json!(11), &json!([])));
}

#[tokio::test]
async fn every_tier_has_its_own_bound() {
    let names = [("API", "6"), ("UPLOAD", "2"), ("COMMAND", "2"), ("AUTH", "3"), ("TUNNEL", "2")];
    let options = names
        .iter()
        .fold(Options::default(), |options, (name, max)| options.env(&format!("ORRERY_LIMITS__{name}_MAX"), max));
    let gateway = Gateway::start(options).await;
    let ann = gateway.client().register("ann@example.com").await;
    for left in ["1", "0"] {
        let answer = upload(&ann, "/api/files/upload", &[("file", Some("a.txt"), b"x")]).await.expect(200);
        assert_eq!(
            (answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")),
            (Some("2"), Some(left))
        );
        assert!(answer.header("x-ratelimit-reset").unwrap().parse::<u64>().unwrap() > 1_700_000_000);
        assert!(answer.header("retry-after").is_none());
    }
    let spoofed = [FORM, ("x-forwarded-for", "203.0.113.9")];
    let refused = ann.send("POST", "/api/v1/files/upload", &spoofed, Some(form(&[]))).await;
    fails(&refused, 429, "rate_limit");
    assert!(refused.header("retry-after").is_some() && refused.int("retry_after") >= 1);
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    for _ in 0..6 {
        assert_ne!(ann.get("/api/data").await.status, 429, "one tier does not fill another");
    }
    fails(&ann.get("/api/data").await, 429, "rate_limit");
    for left in ["2", "1", "0"] {
        let failed = gateway.client().try_login("ann@example.com", "a wrong password").await.expect(401);
        assert_eq!(failed.header("x-ratelimit-remaining"), Some(left));
    }
    gateway.client().try_login("bob@example.com", "another").await.refuses(429, "Rate limit exceeded");
}

#[tokio::test]
async fn an_outside_web_ui() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("static")).unwrap();
    let page = "<html><head><script src=\"{{ url_for('static', filename='main.js') }}\"></script></head></html>";
    std::fs::write(folder.path().join("index.html"), page).unwrap();
    std::fs::write(folder.path().join("static/main.js"), "1").unwrap();
    let gateway = Gateway::start(Options::default().env("ORRERY_UI__DIR", folder.path().to_str().unwrap())).await;
    let client = gateway.client();
    let shown = client.get("/ui/").await.expect(200);
    let text = String::from_utf8(shown.bytes.clone()).unwrap();
    let token = text.split("name=\"csrf-token\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(token.len(), 43);
    assert!(text.contains("src=\"/static/main.js\"") && text.contains("/ui/orrery-csrf.js"), "{text}");
    assert!(shown.header("content-security-policy").unwrap().contains("'unsafe-inline'"));
    let script = client.get("/ui/orrery-csrf.js").await.expect(200);
    assert!(String::from_utf8_lossy(&script.bytes).contains("sessionStorage.setItem(\"csrf_token\""));
    client.get("/static/main.js").await.expect(200);
    for path in ["/static/none.js", "/ui/../orrery.toml", "/static/..%2f..%2fetc%2fpasswd"] {
        client.get(path).await.expect(404);
    }
    let own = client.get("/").await.expect(200);
    assert!(!own.header("content-security-policy").unwrap().contains("unsafe"));
    client.get("/api/docs").await.expect(200);
}
