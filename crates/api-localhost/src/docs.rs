//! `/api/docs`: Swagger UI over the OpenAPI document, all of it served from here.

use std::io::Read;
use std::sync::OnceLock;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::read::DeflateDecoder;
use http::{HeaderValue, header};
use orrery_http_kit::Fail;
use orrery_kernel::{Error, ErrorCode};
use orrery_storage::names::Blocked;
use orrery_storage::zip::{self, LOCAL_BYTES, Limits, Method, Planned, TAIL_BYTES_MAX};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED as ARCHIVE;

use crate::Localhost;

/// The page may show itself and ask this server, no more.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Files of the archive that the page asks for, with their types.
const FILES: [(&str, &str); 5] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("index.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("favicon-32x32.png", "image/png"),
    ("favicon-16x16.png", "image/png"),
];

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Orrery: API</title>
    <link rel="stylesheet" href="/api/docs/swagger-ui.css">
    <link rel="stylesheet" href="/api/docs/index.css">
    <link rel="icon" type="image/png" href="/api/docs/favicon-32x32.png" sizes="32x32">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/api/docs/swagger-ui-bundle.js"></script>
    <script src="/api/docs/start.js"></script>
  </body>
</html>
"#;

/// Writes carry the token against forged requests, as every page's have to.
const START: &str = r##""use strict";
let token = null;
const csrf = async () => {
  token ??= (await (await fetch("/api/csrf")).json()).csrf_token;
  return token;
};
SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  requestInterceptor: async (request) => {
    if (!["GET", "HEAD", "OPTIONS"].includes((request.method || "GET").toUpperCase())) {
      request.headers["X-CSRF-Token"] ??= await csrf();
    }
    return request;
  },
});
"##;

/// The routes below `/api` or `/api/v1`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/docs", get(|| async { page() }))
        .route("/docs/", get(|| async { page() }))
        .route("/docs/{file}", get(file))
}

fn answer(kind: &'static str, body: Bytes) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], body).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    response
}

fn page() -> Response {
    answer("text/html; charset=utf-8", Bytes::from_static(PAGE.as_bytes()))
}

async fn file(Path(name): Path<String>) -> Response {
    if name == "start.js" {
        return answer("text/javascript; charset=utf-8", Bytes::from_static(START.as_bytes()));
    }
    let found = unpacked().iter().find(|(known, ..)| *known == name);
    match found {
        Some((_, kind, body)) => answer(kind, body.clone()),
        None => Fail::<Localhost>::from(Error::new(ErrorCode::NotFound, "Endpoint not found")).into_response(),
    }
}

type Unpacked = Vec<(&'static str, &'static str, Bytes)>;

/// The files, unpacked when somebody first asks.
fn unpacked() -> &'static Unpacked {
    static UNPACKED: OnceLock<Unpacked> = OnceLock::new();
    UNPACKED.get_or_init(|| {
        let planned = plan().unwrap_or_default();
        let find = |name: &str| planned.iter().find(|file| file.path.ends_with(&format!("/dist/{name}")));
        let one = |(name, kind)| Some((name, kind, unpack(find(name)?)?));
        FILES.into_iter().filter_map(one).collect()
    })
}

fn plan() -> Option<Vec<Planned>> {
    let tail = ARCHIVE.get(ARCHIVE.len().saturating_sub(TAIL_BYTES_MAX)..)?;
    let limits = Limits::default();
    let place = zip::locate(tail, ARCHIVE.len() as u64, &limits).ok()?;
    let from = usize::try_from(place.offset).ok()?;
    let directory = ARCHIVE.get(from..from + usize::try_from(place.size).ok()?)?;
    zip::plan(directory, place, &limits, &Blocked::default()).ok()
}

fn unpack(file: &Planned) -> Option<Bytes> {
    let at = usize::try_from(file.offset).ok()?;
    let word = |i: usize| Some(usize::from(u16::from_le_bytes(ARCHIVE.get(at + i..at + i + 2)?.try_into().ok()?)));
    let from = at + LOCAL_BYTES + word(26)? + word(28)?;
    let packed = ARCHIVE.get(from..from + usize::try_from(file.packed).ok()?)?;
    if file.method == Method::Stored {
        return Some(Bytes::from_static(packed));
    }
    let mut bytes = Vec::new();
    DeflateDecoder::new(packed).take(file.size + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == file.size).then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_the_page_asks_for_is_there() {
        let names: Vec<_> = unpacked().iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, FILES.map(|(name, _)| name));
        assert!(unpacked().iter().all(|(_, _, body)| !body.is_empty()));
        for asked in PAGE.split('"').filter_map(|part| part.strip_prefix("/api/docs/")) {
            assert!(asked == "start.js" || names.contains(&asked), "{asked}");
        }
        assert!(!PAGE.contains("http") && !START.contains("http"), "nothing from elsewhere");
    }
}
