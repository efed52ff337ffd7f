//! The keys of room tokens.
//!
//! in:  the bytes of a key file
//! out: keys, each with the one algorithm it is for
//!
//! A file is one of two things:
//!
//! - at least 64 bytes that are not text: one key for HS512, as the server makes it at first start;
//! - text, one key per line: `HS512 <base64> [id]` or `HS256 <base64> [id]`; lines that begin with `#` do not count. The
//!   first key signs, all of them verify: to rotate, put a new line on top, and take the old one away once its tokens
//!   are over.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::{DecodingKey, EncodingKey};

/// Most keys of a file: every token without an id is tried with each.
const MAX_KEYS: usize = 8;

/// HMAC with the hash that the key is for; what a token says of itself never chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Hs512,
}

impl Algorithm {
    fn by_name(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "HS512" => Some(Self::Hs512),
            _ => None,
        }
    }

    /// RFC 7518 §3.2: as long as the hash.
    fn least_bytes(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs512 => 64,
        }
    }

    pub(super) fn in_jwt(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Hs512 => jsonwebtoken::Algorithm::HS512,
        }
    }
}

/// Why a file holds no keys. Never what is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeysError {
    #[error("holds no key")]
    None,
    #[error("has {0} bytes that are not text; a key for HS512 needs 64, such as `openssl rand 64` makes")]
    Short(usize),
    #[error(
        "line {0} is not `HS512 <base64> [id]`; `echo \"HS512 $(openssl rand -base64 64 | tr -d '\\n')\"` makes one"
    )]
    Line(usize),
    #[error("line {line}: {bytes} bytes are too few for a key of this algorithm, {least} are needed")]
    ShortLine { line: usize, bytes: usize, least: usize },
    #[error("line {0}: the id has been given to another key")]
    SameId(usize),
    #[error("holds more than {MAX_KEYS} keys")]
    TooMany,
}

/// One key. It has no `Debug`, so that it lands in no log.
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
}

impl Key {
    fn new(algorithm: Algorithm, secret: &[u8], id: Option<&str>) -> Self {
        Self {
            id: id.map(str::to_owned),
            algorithm,
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        }
    }

    /// Whether a token that says so of itself may be of this key. An id only narrows the choice.
    pub(super) fn may_have_signed(&self, algorithm: jsonwebtoken::Algorithm, id: Option<&str>) -> bool {
        let other = self.id.as_deref().zip(id).is_some_and(|(ours, theirs)| ours != theirs);
        self.algorithm.in_jwt() == algorithm && !other
    }
}

/// The keys of one file, at least one.
pub(crate) struct Keys {
    signing: Key,
    former: Vec<Key>,
}

impl Keys {
    pub(crate) fn parse(file: &[u8]) -> Result<Self, KeysError> {
        let keys = match std::str::from_utf8(file) {
            Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) => lines(text)?,
            Ok(_) | Err(_) => vec![raw(file)?],
        };
        let mut keys = keys.into_iter();
        let signing = keys.next().ok_or(KeysError::None)?;
        Ok(Self { signing, former: keys.collect() })
    }

    /// The one that signs.
    pub(super) fn signing(&self) -> &Key {
        &self.signing
    }

    /// All, which verify.
    pub(super) fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.signing).chain(&self.former)
    }
}

fn raw(secret: &[u8]) -> Result<Key, KeysError> {
    if secret.len() < Algorithm::Hs512.least_bytes() {
        return Err(KeysError::Short(secret.len()));
    }
    Ok(Key::new(Algorithm::Hs512, secret, None))
}

fn lines(text: &str) -> Result<Vec<Key>, KeysError> {
    let mut keys: Vec<Key> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let key = line_key(index + 1, line)?;
        if key.id.is_some() && keys.iter().any(|known| known.id == key.id) {
            return Err(KeysError::SameId(index + 1));
        }
        keys.push(key);
        if keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
    }
    Ok(keys)
}

fn line_key(number: usize, line: &str) -> Result<Key, KeysError> {
    let wrong = || KeysError::Line(number);
    let mut words = line.split_whitespace();
    let algorithm = words.next().and_then(Algorithm::by_name).ok_or_else(wrong)?;
    let secret = words.next().and_then(unbase64).ok_or_else(wrong)?;
    let id = words.next();
    if words.next().is_some() {
        return Err(wrong());
    }
    let least = algorithm.least_bytes();
    if secret.len() < least {
        return Err(KeysError::ShortLine { line: number, bytes: secret.len(), least });
    }
    Ok(Key::new(algorithm, &secret, id))
}

/// Either alphabet, with or without padding: tools disagree.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, lenient).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    type Found = Vec<(Algorithm, Option<String>)>;

    fn found(file: &[u8]) -> Result<Found, KeysError> {
        Keys::parse(file).map(|keys| keys.all().map(|key| (key.algorithm, key.id.clone())).collect())
    }

    #[test]
    fn both_kinds_of_files_are_read() {
        let long = STANDARD.encode([0xfb; 64]);
        let short = URL_SAFE_NO_PAD.encode([0xfb; 32]);
        let text = format!("# since May\nHS512 {long} 2026-05\n\n  HS256 {short}\r\n");
        let expected = vec![(Algorithm::Hs512, Some("2026-05".to_owned())), (Algorithm::Hs256, None)];
        assert_eq!(found(text.as_bytes()).unwrap(), expected);
        // What the server makes, and what `openssl rand 64` could: it may begin like text.
        for first in [b'#', b'H', 0, 0xff] {
            let mut raw = [0x80; 64];
            raw[0] = first;
            assert_eq!(found(&raw).unwrap(), [(Algorithm::Hs512, None)]);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_told() {
        let long = STANDARD.encode([7; 64]);
        let short = STANDARD.encode([7; 32]);
        let tiny = STANDARD.encode([7; 31]);
        let many = format!("HS512 {long}\n").repeat(MAX_KEYS + 1);
        let cases: [(&str, KeysError); 11] = [
            ("", KeysError::None),
            ("# nothing\n\n", KeysError::None),
            ("my secret of sixty-four characters, which is not in the format now", KeysError::Line(1)),
            (&long, KeysError::Line(1)),
            (&format!("HS384 {long}"), KeysError::Line(1)),
            (&format!("none {long}"), KeysError::Line(1)),
            ("HS512 not!base64", KeysError::Line(1)),
            (&format!("HS512 {long} id more"), KeysError::Line(1)),
            (&format!("HS512 {long}\nHS512 {short}"), KeysError::ShortLine { line: 2, bytes: 32, least: 64 }),
            (&format!("HS256 {tiny}"), KeysError::ShortLine { line: 1, bytes: 31, least: 32 }),
            (&many, KeysError::TooMany),
        ];
        for (file, expected) in cases {
            let error = found(file.as_bytes()).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("sixty-four characters"));
        }
        assert_eq!(found(&[0x80; 63]), Err(KeysError::Short(63)));
        let same = format!("HS512 {long} a\nHS256 {long} a");
        assert_eq!(found(same.as_bytes()), Err(KeysError::SameId(2)));
    }
}
