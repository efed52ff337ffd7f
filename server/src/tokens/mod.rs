//! Video room tokens: who may join which room, as what, and until when.
//!
//! in:  what a caller asks for; a token that came with `signalwire.connect`; the time
//! out: a signed token (a JWT with header `typ: "VRT"`); its claims, or why it is not accepted
//!
//! What is checked, in this order: size, header, signature (by the keys of that algorithm, never by an algorithm of the
//! token's choice), types of the claims, project, dates, names. The browser SDK reads the header's `ch` (our WebSocket
//! address) and the claim `r`.

mod claims;
mod keys;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Header;
use tokio::sync::watch;

use crate::config::{ConfigError, TokenRules};
use crate::secret_file;

pub(crate) use claims::{Claims, Grant};
use keys::Keys;

/// What the header of a room token says it is; `JWT` would switch off the browser's reattach.
const TYPE: &str = "VRT";

/// Tolerance for dates: the token may come from another machine with the same key.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// Longest token that is looked at. REST makes none of more than about 24 kB: `meta` and `room_meta` of 2000 characters
/// each, of up to 4 bytes, in base64. It fits into a first frame.
const MAX_TOKEN_BYTES: usize = 48 * 1024;

/// Why a token is not accepted; for logs, never told to the one who sent it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("token is too long")]
    TooLong,
    #[error("token is not three parts")]
    Parts,
    #[error("token has no good header: {0}")]
    Header(jsonwebtoken::errors::Error),
    #[error("token is of type {0:?}, not {TYPE}")]
    Type(Option<String>),
    #[error("token has critical headers, which nobody here knows")]
    Critical,
    #[error("token is signed by none of our keys")]
    Signature,
    #[error("token's payload is not base64")]
    Payload,
    #[error("token's claim {0}: {1}")]
    Claim(String, serde_json::Error),
    #[error("token is of another project")]
    Project,
    #[error("token's dates: {0}")]
    Dates(&'static str),
    #[error("token's claim {0} is no name")]
    Name(&'static str),
}

/// Makes and checks the tokens of one project.
pub(crate) struct Tokens {
    key_file: PathBuf,
    keys: watch::Sender<Arc<Keys>>,
    project: String,
    ttl: Duration,
}

impl Tokens {
    /// Reads the keys, and makes one when there is none.
    pub(crate) fn open(rules: &TokenRules, project: &str) -> Result<Self, ConfigError> {
        let file = secret_file::open_or_make(&rules.key_file).map_err(refusal)?;
        Ok(Self {
            key_file: rules.key_file.clone(),
            keys: watch::Sender::new(Arc::new(parsed(&rules.key_file, &file)?)),
            project: project.to_owned(),
            ttl: rules.ttl,
        })
    }

    /// Whether there are good keys, or none yet.
    pub(crate) fn check(rules: &TokenRules) -> Result<(), ConfigError> {
        if !rules.key_file.exists() {
            return Ok(());
        }
        parsed(&rules.key_file, &secret_file::open(&rules.key_file).map_err(refusal)?).map(drop)
    }

    /// Takes what the key file holds now; it stays without effect when it is wrong.
    pub(crate) fn reload(&self) -> Result<(), ConfigError> {
        let file = secret_file::open(&self.key_file).map_err(refusal)?;
        self.keys.send_replace(Arc::new(parsed(&self.key_file, &file)?));
        Ok(())
    }

    /// A signed token. `ws_url` becomes `ch`, which SDKs prefer over their `host` option.
    pub(crate) fn mint(&self, grant: Grant, ws_url: Option<&str>, now: SystemTime) -> String {
        let issued_at = unix_seconds(now);
        let claims = Claims {
            issued_at,
            not_before: None,
            expires_at: issued_at + self.ttl.as_secs(),
            id: uuid::Uuid::new_v4().to_string(),
            project: self.project.clone(),
            grant,
        };
        let keys = Arc::clone(&self.keys.borrow());
        let key = keys.signing();
        let mut header = Header::new(key.algorithm.in_jwt());
        header.typ = Some(TYPE.to_owned());
        header.kid.clone_from(&key.id);
        header.extras.extend(ws_url.map(|url| ("ch".to_owned(), url.to_owned())));
        jsonwebtoken::encode(&header, &claims.to_payload(), &key.encoding)
            .expect("plain strings and numbers are JSON, and HMAC takes any key")
    }

    /// The claims of a token that is ours, of this project and of this time.
    pub(crate) fn verify(&self, token: &str, now: SystemTime) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Parts)?;
        let (_, payload) = signed.split_once('.').ok_or(TokenError::Parts)?;
        let header = jsonwebtoken::decode_header(token).map_err(TokenError::Header)?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        if header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Type(header.typ));
        }
        if !self.is_signed(&header, signed, signature) {
            return Err(TokenError::Signature);
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Payload)?;
        let claims = Claims::parse(&payload, unix_seconds(now), CLOCK_SKEW.as_secs())?;
        if claims.project == self.project { Ok(claims) } else { Err(TokenError::Project) }
    }

    fn is_signed(&self, header: &Header, signed: &str, signature: &str) -> bool {
        let keys = Arc::clone(&self.keys.borrow());
        keys.all().filter(|key| key.may_have_signed(header.alg, header.kid.as_deref())).any(|key| {
            // Compares in constant time; the algorithm is the key's.
            let algorithm = key.algorithm.in_jwt();
            jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.decoding, algorithm)
                .unwrap_or(false)
        })
    }
}

fn parsed(path: &Path, file: &[u8]) -> Result<Keys, ConfigError> {
    Keys::parse(file).map_err(|error| refusal(format!("{}: {error}", path.display())))
}

fn refusal(reason: impl std::fmt::Display) -> ConfigError {
    ConfigError::new("tokens.key_file", reason)
}

/// Whole seconds since 1970; 0 for a clock before it.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
