use base64::engine::general_purpose::STANDARD;
use control_api::{JoinAs, MediaAllowed};
use serde_json::{Value, json};

use super::*;

/// The first key of [`file`], which signs.
const NEW: [u8; 64] = [1; 64];
/// A former one, for the weaker hash.
const OLD: [u8; 32] = [2; 32];
const NOW: u64 = 1_900_000_000;

fn file() -> String {
    format!("HS512 {} new\nHS256 {} old\n", STANDARD.encode(NEW), STANDARD.encode(OLD))
}

fn tokens_of(file: &[u8]) -> Tokens {
    Tokens {
        key_file: PathBuf::new(),
        keys: watch::Sender::new(Arc::new(Keys::parse(file).unwrap())),
        project: "acme".to_owned(),
        ttl: Duration::from_secs(7200),
    }
}

fn tokens() -> Tokens {
    tokens_of(file().as_bytes())
}

fn at(unix: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(unix)
}

fn grant() -> Grant {
    Grant::new("lounge".into(), "Alice".into(), vec!["room.self.audio_mute".into()])
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token with any header and payload, signed with any hash.
fn forged_with(hash: aws_lc_rs::hmac::Algorithm, header: &str, payload: &str, secret: &[u8]) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(payload));
    let tag = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(hash, secret), signed.as_bytes());
    format!("{signed}.{}", encoded(tag.as_ref()))
}

/// Signed as the header says.
fn forged(header: &Value, payload: &Value, secret: &[u8]) -> String {
    let hash = match header["alg"].as_str() {
        Some("HS256") => aws_lc_rs::hmac::HMAC_SHA256,
        Some("HS384") => aws_lc_rs::hmac::HMAC_SHA384,
        _ => aws_lc_rs::hmac::HMAC_SHA512,
    };
    forged_with(hash, &header.to_string(), &payload.to_string(), secret)
}

fn header() -> Value {
    json!({"typ": "VRT", "alg": "HS512"})
}

