//! What is secret stays out of every log, answer and listing.

use e2e::client::PASSWORD;
use e2e::{Gateway, Options};
use serde_json::json;

#[tokio::test]
async fn nothing_secret_is_logged() {
    let secret = "the-0perators-own-signing-secret-3141592653589793";
    let options = Options::default().args(&["demo"]).env("JWT_SECRET", secret).env("ORRERY_LOG__LEVEL", "trace");
    let mut gateway = Gateway::start(options).await;
    let user = gateway.client().register("ann@example.com").await;
    let token = user.token().unwrap().to_owned();
    let made = user.post("/api/user/api-keys", &json!({"name": "bot", "scopes": ["read", "trade"]})).await.expect(201);
    let key = made.text("key").to_owned();
    user.with_token(&key).get("/api/balance").await.expect(200);
    let (wrong, new, cut) = ("Wr0ng-gu3ss-marker-77", "N3w-passw0rd-marker-88", "Cut-passw0rd-marker-99");
    gateway.client().try_login("ann@example.com", wrong).await.expect(401);
    // bad requests that carry secrets: malformed, mistyped, in the wrong place, to the wrong address
    for path in ["/api/auth/login", "/api/auth/register", "/api/user/profile/password", "/api/setup", "/nope"] {
        for body in [
            format!(r#"{{"email":"ann@example.com","password":"{cut}""#),
            format!(r#"{{"email":["{cut}"],"password":{{"{cut}":1}}}}"#),
            format!("password={cut}&token={token}"),
            json!({"email": cut, "name": 5, "password": cut, "token": cut}).to_string(),
        ] {
            for method in ["POST", "PUT"] {
                user.send(method, path, &[("content-type", "application/json")], Some(body.clone().into_bytes())).await;
            }
        }
    }
    user.anonymous().get(&format!("/api/balance?token={token}&password={cut}")).await.expect(401);
    user.anonymous()
        .send("GET", "/api/balance", &[("authorization", &format!("Basic {token}x"))], None)
        .await
        .expect(403);
    user.anonymous().send("GET", "/api/balance", &[("cookie", &format!("session={token}"))], None).await.expect(401);
    let change = json!({"currentPassword": PASSWORD, "newPassword": new, "confirmPassword": new});
    user.put("/api/user/profile/password", &change).await.expect(200);
    let shown = gateway.cli(&["config", "print"]);
    gateway.cli(&["user", "list"]);
    let listed = gateway.cli(&["api-key", "list", "--email", "ann@example.com"]);
    let doctor = String::from_utf8_lossy(&gateway.command(&["doctor"], "").stdout).into_owned();
    gateway.stop().await;
    let logs = gateway.logs();
    assert!(logs.contains("/api/auth/login"), "the log has no requests, so this proves nothing");
    let signature = token.rsplit('.').next().unwrap();
    for (what, marker) in [
        ("the password", PASSWORD),
        ("a wrong password", wrong),
        ("a new password", new),
        ("a password of a bad request", cut),
        ("the token", token.as_str()),
        ("the token's signature", signature),
        ("the API key", key.as_str()),
        ("the signing secret", secret),
        ("a bcrypt hash", "$2b$"),
        ("a bcrypt hash", "$2a$"),
    ] {
        for (place, text) in
            [("the log", &logs), ("config print", &shown), ("api-key list", &listed), ("doctor", &doctor)]
        {
            let found = text.lines().find(|l| l.contains(marker));
            assert_eq!(found, None, "{what} is in {place}");
        }
    }
    // the one-time link is printed for the operator, and kept out of the rotated files
    for entry in std::fs::read_dir(gateway.data_dir().join("logs")).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        assert!(!text.contains("setup#token="), "{}", entry.path().display());
    }
}

#[tokio::test]
async fn files_are_the_owners() {
    use std::os::unix::fs::PermissionsExt;
    let mut gateway = Gateway::start(Options::default()).await;
    gateway.client().register("ann@example.com").await;
    let mut secret = None;
    for entry in std::fs::read_dir(gateway.data_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        if ["secret", "jwt", "key"].iter().any(|part| name.contains(part)) {
            secret = Some((name.clone(), mode));
        }
        assert_eq!(mode & 0o077, 0, "{name} may be read by others (mode {mode:o})");
    }
    assert!(matches!(secret, Some((_, 0o600))), "{secret:?}");
    // tokens outlive a restart, since the secret does
    let user = gateway.client().login("ann@example.com").await;
    gateway.stop().await;
    gateway.restart().await;
    gateway.client().with_token(user.token().unwrap()).get("/api/balance").await.expect(200);
}
