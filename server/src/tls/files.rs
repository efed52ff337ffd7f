//! From PEM files to a configuration of handshakes, or the reason why not.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{Error, InconsistentKeys, ServerConfig};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Certificate;
use crate::config::{ConfigError, TlsFiles};

/// A chain is some 5 kB; more is another file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";

pub(super) fn load(
    files: &TlsFiles,
    host: Option<&str>,
    now: SystemTime,
) -> Result<Certificate, ConfigError> {
    let chain = chain(&files.certificate)?;
    let key = private_key(&files.key)?;
    let leaf = chain.first().cloned().ok_or_else(|| no_certificate(&files.certificate))?;
    let (not_before, not_after) = validity(&leaf).ok_or_else(|| {
        ConfigError::new(CERTIFICATE, format!("{} is no X.509", files.certificate.display()))
    })?;
    let config = server_config(chain, key).map_err(|error| refusal(files, &error))?;
    let warnings = [out_of_date(not_before, not_after, now), for_another(&leaf, host)];
    Ok(Certificate {
        config: Arc::new(config),
        not_after,
        warnings: warnings.into_iter().flatten().collect(),
    })
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn refusal(files: &TlsFiles, error: &Error) -> ConfigError {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    if *error == Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
        ConfigError::new(KEY, format!("{key} is not the key of the first certificate in {certificate}"))
    } else if let Error::InvalidCertificate(why) = error {
        ConfigError::new(CERTIFICATE, format!("{certificate}: {why:?}"))
    } else {
        ConfigError::new(KEY, format!("{key}: {error}"))
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let text = read(CERTIFICATE, path)?;
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ConfigError::new(CERTIFICATE, format!("{}: {error}", path.display())))?;
    if chain.is_empty() { Err(no_certificate(path)) } else { Ok(chain) }
}

fn no_certificate(path: &Path) -> ConfigError {
    ConfigError::new(CERTIFICATE, format!("{} has no PEM section CERTIFICATE", path.display()))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let text = read(KEY, path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let reason = if String::from_utf8_lossy(&text).contains("ENCRYPTED") {
            "is encrypted: a passphrase cannot be asked for".to_owned()
        } else if matches!(error, rustls::pki_types::pem::Error::NoItemsFound) {
            "has no PEM section PRIVATE KEY".to_owned()
        } else {
            error.to_string()
        };
        ConfigError::new(KEY, format!("{} {reason}", path.display()))
    })
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    let wrong = |reason: String| ConfigError::new(key, format!("{}: {reason}", path.display()));
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text))
        .map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(wrong(format!("has more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

/// Unix seconds.
fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let validity = parsed.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// Clocks go wrong, and an expired certificate serves clients that do not look; so it is no error.
fn out_of_date(not_before: i64, not_after: i64, now: SystemTime) -> Option<String> {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
    if now > not_after {
        Some(format!("{CERTIFICATE}: expired on {}", date(not_after)))
    } else if now < not_before {
        Some(format!("{CERTIFICATE}: is not valid before {}", date(not_before)))
    } else {
        None
    }
}

fn for_another(certificate: &CertificateDer<'_>, host: Option<&str>) -> Option<String> {
    let host = host?;
    let name = ServerName::try_from(host).ok()?;
    let fits = ParsedCertificate::try_from(certificate).is_ok_and(|c| verify_server_name(&c, &name).is_ok());
    (!fits)
        .then(|| format!("{CERTIFICATE}: is not for {host}, the host of public_url: clients will refuse it"))
}

fn date(unix: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix)
        .ok()
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    struct Made {
        dir: tempfile::TempDir,
        files: TlsFiles,
    }

    fn made(certificate: &str, key: &str) -> Made {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        Made { dir, files }
    }

    /// Valid from 2020 to 2040.
    fn signed() -> (String, String) {
        let mut params =
            CertificateParams::new(vec!["video.example".to_owned(), "192.0.2.7".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn at(unix: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(unix)
    }

    #[test]
    fn files_that_fit_are_taken_and_their_dates_and_names_looked_at() {
        let (certificate, key) = signed();
        let made = made(&certificate, &key);
        let cases = [
            (1_700_000_000, Some("video.example"), None),
            (1_700_000_000, Some("192.0.2.7"), None),
            (1_700_000_000, None, None),
            (1_700_000_000, Some("other.example"), Some("tls.certificate: is not for other.example")),
            (2_300_000_000, None, Some("tls.certificate: expired on 2040-01-01T00:00:00Z")),
            (1_500_000_000, None, Some("tls.certificate: is not valid before 2020-01-01T00:00:00Z")),
        ];
        for (now, host, expected) in cases {
            let loaded = load(&made.files, host, at(now)).unwrap();
            assert_eq!(loaded.not_after, 2_208_988_800);
            assert_eq!(loaded.config.alpn_protocols, [b"http/1.1"]);
            let found = loaded.warnings.first().map(String::as_str);
            assert!(
                found
                    .zip(expected)
                    .map_or(found == expected, |(found, expected)| found.starts_with(expected)),
                "{found:?}"
            );
        }
        drop(made.dir);
    }

    #[test]
    fn files_that_do_not_are_refused_by_their_key() {
        let (certificate, key) = signed();
        let (other, _) = signed();
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cases = [
            ("", key.as_str(), "tls.certificate: ", "has no PEM section CERTIFICATE"),
            (key.as_str(), key.as_str(), "tls.certificate: ", "has no PEM section CERTIFICATE"),
            (broken, key.as_str(), "tls.certificate: ", "is no X.509"),
            (&certificate[..200], key.as_str(), "tls.certificate: ", "cert.pem"),
            (certificate.as_str(), "", "tls.key: ", "has no PEM section PRIVATE KEY"),
            (certificate.as_str(), certificate.as_str(), "tls.key: ", "has no PEM section PRIVATE KEY"),
            (certificate.as_str(), encrypted, "tls.key: ", "is encrypted"),
            (other.as_str(), key.as_str(), "tls.key: ", "is not the key of the first certificate"),
        ];
        for (certificate, key, begin, part) in cases {
            let error = load(&made(certificate, key).files, None, at(1_700_000_000)).unwrap_err().to_string();
            let message = error.strip_prefix("configuration: ").unwrap();
            assert!(message.starts_with(begin) && message.contains(part), "{message}\n not {begin}{part}");
        }
        let made = made(&certificate, &key);
        fs::remove_file(&made.files.key).unwrap();
        let error = load(&made.files, None, at(1_700_000_000)).unwrap_err().to_string();
        assert!(error.contains("tls.key: ") && error.contains("No such file"), "{error}");
        fs::write(&made.files.certificate, vec![b'x'; 1024 * 1024 + 1]).unwrap();
        let error = load(&made.files, None, at(1_700_000_000)).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
    }
}
