//! HTTPS: certificate and key from PEM files, replaced while running.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is absent or no PEM of the right kind.
    #[error("{file} cannot be used: {cause}")]
    File {
        /// Path.
        file: String,
        /// What is wrong.
        cause: rustls_pki_types::pem::Error,
    },
    /// A chain file without a certificate.
    #[error("{file} holds no certificate")]
    Empty {
        /// Path.
        file: String,
    },
    /// The two do not belong together, or the key is of an unknown kind.
    #[error("certificate and key cannot be used together: {0}")]
    Mismatch(#[from] rustls::Error),
}

/// The current certificate. Connections opened after [`Tls::reload`] see the new one.
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let config = read(&files)?;
        Ok(Self { files, current: ArcSwap::from_pointee(config) })
    }

    /// Reads both files again.
    ///
    /// # Errors
    /// See [`TlsError`]; the old certificate then stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    /// For one connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let named = |path: &Path| path.display().to_string();
    let bad = |path: &Path| {
        let file = named(path);
        move |cause| TlsError::File { file, cause }
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(bad(&files.cert))?;
    if chain.is_empty() {
        return Err(TlsError::Empty { file: named(&files.cert) });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(bad(&files.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
