//! An HTTP client that keeps what came back, whatever it was.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// A password that the server takes; long and of no list.
pub const PASSWORD: &str = "orrery-e2e-Passw0rd-7291";

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Method and path that were asked, for messages.
    pub asked: String,
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body as it came.
    pub bytes: Vec<u8>,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Answer {
    /// Fails unless the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {}", self.asked, String::from_utf8_lossy(&self.bytes));
        self
    }

    /// Fails unless it is a refusal of status `status` in the documented shape, whose text contains `part`.
    #[track_caller]
    pub fn refuses(self, status: u16, part: &str) -> Self {
        let answer = self.expect(status);
        assert!(answer.error().contains(part), "{}: {:?} lacks {part:?}", answer.asked, answer.error());
        answer
    }

    /// The text of `{"error": text}`, or of the channels' `{"type": "error", "message": text, …}`; fails when the
    /// body has another shape.
    #[track_caller]
    pub fn error(&self) -> &str {
        let channels = self.asked.contains(" /ws") || self.asked.contains(" /metrics/");
        if channels && self.body["type"] == "error" && self.body["code"].is_string() {
            return self.text("message");
        }
        let text = self.body.as_object().filter(|o| o.len() == 1).and_then(|o| o.get("error")).and_then(Value::as_str);
        match text {
            Some(text) if !text.trim().is_empty() => text,
            _ => panic!(
                "{} ({}) has no {{error}} body: {}",
                self.asked,
                self.status,
                String::from_utf8_lossy(&self.bytes)
            ),
        }
    }

    /// A header field as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// A whole number of the body; fails when it is none.
    #[track_caller]
    pub fn int(&self, field: &str) -> i64 {
        whole(self.body.get(field).unwrap_or(&Value::Null))
            .unwrap_or_else(|| panic!("{}: no whole number {field} in {}", self.asked, self.body))
    }

    /// A text of the body; fails when it is none.
    #[track_caller]
    pub fn text(&self, field: &str) -> &str {
        self.body
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{}: no text {field} in {}", self.asked, self.body))
    }
}

/// A JSON number without a fraction.
pub fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64))
}

/// A client of one server, with or without a token. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:8000`.
    pub fn new(base: &str) -> Self {
        Self::trusting(base, None)
    }

    /// The same, which also trusts the certificate of that file.
    pub fn trusting(base: &str, certificate: Option<&Path>) -> Self {
        // reqwest wants a provider even where no TLS is spoken; a second install is no error
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusted = certificate.map(|file| {
            let pem = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            reqwest::Certificate::from_pem(&pem).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
        });
        let http = reqwest::Client::builder()
            .tls_certs_merge(trusted)
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap_or_else(|e| panic!("no HTTP client: {e}"));
        Self { http, base: base.trim_end_matches('/').to_owned(), token: None }
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same without a token.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request of any shape; the error is one of the connection.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, reqwest::Error> {
        let asked = format!("{method} {path}");
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_else(|e| panic!("{asked}: {e}"));
        let mut fields = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap_or_else(|e| panic!("{asked}: {name}: {e}"));
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|e| panic!("{asked}: {name}: {e}"));
            fields.append(name, value);
        }
        let mut request = self.http.request(method, format!("{}{path}", self.base)).headers(fields);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?.to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { asked, status, headers, bytes, body })
    }

    /// Sends a request of any shape.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap_or_else(|e| panic!("{method} {path}: {e:?}"))
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).await
    }

    /// A request with a JSON body.
    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], Some(body.to_string().into_bytes())).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body).await
    }

    /// `PUT` of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.json("PUT", path, body).await
    }

    /// Registers `email` with [`PASSWORD`] and gives a client with its token.
    pub async fn register(&self, email: &str) -> Self {
        let body = json!({"email": email, "name": "End To End", "password": PASSWORD});
        let answer = self.anonymous().post("/api/auth/register", &body).await.expect(201);
        self.with_token(answer.text("token"))
    }

    /// Logs in; the answer may be a refusal.
    pub async fn try_login(&self, email: &str, password: &str) -> Answer {
        self.anonymous().post("/api/auth/login", &json!({"email": email, "password": password})).await
    }

    /// Logs in with [`PASSWORD`] and gives a client with the token.
    pub async fn login(&self, email: &str) -> Self {
        let answer = self.try_login(email, PASSWORD).await.expect(200);
        self.with_token(answer.text("token"))
    }

    /// A market trade; `amount` as the text it is sent as.
    pub async fn trade(&self, action: &str, amount: &str, currency: &str, key: Option<&str>) -> Answer {
        let body = json!({"action": action, "type": "market", "amount": amount, "currency": currency});
        let mut headers = vec![("content-type", "application/json")];
        if let Some(key) = key {
            headers.push(("idempotency-key", key));
        }
        self.send("POST", "/api/trade", &headers, Some(body.to_string().into_bytes())).await
    }

    /// The same under a key; nothing when the connection breaks before the answer is whole.
    pub async fn trade_or_lost(&self, action: &str, amount: &str, currency: &str, key: &str) -> Option<Answer> {
        let body = json!({"action": action, "type": "market", "amount": amount, "currency": currency});
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.try_send("POST", "/api/trade", &headers, Some(body.to_string().into_bytes())).await.ok()
    }

    /// `(available paise, available satoshis)`.
    pub async fn funds(&self) -> (i64, i64) {
        let answer = self.get("/api/balance").await.expect(200);
        (answer.int("available_inr_paise"), answer.int("available_btc"))
    }
}
