use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

fn tokens(key: &Key) -> Tokens {
    Tokens::new(key, "acme", Duration::from_secs(7200))
}

fn grant() -> Grant {
    Grant::new("lounge".into(), "Alice".into(), vec!["room.self.audio_mute".into()])
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token with any header and payload, signed as given.
fn forged(header: &Value, payload: &Value, secret: &[u8]) -> String {
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", text(header), text(payload));
    let algorithm = match header["alg"].as_str() {
        Some("HS256") => aws_lc_rs::hmac::HMAC_SHA256,
        _ => aws_lc_rs::hmac::HMAC_SHA512,
    };
    let tag = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(algorithm, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

#[test]
fn a_token_says_what_the_browser_and_we_read() {
    let now = SystemTime::now();
    let token = tokens(&Key::random()).mint(grant(), Some("ws://127.0.0.1:8080"), now);
    assert_eq!(part(&token, 0), json!({"typ": "VRT", "alg": "HS512", "ch": "ws://127.0.0.1:8080"}));
    let payload = part(&token, 1);
    let iat = unix_seconds(now);
    for (claim, expected) in [
        ("iat", json!(iat)),
        ("exp", json!(iat + 7200)),
        ("sub", json!("acme")),
        ("r", json!("lounge")),
        ("u", json!("Alice")),
        ("s", json!(["room.self.audio_mute"])),
        ("acr", json!(true)),
        ("ja", json!("member")),
        ("ma", json!("all")),
    ] {
        assert_eq!(payload[claim], expected, "{claim}");
    }
}

#[test]
fn what_was_minted_is_verified() {
    let tokens = tokens(&Key::random());
    let token = tokens.mint(grant(), None, SystemTime::now());
    assert_eq!(tokens.verify(&token).unwrap().grant, grant());
}

#[test]
fn nothing_else_is_verified() {
    let key = Key::random();
    let tokens = tokens(&key);
    let now = unix_seconds(SystemTime::now());
    let header = json!({"typ": "VRT", "alg": "HS512"});
    let payload =
        json!({"iat": now, "exp": now + 60, "jti": "1", "sub": "acme", "ja": "member", "r": "lounge"});
    let with = |claim: &str, value: Value| {
        let mut changed = payload.clone();
        changed[claim] = value;
        changed
    };
    let without = |claim: &str| {
        let mut changed = payload.clone();
        changed.as_object_mut().unwrap().remove(claim);
        changed
    };
    let sign = |header: &Value, payload: &Value| forged(header, payload, key.bytes());
    assert!(tokens.verify(&sign(&header, &payload)).is_ok(), "the forger signs well");

    let good = sign(&header, &payload);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let cases = [
        ("empty", String::new()),
        ("no JWT", "not a token".to_owned()),
        ("no signature", format!("{signed}.")),
        ("cut signature", format!("{signed}.{}", &signature[..20])),
        ("another key", forged(&header, &payload, &[1; 64])),
        (
            "alg none",
            format!(
                "{}.{}.",
                URL_SAFE_NO_PAD.encode(r#"{"typ":"VRT","alg":"none"}"#),
                signed.split_once('.').unwrap().1
            ),
        ),
        ("another algorithm", sign(&json!({"typ": "VRT", "alg": "HS256"}), &payload)),
        ("another type", sign(&json!({"typ": "JWT", "alg": "HS512"}), &payload)),
        ("no type", sign(&json!({"alg": "HS512"}), &payload)),
        ("another project", sign(&header, &with("sub", json!("other")))),
        ("no project", sign(&header, &without("sub"))),
        ("expired", sign(&header, &with("exp", json!(now - 61)))),
        ("no expiry", sign(&header, &without("exp"))),
        ("no room", sign(&header, &with("r", json!("")))),
        ("room of no name", sign(&header, &without("r"))),
        ("a role nobody has", sign(&header, &with("ja", json!("owner")))),
        ("too long", "x".repeat(MAX_TOKEN_BYTES + 1)),
    ];
    for (name, token) in cases {
        assert!(tokens.verify(&token).is_err(), "{name}");
    }
}

#[test]
fn expiry_counts_from_the_time_of_minting() {
    let key = Key::random();
    let tokens = tokens(&key);
    let past = |seconds| SystemTime::now() - Duration::from_secs(seconds);
    assert!(tokens.verify(&tokens.mint(grant(), None, past(7200 - 5))).is_ok());
    assert!(tokens.verify(&tokens.mint(grant(), None, past(7200 + 61))).is_err());
}
