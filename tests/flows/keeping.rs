//! What users keep, over its life: uploads with checksums, backups that hold it, users who leave.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::{Answer, Client, Gateway, Options, eventually};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::files::{FORM, archive, fails, form, upload};

const PATIENCE: Duration = Duration::from_secs(60);
const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const KIND: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn sha256(bytes: &[u8]) -> String {
    format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)))
}

async fn part(client: &Client, place: &str, offset: &str, sum: &str, bytes: &[u8]) -> Answer {
    let headers = [TUS, KIND, ("upload-offset", offset), ("upload-checksum", sum)];
    client.send("PATCH", place, &headers, Some(bytes.to_vec())).await
}

#[tokio::test]
async fn parts_with_checksums() {
    let gateway = Gateway::start(Options::default()).await;
    let ann = gateway.client().register("ann@example.com").await;
    let options = ann.send("OPTIONS", "/api/files/tus", &[], None).await.expect(204);
    assert_eq!(options.header("tus-checksum-algorithm"), Some("sha1,sha256"));
    assert!(options.header("tus-extension").unwrap().split(',').any(|e| e == "checksum"));
    let meta = ("upload-metadata", "filename cmVwb3J0LnR4dA==");
    let made = ann.send("POST", "/api/files/tus", &[TUS, meta, ("upload-length", "11")], None).await.expect(201);
    assert!(made.header("upload-expires").is_some());
    let place = made.header("location").unwrap().to_owned();
    let at = async || {
        let look = ann.send("HEAD", &place, &[TUS], None).await.expect(200);
        assert_eq!(look.header("upload-length"), Some("11"));
        look.header("upload-offset").unwrap().to_owned()
    };
    // of "hello world", from the protocol's own example
    let whole = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=";
    for (sum, status) in [
        (sha256(b"other").as_str(), 460),
        (whole, 460),
        ("md5 XUFAKrxLKna5cZ2REBfFkg==", 400),
        ("sha256 short", 400),
        ("sha256", 400),
    ] {
        let refused = part(&ann, &place, "0", sum, b"hello").await;
        assert_eq!((refused.status, &refused.body["details"]["field"]), (status, &json!("Upload-Checksum")), "{sum}");
        assert_eq!(at().await, "0", "{sum}: nothing of it is kept");
    }
    assert_eq!(
        part(&ann, &place, "0", &sha256(b"hello"), b"hello").await.expect(204).header("upload-offset"),
        Some("5")
    );
    let too_long = part(&ann, &place, "5", &sha256(b" world and more"), b" world and more").await;
    assert_eq!((too_long.status, at().await.as_str()), (413, "5"));
    assert_eq!(part(&ann, &place, "5", whole, b" wor1d").await.status, 460, "the last part is no file then");
    assert_eq!(at().await, "5");
    let done = part(&ann, &place, "5", &sha256(b" world"), b" world").await.expect(204);
    let file = done.header("content-location").unwrap().to_owned();
    assert_eq!(ann.get(&file).await.expect(200).bytes, b"hello world");
    // the answer may have been lost: who asks hears that it is whole
    let look = ann.send("HEAD", &place, &[TUS], None).await.expect(200);
    assert_eq!((look.header("upload-offset"), look.header("upload-length")), (Some("11"), Some("11")));
    assert_eq!((look.header("content-location"), look.header("upload-metadata")), (Some(file.as_str()), Some(meta.1)));
    assert_eq!(part(&ann, &place, "11", &sha256(b""), b"").await.status, 409);
    let bob = gateway.client().register("bob@example.com").await;
    assert_eq!(bob.send("HEAD", &place, &[TUS], None).await.status, 404);
    fails(&bob.send("DELETE", &place, &[TUS], None).await, 404, "not_found");
    ann.send("DELETE", &place, &[TUS], None).await.expect(204);
    fails(&ann.get(&file).await, 404, "not_found");
    assert_eq!(ann.send("HEAD", &place, &[TUS], None).await.status, 404);

    // a first part that is not what it should be leaves no upload
    let headers = [TUS, KIND, meta, ("upload-length", "5"), ("upload-checksum", whole)];
    assert_eq!(ann.send("POST", "/api/files/tus", &headers, Some(b"hello".to_vec())).await.status, 460);
    let sum = sha256(b"hello");
    let headers = [TUS, KIND, meta, ("upload-length", "5"), ("upload-checksum", sum.as_str())];
    let made = ann.send("POST", "/api/files/tus", &headers, Some(b"hello".to_vec())).await.expect(201);
    assert_eq!(ann.get(made.header("content-location").unwrap()).await.expect(200).bytes, b"hello");
    let storage = ann.get("/api/files/storage-info").await.body["storage"].clone();
    assert_eq!((&storage["used_bytes"], &storage["available_bytes"]), (&json!(5), &json!(5_368_709_115_i64)));
}

/// One of each thing that is kept.
async fn keeps(client: &Client) -> (String, String) {
    client.post("/api/data", &json!({"key": "k", "value": {"a": 1}})).await.expect(200);
    let file = upload(client, "/api/files/upload", &[("file", Some("a.txt"), b"0123456789")]).await.expect(200);
    let zip = archive(&[("main.py", b"print(2)", 0o100_644), ("lib/b.py", b"", 0)]);
    let project = upload(client, "/api/programs/upload-zip", &[("file", Some("p.zip"), &zip)]).await.expect(200);
    let headers = [TUS, ("upload-length", "100"), ("upload-metadata", "filename YQ==")];
    client.send("POST", "/api/files/tus", &headers, None).await.expect(201);
    (file.text("url").to_owned(), project.text("project_id").to_owned())
}

