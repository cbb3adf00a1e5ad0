//! Sessions that end at once, tokens that are forged, passwords that are guessed.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::client::PASSWORD;
use e2e::{Client, Gateway, Options, at_once, eventually};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

const SECRET: &str = "a-secret-of-the-operator-that-is-long-enough-0123456789";

/// A token of any header and claims, signed with HMAC-SHA-256.
fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn decoded(token: &str, part: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(part).unwrap()).unwrap()).unwrap()
}

/// Every use of the token is refused as the document says.
async fn is_dead(client: &Client) {
    client.get("/api/balance").await.refuses(403, "Invalid or expired token");
    client.trade("buy", "1", "inr", None).await.refuses(403, "Invalid or expired token");
    client.get("/api/auth/verify").await.refuses(401, "Invalid token");
}

/// Waits until a change made by another process has reached the server.
async fn dies(client: &Client) {
    eventually("the token stops working", Duration::from_secs(5), async || {
        let answer = client.get("/api/balance").await;
        if answer.status == 403 { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await;
    is_dead(client).await;
}

#[tokio::test]
async fn registration_as_documented() {
    let gateway = Gateway::start(Options::default()).await;
    let client = gateway.client();
    let form = json!({"email": "Ann@Example.com", "name": "Ann", "password": PASSWORD, "confirmPassword": PASSWORD});
    let made = client.post("/api/auth/register", &form).await.expect(201);
    assert_eq!(made.text("message"), "User registered successfully");
    assert_eq!(made.body["user"]["email"], json!("Ann@Example.com"));
    let claims = decoded(made.text("token"), 1);
    assert_eq!((&claims["id"], &claims["email"]), (&made.body["user"]["id"], &json!("Ann@Example.com")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 86_400);
    assert_eq!(decoded(made.text("token"), 0)["alg"], json!("HS256"));

    // the order of the checks is the documented server's
    let post = async |body: Value| client.post("/api/auth/register", &body).await;
    post(json!({"email": "x", "password": "1", "confirmPassword": "2"})).await.refuses(400, "All fields are required");
    post(json!({"email": "x", "name": "X", "password": "1", "confirmPassword": "2"}))
        .await
        .refuses(400, "Passwords do not match");
    post(json!({"email": "x", "name": "X", "password": "1"}))
        .await
        .refuses(400, "Password must be at least 6 characters long");
    post(json!({"email": "x", "name": "X", "password": PASSWORD})).await.refuses(400, "Invalid email format");
    post(json!({"email": "ann@example.COM", "name": "X", "password": PASSWORD}))
        .await
        .refuses(409, "User with this email already exists");
    for common in ["password", "123456", "qwerty", "password123"] {
        post(json!({"email": "bob@example.com", "name": "X", "password": common})).await.expect(400).error();
    }
    post(json!({"email": "bob@example.com", "name": "X".repeat(101), "password": PASSWORD})).await.expect(400).error();
    post(json!({"email": format!("{}@example.com", "b".repeat(100)), "name": "X", "password": PASSWORD}))
        .await
        .expect(400)
        .error();

    let login = client.try_login("ann@example.com", PASSWORD).await.expect(200);
    assert_eq!(login.text("message"), "Login successful");
    assert_eq!(login.body["user"]["is_admin"], json!(0));
    let verified = client.with_token(login.text("token")).get("/api/auth/verify").await.expect(200);
    assert_eq!((&verified.body["valid"], &verified.body["user"]["id"]), (&json!(true), &made.body["user"]["id"]));
    client.post("/api/auth/login", &json!({"email": "a@b.co"})).await.refuses(400, "Email and password are required");
    client.try_login("ann@example.com", "not-the-Passw0rd-1").await.refuses(401, "Invalid email or password");
    client.try_login("nobody@example.com", PASSWORD).await.refuses(401, "Invalid email or password");
}

#[tokio::test]
async fn logout_ends_its_own_session_only() {
    let gateway = Gateway::start(Options::default()).await;
    let first = gateway.client().register("ann@example.com").await;
    let second = gateway.client().login("ann@example.com").await;
    first.post("/api/auth/logout", &json!({})).await.expect(200);
    is_dead(&first).await;
    second.get("/api/balance").await.expect(200);
    let third = gateway.client().login("ann@example.com").await;
    third.get("/api/balance").await.expect(200);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_keys() {
    let gateway = Gateway::start(Options::default()).await;
    let mine = gateway.client().register("ann@example.com").await;
    let stolen = gateway.client().login("ann@example.com").await;
    let made = mine.post("/api/user/api-keys", &json!({"name": "bot", "scopes": ["read"]})).await.expect(201);
    let key = mine.with_token(made.text("key"));
    key.get("/api/balance").await.expect(200);

    let new = "a-quite-different-Passw0rd-88";
    let form = |current: &str| json!({"currentPassword": current, "newPassword": new, "confirmPassword": new});
    mine.put("/api/user/profile/password", &form("not-it-at-all-3"))
        .await
        .refuses(401, "Current password is incorrect");
    stolen.get("/api/balance").await.expect(200);
    mine.put("/api/user/profile/password", &form(PASSWORD)).await.expect(200);
    is_dead(&stolen).await;
    key.get("/api/balance").await.expect(403).error();
    mine.get("/api/balance").await.expect(200);
    gateway.client().try_login("ann@example.com", PASSWORD).await.expect(401).error();
    gateway.client().try_login("ann@example.com", new).await.expect(200);
}

#[tokio::test]
async fn what_the_operator_takes_away_is_gone() {
    let upstream = e2e::Upstream::start(45_000.0);
    let gateway = Gateway::start(Options::default().upstream(&upstream)).await;
    gateway.priced().await;
    let admin = gateway.user_of_role("root@example.com", "admin").await;
    admin.get("/api/admin/reconcile").await.expect(200);
    // the last administrator cannot be demoted, so there is another
    gateway.user_of_role("other@example.com", "admin").await;
    gateway.cli(&["user", "set-role", "--email", "root@example.com", "--role", "trader"]);
    eventually("the demotion takes effect", Duration::from_secs(5), async || {
        let answer = admin.get("/api/admin/reconcile").await;
        if answer.status == 403 { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await;
    let user = gateway.funded("ann@example.com", "1000", 0).await;
    gateway.cli(&["user", "set-role", "--email", "ann@example.com", "--role", "viewer"]);
    eventually("a viewer no longer trades", Duration::from_secs(5), async || {
        let answer = user.trade("buy", "1", "inr", None).await;
        if answer.status == 403 { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await;
    user.get("/api/balance").await.expect(200);

    let new = "reset-by-the-0perator-5";
    gateway
        .cli_with(&["user", "reset-password", "--email", "ann@example.com", "--password-stdin"], &format!("{new}\n"));
    dies(&user).await;
    let again = gateway.client().try_login("ann@example.com", new).await.expect(200);
    let again = user.with_token(again.text("token"));
    gateway.cli(&["user", "delete", "--email", "ann@example.com"]);
    dies(&again).await;
    gateway.client().try_login("ann@example.com", new).await.refuses(401, "Invalid email or password");
    // the name is free, the past is not inherited
    let other = gateway.client().register("ann@example.com").await;
    assert_eq!(other.funds().await, (0, 0));
    gateway.cli(&["ledger", "verify"]);
}

#[tokio::test]
async fn forged_tokens_prove_nothing() {
    let gateway = Gateway::start(Options::default().env("JWT_SECRET", SECRET)).await;
    let user = gateway.client().register("ann@example.com").await;
    let other = gateway.client().register("bob@example.com").await;
    let token = user.token().unwrap();
    let (header, claims) = (decoded(token, 0), decoded(token, 1));
    assert_eq!(signed(&header, &claims, SECRET).split('.').count(), 3);
    // the forger works: the same claims under the right secret are a good token
    user.with_token(&signed(&header, &claims, SECRET)).get("/api/balance").await.expect(200);

    let with = |change: Value| {
        let mut claims = claims.clone();
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    };
    let other_claims = decoded(other.token().unwrap(), 1);
    let (signature, body) = (token.rsplit('.').next().unwrap(), token.split('.').nth(1).unwrap());
    let hs512 = {
        let text = format!("{}.{body}", encoded(&json!({"typ": "JWT", "alg": "HS512"})));
        let mut mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    };
    let none = |alg: &str| encoded(&json!({"typ": "JWT", "alg": alg}));
    let mut forged = vec![
        ("alg none".to_owned(), format!("{}.{body}.", none("none"))),
        ("alg None, a signature".into(), format!("{}.{body}.{signature}", none("None"))),
        ("no signature".into(), token.rsplit_once('.').unwrap().0.to_owned() + "."),
        ("two parts".into(), token.rsplit_once('.').unwrap().0.to_owned()),
        ("four parts".into(), format!("{token}.{signature}")),
        ("HS512 under the right secret".into(), hs512),
        ("RS256 in the header".into(), signed(&json!({"typ": "JWT", "alg": "RS256"}), &claims, SECRET)),
        ("another user's id".into(), signed(&header, &with(json!({"id": other_claims["id"]})), SECRET)),
        ("another user's session".into(), signed(&header, &with(json!({"sid": other_claims["sid"]})), SECRET)),
        ("no session".into(), signed(&header, &with(json!({"sid": null})), SECRET)),
        ("an unknown session".into(), signed(&header, &with(json!({"sid": "0".repeat(32)})), SECRET)),
        ("no expiry".into(), signed(&header, &with(json!({"exp": null})), SECRET)),
        ("expired".into(), signed(&header, &with(json!({"exp": claims["iat"].as_i64().unwrap() - 10})), SECRET)),
        ("an expiry in letters".into(), signed(&header, &with(json!({"exp": "tomorrow"})), SECRET)),
        (
            "swapped claims".into(),
            format!("{}.{}.{signature}", token.split('.').next().unwrap(), encoded(&other_claims)),
        ),
        ("garbage".into(), "garbage".into()),
        ("dots".into(), "..".into()),
        ("very long".into(), "a".repeat(7_000)),
    ];
    for published in [
        "bittrade_secret_key_2024",
        "your_super_secure_jwt_secret_key_here",
        "super_secure_production_jwt_secret_256_bit",
        "secret",
        "",
    ] {
        forged.push((format!("secret {published:?}"), signed(&header, &claims, published)));
    }
    for (what, token) in forged {
        let answer = user.with_token(&token).get("/api/balance").await;
        assert_eq!((answer.status, answer.error()), (403, "Invalid or expired token"), "{what}");
    }
    let basic = [("authorization", format!("Basic {token}"))];
    let basic: Vec<(&str, &str)> = basic.iter().map(|(k, v)| (*k, v.as_str())).collect();
    user.anonymous().send("GET", "/api/balance", &basic, None).await.expect(403).error();
    user.anonymous().get("/api/balance").await.refuses(401, "Access token required");
    user.get("/api/balance").await.expect(200);
}

#[tokio::test]
async fn published_secrets_are_refused_at_start() {
    for secret in ["bittrade_secret_key_2024", "your_super_secure_jwt_secret_key_here", "short"] {
        let data = tempfile::tempdir().unwrap();
        let output = Options::default().env("JWT_SECRET", secret).run(data.path(), &["serve"], "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{secret}: {said}");
        assert!(said.to_lowercase().contains("secret"), "{said}");
        assert!(!said.contains(secret), "the refusal prints it: {said}");
    }
}

#[tokio::test]
async fn guessing_is_slowed() {
    let gateway = Gateway::start(Options::default()).await;
    let user = gateway.client().register("ann@example.com").await;
    gateway.client().register("bob@example.com").await;
    let client = gateway.client();
    for n in 0..5 {
        client.try_login("ann@example.com", &format!("wrong-guess-{n}")).await.expect(401).error();
    }
    for (who, password) in [("ann@example.com", "wrong-guess-6"), ("ANN@example.com", PASSWORD)] {
        let slowed = client.try_login(who, password).await.expect(429);
        slowed.error();
        assert!(slowed.header("retry-after").is_some_and(|v| v.parse::<u32>().is_ok_and(|s| s >= 1)), "{who}");
    }
    // a spoofed address doesn't help
    let body = json!({"email": "ann@example.com", "password": PASSWORD}).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("x-forwarded-for", "203.0.113.9")];
    client.send("POST", "/api/auth/login", &headers, Some(body)).await.expect(429).error();
    // nobody else is locked out, and those inside stay inside
    client.try_login("bob@example.com", PASSWORD).await.expect(200);
    user.get("/api/balance").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_once_do_not_slip_through() {
    let gateway = Gateway::start(Options::default()).await;
    gateway.client().register("ann@example.com").await;
    let answers = at_once(20, |n| {
        let client = gateway.client();
        async move { client.try_login("ann@example.com", &format!("wrong-guess-{n}")).await.status }
    })
    .await;
    let count = |status: u16| answers.iter().filter(|s| **s == status).count();
    assert_eq!(count(401) + count(429), 20, "{answers:?}");
    assert!(count(401) <= 5, "{answers:?}");
}

#[tokio::test]
async fn many_accounts_from_one_address_are_slowed_not_locked() {
    let options = Options::default().env("ORRERY_AUTH__ADDRESS_FAILURES", "8");
    let gateway = Gateway::start(options).await;
    gateway.client().register("ann@example.com").await;
    let client = gateway.client();
    let mut slowed = None;
    for n in 0..12 {
        let answer = client.try_login(&format!("victim{n}@example.com"), "wrong-guess-1").await;
        assert!([401, 429].contains(&answer.status), "{}", answer.status);
        if answer.status == 429 && slowed.is_none() {
            slowed = Some(n);
        }
    }
    assert!(slowed.is_some_and(|n| n >= 8), "{slowed:?}");
    // slowed: the wait is short, and then a right password works
    eventually("the address may try again", Duration::from_secs(60), async || {
        let answer = client.try_login("ann@example.com", PASSWORD).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn registrations_have_a_bound() {
    let gateway = Gateway::start(Options::default().env("ORRERY_AUTH__REGISTRATIONS_PER_HOUR", "3")).await;
    for n in 0..3 {
        gateway.client().register(&format!("user{n}@example.com")).await;
    }
    let form = json!({"email": "late@example.com", "name": "Late", "password": PASSWORD});
    let refused = gateway.client().post("/api/auth/register", &form).await.expect(429);
    refused.error();
    assert!(refused.header("retry-after").is_some());
    let shown = Options::default().without("ORRERY_AUTH__REGISTRATIONS_PER_HOUR");
    let shown = shown.run(gateway.data_dir(), &["config", "print"], "");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = shown.lines().find(|l| l.contains("registrations_per_hour")).unwrap_or_else(|| panic!("{shown}"));
    let number: u32 = line.split(|c: char| !c.is_ascii_digit()).find_map(|w| w.parse().ok()).unwrap();
    assert!(number >= 60, "{line}");

    let closed = Gateway::start(Options::default().env("ORRERY_AUTH__OPEN_REGISTRATION", "false")).await;
    closed.client().post("/api/auth/register", &form).await.expect(403).error();
}

#[tokio::test]
async fn profile_as_documented() {
    let gateway = Gateway::start(Options::default()).await;
    let user = gateway.client().register("ann@example.com").await;
    gateway.client().register("bob@example.com").await;
    assert_eq!(user.get("/api/user/profile").await.expect(200).body["user"]["email"], json!("ann@example.com"));
    let name = |name: &str, password: &str| json!({"name": name, "currentPassword": password});
    user.put("/api/user/profile/name", &name("Ann Other", "wrong-password-1"))
        .await
        .refuses(401, "Current password is incorrect");
    user.put("/api/user/profile/name", &name("A", PASSWORD)).await.expect(400).error();
    user.put("/api/user/profile/name", &name("Ann Other", PASSWORD)).await.expect(200);
    assert_eq!(user.get("/api/user/profile").await.expect(200).body["user"]["name"], json!("Ann Other"));
    let email = |email: &str| json!({"email": email, "currentPassword": PASSWORD});
    user.put("/api/user/profile/email", &email("BOB@example.com")).await.refuses(409, "already in use");
    user.put("/api/user/profile/email", &email("nonsense")).await.expect(400).error();
    user.put("/api/user/profile/email", &email("Carol@Example.com")).await.expect(200);
    assert_eq!(user.get("/api/user/profile").await.expect(200).body["user"]["email"], json!("carol@example.com"));
    gateway.client().try_login("ann@example.com", PASSWORD).await.expect(401).error();
    gateway.client().try_login("carol@example.com", PASSWORD).await.expect(200);
    let short = json!({"currentPassword": PASSWORD, "newPassword": "short"});
    user.put("/api/user/profile/password", &short).await.expect(400).error();
    let unequal =
        json!({"currentPassword": PASSWORD, "newPassword": "long-enough-77", "confirmPassword": "other-77-long"});
    user.put("/api/user/profile/password", &unequal).await.refuses(400, "match");
}
