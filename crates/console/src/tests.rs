//! What the page promises: every asset is there, with its headers, and nothing is inline.

use std::collections::BTreeSet;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::assets::{ASSETS, INDEX};
use crate::{CSP, matches, router};

async fn ask(method: Method, path: &str, if_none_match: Option<&str>) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = if_none_match {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    let app: Router = router::<()>();
    app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn header_of<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

fn paths() -> Vec<&'static str> {
    ["/", "/setup"].into_iter().chain(ASSETS.iter().map(|asset| asset.path)).collect()
}

fn text(body: &'static [u8]) -> &'static str {
    std::str::from_utf8(body).unwrap()
}

fn script(name: &str) -> &'static str {
    let path = format!("/assets/{name}");
    text(ASSETS.iter().find(|asset| asset.path == path).unwrap_or_else(|| panic!("{path} is not served")).body)
}

/// The values of an attribute, in order.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn everything_is_served_with_its_type_its_tag_and_the_policy() {
    for path in paths() {
        let response = ask(Method::GET, path, None).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header_of(&response, "content-security-policy"), CSP, "{path}");
        assert_eq!(header_of(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header_of(&response, "referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header_of(&response, "cache-control"), "no-cache", "{path}");
        let expected = match path.rsplit_once('.') {
            None => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            Some((_, other)) => panic!("no type is known for .{other}"),
        };
        assert_eq!(header_of(&response, "content-type"), expected, "{path}");
        let tag = header_of(&response, "etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 34, "{path}: {tag}");
        assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");

        let again = ask(Method::GET, path, Some(&format!("\"other\", W/{tag}"))).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(header_of(&again, "etag"), tag, "{path}");
        assert_eq!(header_of(&again, "content-security-policy"), CSP, "{path}");
        assert!(again.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");

        let changed = ask(Method::GET, path, Some("\"other\"")).await;
        assert_eq!(changed.status(), StatusCode::OK, "{path}");

        let head = ask(Method::HEAD, path, None).await;
        assert_eq!(head.status(), StatusCode::OK, "{path}");
        assert_eq!(header_of(&head, "etag"), tag, "{path}");
        assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_listed_is_left_to_others() {
    for path in ["/assets/none.js", "/assets/", "/assets/../Cargo.toml", "/setup/", "/index.html"] {
        assert_eq!(ask(Method::GET, path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(ask(Method::POST, "/", None).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn tags_are_compared_as_the_standard_says() {
    let value = |text| http::HeaderValue::from_static(text);
    assert!(matches(&value("*"), "\"a\""));
    assert!(matches(&value("\"b\" ,W/\"a\""), "\"a\""));
    assert!(!matches(&value("\"ab\""), "\"a\""));
    assert!(!matches(&value("a"), "\"a\""));
    assert!(!matches(&value(""), "\"a\""));
}

#[test]
fn tags_differ_where_contents_do() {
    let bodies: BTreeSet<_> = ASSETS.iter().map(|asset| asset.body).collect();
    let tags: BTreeSet<_> = ASSETS.iter().map(|asset| crate::tag(asset.body)).collect();
    assert_eq!(tags.len(), bodies.len());
    assert_eq!(tags.len(), ASSETS.len(), "two assets are the same file");
}

#[test]
fn every_file_of_the_folder_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let there: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| format!("/assets/{}", entry.unwrap().file_name().into_string().unwrap()))
        .filter(|path| path != "/assets/index.html")
        .collect();
    let served: BTreeSet<String> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
    assert_eq!(there, served);
}

#[test]
fn the_document_has_nothing_inline_and_nothing_from_elsewhere() {
    let html = text(INDEX.body);
    let lower = html.to_lowercase();
    assert!(!lower.contains("<style"), "a style element");
    assert!(!lower.contains(" style="), "a style attribute");
    assert!(!lower.contains("javascript:"), "a script address");
    assert!(!lower.contains("http://") && !lower.contains("https://") && !lower.contains("\"//"), "an outside address");
    let tags = lower.split('<').skip(1).map(|rest| rest.split('>').next().unwrap());
    for tag in tags {
        for attribute in tag.split_whitespace().skip(1) {
            let is_handler = attribute.starts_with("on") && attribute.contains('=');
            assert!(!is_handler, "an event handler: {attribute}");
        }
    }
    for rest in lower.split("<script").skip(1) {
        let (open, rest) = rest.split_once('>').unwrap();
        assert!(open.contains("src=\"/assets/"), "a script without source");
        assert!(rest.starts_with("</script>"), "a script with a body");
    }
}

#[test]
fn every_reference_of_the_document_exists() {
    let html = text(INDEX.body);
    let served: BTreeSet<&str> = paths().into_iter().collect();
    let ids: Vec<&str> = attributes(html, "id");
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "an id is there twice");
    for path in attributes(html, "href").into_iter().chain(attributes(html, "src")) {
        match path.strip_prefix('#') {
            Some(id) => assert!(known.contains(id), "#{id}"),
            None => assert!(served.contains(path), "{path}"),
        }
    }
    for name in ["for", "aria-controls", "aria-labelledby", "aria-describedby", "data-reveals"] {
        for id in attributes(html, name).into_iter().flat_map(str::split_whitespace) {
            assert!(known.contains(id), "{name}: {id}");
        }
    }
    assert_eq!(html.matches("<h1").count(), 1);
    assert!(html.contains("<html lang=\"en\">"));
}

#[test]
fn scripts_import_what_exists_and_the_document_names_them_all() {
    let html = text(INDEX.body);
    let mut imported = BTreeSet::new();
    for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
        for line in text(asset.body).lines().filter(|line| line.starts_with("import ")) {
            let name = line.split('"').nth(1).unwrap().strip_prefix("./").unwrap();
            script(name);
            imported.insert(format!("/assets/{name}"));
        }
    }
    let preloaded: BTreeSet<String> =
        attributes(html, "href").into_iter().filter(|path| path.ends_with(".js")).map(str::to_owned).collect();
    assert_eq!(preloaded, imported, "a module is fetched late, or for nothing");
}

#[test]
fn scripts_never_turn_text_into_markup_or_code() {
    let banned = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "createContextualFragment",
        "eval(",
        "new Function",
        "setAttribute(\"style\"",
        "localStorage",
        "cookie",
    ];
    for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
        for word in banned {
            assert!(!text(asset.body).contains(word), "{}: {word}", asset.path);
        }
    }
}

#[test]
fn scripts_look_up_only_ids_that_exist() {
    let known: BTreeSet<&str> = attributes(text(INDEX.body), "id").into_iter().collect();
    let mut looked_up = 0;
    for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
        let source = text(asset.body);
        for (at, _) in source.match_indices("id(\"") {
            if source[..at].ends_with(char::is_alphanumeric) {
                continue;
            }
            let id = source[at + 4..].split('"').next().unwrap();
            assert!(known.contains(id), "{}: #{id}", asset.path);
            looked_up += 1;
        }
    }
    assert!(looked_up > 50, "the scan has gone blind");
}

#[test]
fn money_is_never_a_float() {
    let money = script("money.js");
    for word in ["parseFloat", "Number(", "Math.", "toFixed", "/ 100;", "* 100)"] {
        assert!(!money.contains(word), "{word}");
    }
    for name in ["ticket.js", "account.js", "history.js"] {
        assert!(!script(name).contains("parseFloat"), "{name}");
        assert!(!script(name).contains("toFixed"), "{name}");
    }
}

#[test]
fn style_sheets_ask_for_nothing() {
    for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".css")) {
        let css = text(asset.body);
        assert!(!css.contains("url(") && !css.contains("@import"), "{}", asset.path);
    }
}
