//! HTTPS with certificates that change while the server runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orrery_server::config::TlsFiles;
use orrery_server::tls::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::{Server, bounds, connect, exchange, options, start_with, until_closed};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/tls").join(name)
}

fn install(name: &str, files: &TlsFiles) {
    std::fs::copy(data(&format!("{name}.pem")), &files.cert).unwrap();
    std::fs::copy(data(&format!("{name}.key")), &files.key).unwrap();
}

/// Connects, trusting exactly the certificate of that name.
async fn open(server: &Server, trusted: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data(&format!("{trusted}.pem"))).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, connect(server).await).await
}

async fn status(server: &Server, trusted: &str) -> std::io::Result<u16> {
    let mut io = open(server, trusted).await?;
    assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    Ok(exchange(&mut io, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap().status)
}

#[tokio::test]
async fn a_new_certificate_is_served_after_a_reload() {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
    install("first", &files);
    let tls = Arc::new(Tls::load(files.clone()).unwrap());
    let server = start_with(options(), bounds(), Some(tls.clone())).await;
    assert_eq!(status(&server, "first").await.unwrap(), 200);
    let mut plain = connect(&server).await;
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    until_closed(&mut plain).await;

    install("second", &files);
    assert!(status(&server, "second").await.is_err(), "nothing changes before the reload");
    tls.reload().unwrap();
    assert_eq!(status(&server, "second").await.unwrap(), 200);
    assert!(status(&server, "first").await.is_err());

    std::fs::copy(data("first.key"), &files.key).unwrap();
    assert!(tls.reload().is_err(), "certificate and key differ");
    assert_eq!(status(&server, "second").await.unwrap(), 200, "the good one stays");
}

#[test]
fn bad_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
    let text = |files: &TlsFiles| Tls::load(files.clone()).err().unwrap().to_string();
    assert!(text(&files).contains("c.pem"));
    std::fs::write(&files.cert, "no certificate").unwrap();
    assert!(text(&files).contains("c.pem"));
    std::fs::copy(data("first.pem"), &files.cert).unwrap();
    assert!(text(&files).contains("k.pem"));
    std::fs::copy(data("second.key"), &files.key).unwrap();
    assert!(text(&files).contains("cannot be used together"));
}