#[tokio::test]
async fn a_backup_holds_what_users_keep() {
    let gateway = Gateway::start(Options::default()).await;
    let op = gateway.user_of_role("op@example.com", "operator").await;
    let (url, id) = keeps(&op).await;
    let made = op.post("/api/v1/backup", &json!({})).await.expect(200).body["data"].clone();
    assert_eq!(made["file_count"], 3, "{made}");
    let copy = gateway.data_dir().join("backups").join(made["backup"].as_str().unwrap());
    // what happens later is not in it
    op.send("DELETE", &url.replace("download", "delete"), &[], None).await.expect(200);
    let change = json!({"command": "echo 'print(3)' > main.py"});
    op.post(&format!("/api/programs/execute-terminal/{id}"), &change).await.expect(200);

    let options = gateway.options().clone();
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let output = options.run(data.path(), &["restore", "--from", copy.to_str().unwrap(), "--verify"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let restored = Gateway::start_in(data, options.clone()).await;
    let again = restored.client().login("op@example.com").await;
    assert_eq!(again.get(&url).await.expect(200).bytes, b"0123456789");
    assert_eq!(again.get("/api/data/k").await.expect(200).body["value"], json!({"a": 1}));
    let ran = again.post(&format!("/api/programs/execute/{id}"), &json!({})).await.expect(200);
    assert_eq!(ran.text("stdout"), "2\n");

    // a file that is not what it was is found before anything is put in place
    let blobs = copy.join("files/blobs");
    let folder = std::fs::read_dir(&blobs).unwrap().next().unwrap().unwrap().path();
    let blob = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, b"012345678X").unwrap();
    let empty = tempfile::tempdir().unwrap();
    let output = options.run(empty.path(), &["restore", "--from", copy.to_str().unwrap()], "");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("digest differs"), "{text}");
    assert!(!empty.path().join("orrery.db").exists() && !empty.path().join("files").exists());
}

fn files_below(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|e| if e.path().is_dir() { files_below(&e.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn what_leaving_users_kept_goes_with_them() {
    let gateway = Gateway::start(Options::default()).await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    let (url, _) = keeps(&admin).await;
    let kept = ["files/blobs", "files/parts", "programs"].map(|f| files_below(&gateway.data_dir().join(f)));
    for (email, by_command) in [("ann@example.com", false), ("bob@example.com", true)] {
        let user = gateway.client().register(email).await;
        keeps(&user).await;
        let id = user.get("/api/auth/verify").await.expect(200).body["user"]["id"].clone();
        if by_command {
            gateway.cli(&["user", "delete", "--email", email]);
        } else {
            admin.send("DELETE", &format!("/api/admin/users/{id}"), &[], None).await.expect(200);
        }
        let now = ["files/blobs", "files/parts", "programs"].map(|f| files_below(&gateway.data_dir().join(f)));
        assert_eq!(now, kept, "{email} left something");
        // who comes under the same address finds nothing
        let next = gateway.client().register(email).await;
        assert_eq!(next.get("/api/data").await.expect(200).int("count"), 0);
        assert_eq!(next.get("/api/files/list").await.expect(200).int("count"), 0);
    }
    assert_eq!(admin.get(&url).await.expect(200).bytes, b"0123456789");
    let refused = admin.send("POST", "/api/files/upload", &[FORM], Some(form(&[]))).await;
    fails(&refused, 400, "validation");
}

/// Processes of this machine with that argument.
fn processes_with(argument: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let with = |line: &[u8]| line.split(|b| *b == 0).any(|word| word == argument.as_bytes());
    entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok()).filter(|line| with(line)).count()
}

#[tokio::test]
async fn what_leaving_users_ran_ends_with_them() {
    let gateway = Gateway::start(Options::default()).await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    let stays = gateway.user_of_role("eve@example.com", "operator").await;
    stays.post("/api/execute", &json!({"command": "echo > kept"})).await.expect(200);
    for (email, by_command, seconds) in [("ann@example.com", false, "987651"), ("bob@example.com", true, "987652")] {
        let user = gateway.user_of_role(email, "operator").await;
        let id = user.get("/api/auth/verify").await.expect(200).body["user"]["id"].clone();
        // rights taken away keep nothing
        let command = json!({"command": "mkdir -p a/b && echo > a/b/c && chmod 0 a/b && pwd"});
        user.post("/api/execute", &command).await.expect(200);
        let place = gateway.data_dir().join("workspaces").join(id.to_string());
        assert!(place.join("a/b").is_dir(), "{}", place.display());
        let session = json!({"command": format!("sleep {seconds}")});
        user.post("/api/execute/interactive", &session).await.expect(200);
        let run = json!({"command": format!("sleep {seconds} & sleep {seconds}"), "timeout": 50});
        let leaves = async {
            eventually("all three run", PATIENCE, async || {
                let there = processes_with(seconds);
                if there >= 3 { Ok(()) } else { Err(format!("{there}")) }
            })
            .await;
            if by_command {
                gateway.cli(&["user", "delete", "--email", email]);
            } else {
                admin.send("DELETE", &format!("/api/admin/users/{id}"), &[], None).await.expect(200);
            }
        };
        let (ran, ()) = tokio::join!(user.post("/api/execute", &run), leaves);
        assert!(matches!(ran.status, 401 | 403), "{}", ran.body);
        eventually("nothing of them is left", PATIENCE, async || {
            let left = (processes_with(seconds), place.exists());
            if left == (0, false) { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
        assert!(matches!(user.post("/api/execute", &json!({"command": "pwd"})).await.status, 401 | 403));
        assert!(!place.exists());
    }
    let there = stays.post("/api/execute", &json!({"command": "ls"})).await.expect(200);
    assert_eq!(there.text("stdout"), "kept\n");
}
