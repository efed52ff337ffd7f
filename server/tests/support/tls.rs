//! A private CA, certificates of it in files, and clients that trust it and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Signs certificates for `localhost` and `127.0.0.1`, each through an intermediate, so that the chain matters.
pub(crate) struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let ca = |name: &str| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(ca("tests' root"), key()).unwrap();
        let intermediate = CertifiedIssuer::signed_by(ca("tests' intermediate"), key(), &root).unwrap();
        Self { root, intermediate }
    }

    /// A new certificate and key in PEM; the name says which one it is.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names.to_vec()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.intermediate).unwrap();
        (format!("{}{}", certificate.pem(), self.intermediate.pem()), key.serialize_pem())
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    /// Speaks TLS on a new connection; the error is the handshake's.
    pub(crate) async fn connect(
        &self,
        address: &str,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }
}

/// The files that the server is told of.
pub(crate) struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new((certificate, key): &(String, String)) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        files.write(certificate, key);
        files
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.dir.path().join("certificate.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    /// Each file is exchanged whole, as careful tools do it.
    pub(crate) fn write(&self, certificate: &str, key: &str) {
        let put = |path: &Path, text: &str| {
            let draft = path.with_extension("new");
            fs::write(&draft, text).unwrap();
            fs::rename(&draft, path).unwrap();
        };
        put(&self.certificate(), certificate);
        put(&self.key(), key);
    }
}

/// The common name of the certificate the server showed.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> String {
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
    parsed.subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned()
}
