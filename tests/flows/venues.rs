//! Exchanges: connectors against recorded cases, by the operator's command.

use std::path::Path;

use e2e::Options;

#[test]
fn recorded_cases_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let check = |cases: &Path| {
        let output = Options::default().run(folder.path(), &["venues", "check-fixtures", cases.to_str().unwrap()], "");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, err) = check(&e2e::repository().join("testdata/venues"));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(said.contains("\nokx errors createOrder 7/7\n") && said.ends_with("\nfixtures: 1130/1130\n"), "{said}");

    let cases = folder.path().join("cases");
    std::fs::create_dir_all(cases.join("errors")).unwrap();
    let okx = std::fs::read_to_string(e2e::repository().join("testdata/venues/errors/okx.json")).unwrap();
    std::fs::write(cases.join("errors/okx.json"), okx.replace("51603", "51008")).unwrap();
    let (code, said, err) = check(&cases);
    assert_eq!((code, said.as_str()), (Some(1), "okx errors createOrder 6/7\nfixtures: 6/7\n"));
    assert!(err.contains("InsufficientFunds instead of OrderNotFound"), "{err}");

    for bad in ["", "{}", "{\"cases\":5}", "\u{0}", "{\"cases\":[{\"status\":70000}]}"] {
        std::fs::write(cases.join("errors/okx.json"), bad).unwrap();
        let (code, said, err) = check(&cases);
        assert!(code == Some(3) && said.is_empty() && err.starts_with("error: "), "{bad:?}: {err}");
        assert!(err.contains("okx.json"), "{err}");
    }
    let (code, _, err) = check(&folder.path().join("nowhere"));
    assert!(code == Some(3) && err.starts_with("error: "), "{err}");
}