fn payload() -> Value {
    json!({"iat": NOW, "exp": NOW + 60, "jti": "1", "sub": "acme", "r": "lounge"})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

#[test]
fn a_token_says_what_the_browser_and_we_read() {
    let token = tokens_of(&[0x80; 64]).mint(grant(), Some("ws://127.0.0.1:8080"), at(NOW));
    assert_eq!(part(&token, 0), json!({"typ": "VRT", "alg": "HS512", "ch": "ws://127.0.0.1:8080"}));
    let payload = part(&token, 1);
    for (claim, expected) in [
        ("iat", json!(NOW)),
        ("exp", json!(NOW + 7200)),
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
fn every_option_comes_back() {
    let full = Grant {
        room_display_name: Some("The lounge".into()),
        join_as: JoinAs::Audience,
        media_allowed: MediaAllowed::AudioOnly,
        auto_create_room: false,
        join_from: Some(NOW - 5),
        join_until: Some(NOW + 5),
        remove_at: Some(NOW + 6),
        remove_after_s: Some(7),
        end_room_session_on_leave: true,
        enable_room_previews: true,
        meta: json!({"seat": 4}).as_object().unwrap().clone(),
        room_meta: json!({"floor": [2]}).as_object().unwrap().clone(),
        join_audio_muted: true,
        join_video_muted: true,
        ..grant()
    };
    for grant in [grant(), full] {
        let tokens = tokens();
        let token = tokens.mint(grant.clone(), None, at(NOW));
        let claims = tokens.verify(&token, at(NOW)).unwrap();
        assert_eq!((claims.grant, claims.expires_at), (grant, NOW + 7200));
    }
}

#[test]
fn the_first_key_signs_and_every_key_verifies() {
    let tokens = tokens();
    let minted = tokens.mint(grant(), None, at(NOW));
    assert_eq!((&part(&minted, 0)["alg"], &part(&minted, 0)["kid"]), (&json!("HS512"), &json!("new")));
    let old = json!({"typ": "VRT", "alg": "HS256"});
    for header in [header(), with(header(), "kid", json!("new"))] {
        assert!(tokens.verify(&forged(&header, &payload(), &NEW), at(NOW)).is_ok(), "{header}");
    }
    for header in [old.clone(), with(old, "kid", json!("old"))] {
        assert!(tokens.verify(&forged(&header, &payload(), &OLD), at(NOW)).is_ok(), "{header}");
    }
    // A key without an id verifies tokens that name one.
    let nameless = tokens_of(&[0x80; 64]);
    let named = forged(&with(header(), "kid", json!("x")), &payload(), &[0x80; 64]);
    assert!(nameless.verify(&named, at(NOW)).is_ok());
}

#[test]
fn the_longest_token_that_is_made_is_accepted() {
    let long = || json!({"a": "\u{10ffff}".repeat(1992)}).as_object().unwrap().clone();
    let permissions = control_api::Permission::DEFAULT.iter().map(ToString::to_string).collect();
    let mut grant = Grant::new("r".repeat(100), "\u{10ffff}".repeat(100), permissions);
    (grant.meta, grant.room_meta) = (long(), long());
    let token = tokens().mint(grant.clone(), Some("wss://video.example"), at(NOW));
    assert_eq!(tokens().verify(&token, at(NOW)).map(|claims| claims.grant).unwrap(), grant);
}

#[test]
fn a_key_file_that_changes_is_taken_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let rules = TokenRules { ttl: Duration::from_secs(60), key_file: dir.path().join("token.key") };
    let tokens = Tokens::open(&rules, "acme").unwrap();
    let before = tokens.mint(grant(), None, at(NOW));
    std::fs::write(&rules.key_file, "HS512 nonsense!").unwrap();
    let error = tokens.reload().unwrap_err().to_string();
    assert!(error.contains("tokens.key_file: ") && error.contains("line 1"), "{error}");
    assert!(tokens.verify(&before, at(NOW)).is_ok());
    std::fs::write(&rules.key_file, file()).unwrap();
    tokens.reload().unwrap();
    assert!(tokens.verify(&before, at(NOW)).is_err(), "its key is gone");
    assert!(tokens.verify(&forged(&header(), &payload(), &NEW), at(NOW)).is_ok());
}

#[test]
fn what_attackers_try_is_refused() {
    let tokens = tokens();
    let sign = |header: &Value, payload: &Value| forged(header, payload, &NEW);
    let good = sign(&header(), &payload());
    assert!(tokens.verify(&good, at(NOW)).is_ok(), "the forger signs well");
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let body = signed.split_once('.').unwrap().1;
    let unsigned = |header: &str| format!("{}.{body}.", encoded(header));
    let hs512 =
        |header: &str, payload: &str| forged_with(aws_lc_rs::hmac::HMAC_SHA512, header, payload, &NEW);
    let plain = header().to_string();
    let payload_with =
        |more: &str| format!(r#"{{"iat":{NOW},"exp":{},"sub":"acme","r":"lounge",{more}}}"#, NOW + 60);
    let flipped = {
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        format!("{signed}.{}", encoded(bytes))
    };
    let secret_in_header = r#"{"typ":"VRT","alg":"HS512","jwk":{"kty":"oct","k":"AQEB"}}"#;
    // (what, token, part of the reason)
    let cases: Vec<(&str, String, &str)> = vec![
        ("empty", String::new(), "three parts"),
        ("no token", "not a token".to_owned(), "three parts"),
        ("two parts", signed.to_owned(), "three parts"),
        ("four parts", format!("{good}.{signature}"), "header"),
        ("too long", "x".repeat(MAX_TOKEN_BYTES + 1), "too long"),
        ("no signature", format!("{signed}."), "none of our keys"),
        ("cut signature", format!("{signed}.{}", &signature[..20]), "none of our keys"),
        ("one bit of it", flipped, "none of our keys"),
        ("padded", format!("{good}=="), "none of our keys"),
        ("another key", forged(&header(), &payload(), &[9; 64]), "none of our keys"),
        ("an empty key", forged(&header(), &payload(), &[]), "none of our keys"),
        // Algorithms: a key is for one, whatever the token says.
        ("alg none", unsigned(r#"{"typ":"VRT","alg":"none"}"#), "header"),
        ("alg None", unsigned(r#"{"typ":"VRT","alg":"None"}"#), "header"),
        ("no alg", unsigned(r#"{"typ":"VRT"}"#), "header"),
        ("alg empty", unsigned(r#"{"typ":"VRT","alg":""}"#), "header"),
        ("alg is a list", unsigned(r#"{"typ":"VRT","alg":["HS512"]}"#), "header"),
        ("alg twice", hs512(r#"{"typ":"VRT","alg":"none","alg":"HS512"}"#, &payload().to_string()), "header"),
        ("another hash", sign(&json!({"typ": "VRT", "alg": "HS384"}), &payload()), "none of our keys"),
        (
            "the strong key for the weak hash",
            sign(&json!({"typ": "VRT", "alg": "HS256"}), &payload()),
            "none of",
        ),
        ("the weak key for the strong hash", forged(&header(), &payload(), &OLD), "none of our keys"),
        (
            "RS256 by HMAC",
            hs512(r#"{"typ":"VRT","alg":"RS256"}"#, &payload().to_string()),
            "none of our keys",
        ),
        (
            "ES256 by HMAC",
            hs512(r#"{"typ":"VRT","alg":"ES256"}"#, &payload().to_string()),
            "none of our keys",
        ),
        (
            "EdDSA by HMAC",
            hs512(r#"{"typ":"VRT","alg":"EdDSA"}"#, &payload().to_string()),
            "none of our keys",
        ),
        ("kid of another key", sign(&with(header(), "kid", json!("old")), &payload()), "none of our keys"),
        (
            "kid of no key",
            sign(&with(header(), "kid", json!("../../dev/null")), &payload()),
            "none of our keys",
        ),
        // Brings its own key: three unknown bytes, not ours.
        (
            "jwk",
            forged_with(aws_lc_rs::hmac::HMAC_SHA512, secret_in_header, &payload().to_string(), &[1; 3]),
            "",
        ),
        ("crit", sign(&with(header(), "crit", json!(["exp"])), &payload()), "critical"),
        ("header is no JSON", format!("{}.{body}.{signature}", encoded("{")), "header"),
        ("header is no base64", format!("%%%.{body}.{signature}"), "header"),
        ("type JWT", sign(&json!({"typ": "JWT", "alg": "HS512"}), &payload()), "of type"),
        ("type vrt", sign(&json!({"typ": "vrt", "alg": "HS512"}), &payload()), "of type"),
        ("no type", sign(&json!({"alg": "HS512"}), &payload()), "of type"),
        // The payload, signed well.
        ("payload of nothing", hs512(&plain, ""), "claim"),
        ("payload is a list", hs512(&plain, "[]"), "claim"),
        ("more after it", hs512(&plain, &format!("{} {{}}", payload())), "claim"),
        ("deep", hs512(&plain, &payload_with(&format!("\"m\":{}", "[".repeat(5000)))), "claim m"),
        ("another project", sign(&header(), &with(payload(), "sub", json!("other"))), "another project"),
        ("all projects", sign(&header(), &with(payload(), "sub", json!(["acme", "other"]))), "claim sub"),
        ("no project", sign(&header(), &without(payload(), "sub")), "claim"),
        ("sub twice", hs512(&plain, &payload_with("\"sub\":\"other\"")), "duplicate field `sub`"),
        ("room twice", hs512(&plain, &payload_with("\"r\":\"vault\"")), "duplicate field `r`"),
        ("permissions twice", hs512(&plain, &payload_with("\"s\":[],\"s\":[]")), "duplicate field `s`"),
        ("no room", sign(&header(), &without(payload(), "r")), "missing field `r`"),
        ("room without name", sign(&header(), &with(payload(), "r", json!(""))), "claim r is no name"),
        ("room with a zero", sign(&header(), &with(payload(), "r", json!("a\u{0}"))), "claim r is no name"),
        (
            "user of a novel",
            sign(&header(), &with(payload(), "u", json!("u".repeat(101)))),
            "claim u is no name",
        ),
        ("display name", sign(&header(), &with(payload(), "rdn", json!("a\nb"))), "claim rdn is no name"),
        ("a role nobody has", sign(&header(), &with(payload(), "ja", json!("owner"))), "claim ja"),
        ("media nobody has", sign(&header(), &with(payload(), "ma", json!("screen-only"))), "claim ma"),
        ("permissions as text", sign(&header(), &with(payload(), "s", json!("room.lock"))), "claim s"),
        ("a permission as number", sign(&header(), &with(payload(), "s", json!(["a", 7]))), "claim s[1]"),
        ("meta as text", sign(&header(), &with(payload(), "m", json!("x"))), "claim m"),
        ("a flag as number", sign(&header(), &with(payload(), "acr", json!(1))), "claim acr"),
        ("a date as text", sign(&header(), &with(payload(), "ju", json!("tomorrow"))), "claim ju"),
        // Dates.
        ("no expiry", sign(&header(), &without(payload(), "exp")), "missing field `exp`"),
        ("expiry as text", sign(&header(), &with(payload(), "exp", json!("2099"))), "claim exp"),
        ("expiry below zero", sign(&header(), &with(payload(), "exp", json!(-1))), "claim exp"),
        ("no issue date", sign(&header(), &without(payload(), "iat")), "missing field `iat`"),
        (
            "over before it began",
            sign(&header(), &with(payload(), "exp", json!(NOW))),
            "exp is not after iat",
        ),
        (
            "issued tomorrow",
            sign(&header(), &json!({"iat": NOW + 61, "exp": NOW + 90, "sub": "acme", "r": "a"})),
            "iat",
        ),
        ("valid tomorrow", sign(&header(), &with(payload(), "nbf", json!(NOW + 61))), "nbf is in the future"),
        ("nbf of the end", sign(&header(), &with(payload(), "nbf", json!(u64::MAX))), "nbf is in the future"),
    ];
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(what, token, reason)| match tokens.verify(&token, at(NOW)) {
            Err(error) if error.to_string().contains(reason) => None,
            other => Some(format!("{what}: {:?}", other.map_err(|error| error.to_string()))),
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn clocks_may_differ_by_half_a_minute() {
    let tokens = tokens();
    let token = forged(&header(), &with(payload(), "nbf", json!(NOW + 10)), &NEW);
    for (now, accepted) in [
        (NOW - 31, false), // issued later
        (NOW - 30, false), // not before later
        (NOW - 20, true),
        (NOW + 60, true),
        (NOW + 89, true),
        (NOW + 90, false),
        (0, false),
    ] {
        assert_eq!(tokens.verify(&token, at(now)).is_ok(), accepted, "{now}");
    }
    let forever = forged(&header(), &with(payload(), "exp", json!(u64::MAX)), &NEW);
    assert!(tokens.verify(&forever, at(NOW)).is_ok());
}
