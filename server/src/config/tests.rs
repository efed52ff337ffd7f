use super::environment::Variable;
use super::*;

/// A file that says only what has no default.
const LEAST: &str = r#"
[auth]
project = "acme"
api_token = "0123456789abcdef"
[media]
advertise = ["192.0.2.7"]
"#;

pub(super) fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables
        .iter()
        .map(|(name, text)| Variable::new(name, (*text).to_owned()).expect("a variable of ours"))
        .collect();
    File::merged(text.parse().expect("TOML"), variables)
        .and_then(|file| Config::validated(file, &Overrides::default(), Mode::Production))
        .map_err(|error| error.to_string())
}

#[test]
fn the_least_file_gives_the_documented_defaults() {
    let config = load(LEAST, &[]).unwrap();
    assert_eq!(config.tokens.ttl, Duration::from_secs(7200));
    assert_eq!(config.tokens.key_file, Path::new("/var/lib/signalbox/token.key"));
    assert_eq!((config.room.canvas.width, config.room.canvas.height, config.room.fps), (1280, 720, 30));
    assert_eq!(config.media.port, 40_000);
    assert!(!config.demo && !config.bundle);
}

#[test]
fn layouts_are_sections_of_the_file() {
    let news = r##"
[[layouts]]
name = "news"
background = "#101820"
[[layouts.slots]]
position = "reserved-1"
x = "0"
y = "0"
w = "2/3"
h = 240
follow = "floor"
[[layouts]]
name = "any"
layouts = ["1x1", "news"]
"##;
    let config = load(&format!("{LEAST}{news}"), &[]).unwrap();
    let names: Vec<_> = config.layouts.iter().map(LayoutId::name).collect();
    assert_eq!(names, ["news", "any"]);
    let wrong = load(&format!("{LEAST}{}", news.replace("2/3", "4/3")), &[]).unwrap_err();
    let place = r#"layout 1 ("news"), slot 1 ("reserved-1")"#;
    assert_eq!(wrong, format!("configuration: layouts: {place}: its right edge is outside the canvas"));
}

#[test]
fn every_bad_value_is_refused_by_its_key() {
    type Variables = &'static [(&'static str, &'static str)];
    // (added to the file, variables, beginning of the message)
    let cases: &[(&str, Variables, &str)] = &[
        ("", &[("SIGNALBOX__MEDIA__PRT", "1")], "media.prt: unknown field `prt`"),
        ("", &[("SIGNALBOX__NOWHERE__KEY", "1")], "nowhere: unknown field `nowhere`"),
        ("", &[("SIGNALBOX__MEDIA__PORT", "many")], "SIGNALBOX__MEDIA__PORT: a whole number is needed"),
        ("", &[("SIGNALBOX__MEDIA__PORT", "70000")], "media.port: invalid value: integer `70000`"),
        ("", &[("SIGNALBOX__DEMO__ENABLED", "yes")], "SIGNALBOX__DEMO__ENABLED: true or false is needed"),
        ("", &[("SIGNALBOX__MEDIA", "x")], "SIGNALBOX__MEDIA: a key of that section is needed"),
        ("", &[("SIGNALBOX__LISTEN", "nowhere")], "listen: invalid socket address syntax"),
        ("", &[("SIGNALBOX__LISTEN__PORT", "1")], "listen: "),
        ("", &[("SIGNALBOX__MEDIA__ADVERTISE", "")], "media.advertise: is needed when media.bind is 0.0.0.0"),
        ("", &[("SIGNALBOX__MEDIA__ADVERTISE", "0.0.0.0")], "media.advertise: 0.0.0.0 cannot be reached"),
        ("", &[("SIGNALBOX__MEDIA__PORT", "65535"), ("SIGNALBOX__MEDIA__SHARDS", "2")], "media.port: "),
        (
            "",
            &[
                ("SIGNALBOX__MEDIA__PORT", "8000"),
                ("SIGNALBOX__MEDIA__SHARDS", "2"),
                ("SIGNALBOX__METRICS__LISTEN", "127.0.0.1:8001"),
            ],
            "media.port: its TCP ports, 8000..8002, are also to listen on 127.0.0.1:8001",
        ),
        ("", &[("SIGNALBOX__TOKENS__TTL", "2 hours")], "tokens.ttl: "),
        ("", &[("SIGNALBOX__TOKENS__TTL", "10s")], "tokens.ttl: "),
        ("", &[("SIGNALBOX__TOKENS__TTL", "")], "tokens.ttl: "),
        ("", &[("SIGNALBOX__TOKENS__TTL", "2€")], "tokens.ttl: "),
        ("", &[("SIGNALBOX__AUTH__API_TOKEN", "short")], "auth.api_token: at least 16"),
        ("", &[("SIGNALBOX__AUTH__API_TOKEN", "")], "auth.api_token: is needed"),
        (
            "",
            &[("SIGNALBOX__AUTH__API_TOKEN", "change-me-change-me")],
            "auth.api_token: is the one of the sample",
        ),
        // No project is an excuse.
        (
            "",
            &[("SIGNALBOX__AUTH__PROJECT", "dev"), ("SIGNALBOX__AUTH__API_TOKEN", "")],
            "auth.api_token: is needed",
        ),
        (
            "",
            &[("SIGNALBOX__AUTH__PROJECT", "dev"), ("SIGNALBOX__AUTH__API_TOKEN", "short")],
            "auth.api_token: at least 16",
        ),
        ("", &[("SIGNALBOX__AUTH__PROJECT", "a_b")], "auth.project: "),
        ("", &[("SIGNALBOX__PUBLIC_URL", "ftp://x")], "public_url: "),
        ("", &[("SIGNALBOX__PUBLIC_URL", "https://")], "public_url: "),
        ("", &[("SIGNALBOX__LISTEN", "0.0.0.0:80")], "public_url: is needed when listen is 0.0.0.0:80"),
        (
            "[tls]\ncertificate = 'c'\nkey = 'k'",
            &[("SIGNALBOX__PUBLIC_URL", "http://x")],
            "public_url: \"http://x\" is not https",
        ),
        ("[tls]\ncertificate = 'c'", &[], "tls.key: is needed with tls.certificate"),
        ("[tls]\nkey = 'k'", &[], "tls.certificate: is needed with tls.key"),
        ("", &[("SIGNALBOX__HTTP__ALLOWED_ORIGINS", "app.example")], "http.allowed_origins: "),
        ("", &[("SIGNALBOX__HTTP__ALLOWED_ORIGINS", "https://app/x")], "http.allowed_origins: "),
        ("", &[("SIGNALBOX__METRICS__LISTEN", "9090")], "metrics.listen: "),
        ("", &[("SIGNALBOX__DATA_DIR", "")], "data_dir: is needed"),
        ("", &[("SIGNALBOX__STORAGE__URL", "mysql://u:secret@h/db")], "storage.url: is not postgres://"),
        ("", &[("SIGNALBOX__STORAGE__URL", "postgres://u:secret@h:port/db")], "storage.url: is not a URL"),
        ("", &[("SIGNALBOX__STORAGE__URL", "postgres://u:secret@h")], "storage.url: names no database"),
        ("[storage]\nkeep_days = 40000", &[], "storage.keep_days: 40000 is not within"),
        ("[room]\ncanvas_width = 1281", &[], "room.canvas_width: 1281 is odd"),
        ("[room]\nfps = 61", &[], "room.fps: 61 is not within 1 to 60"),
        ("[room]\nmax_members = 301", &[], "room.max_members: 301 is not within"),
        ("[room]\nvideo_codecs = ['h265']", &[], "room.video_codecs: \"h265\" is not one of"),
        ("[room]\nvideo_codecs = ['av1']", &[], "room.video_codecs: needs h264 or vp8"),
        ("[egress]\nallow = ['10.0.0.0/33']", &[], "egress.allow: \"10.0.0.0/33\" is not a network"),
        ("[limits]\nmax_connections = 0", &[], "limits.max_connections: 0 is not within"),
    ];
    for (text, variables, expected) in cases {
        let error = load(&format!("{LEAST}{text}"), variables).unwrap_err();
        let message = error.strip_prefix("configuration: ").unwrap();
        assert!(message.starts_with(expected), "{text} {variables:?}\n gave {message}\n not  {expected}");
        let secrets = ["u:secret", "hidden", "0123456789abcdef"];
        assert!(!secrets.iter().any(|secret| message.contains(secret)), "{message}");
    }
}

#[test]
fn a_turn_server_has_urls_and_one_secret_that_is_not_shown() {
    let check = |lines: &[&str], expected: &str| {
        let error = load(&format!("{LEAST}[turn]\n{}", lines.join("\n")), &[]).unwrap_err();
        let message = error.strip_prefix("configuration: ").unwrap();
        assert!(message.starts_with(expected), "{lines:?}\n gave {message}\n not  {expected}");
        assert!(!message.contains("hidden"), "{message}");
    };
    let (urls, secret) = (r#"urls = ["turn:turn.example"]"#, r#"secret = "hidden0123456789""#);
    check(&[secret], "turn.urls: is needed with a secret");
    check(&[urls], "turn.secret: is needed with turn.urls");
    check(&[urls, r#"secret = "hidden""#], "turn.secret: has fewer than 16 characters");
    check(&[urls, secret, r#"secret_file = "/x""#], "turn.secret: is given twice");
    check(&[urls, r#"secret_file = "/nowhere""#], "turn.secret_file: /nowhere: ");
    check(&[r#"urls = ["stun:turn.example"]"#, secret], "turn.urls: ");
    check(&[urls, secret, r#"ttl = "1s""#], "turn.ttl: ");
    let turn = load(&format!("{LEAST}[turn]\n{urls}\n{secret}"), &[]).unwrap().turn;
    assert!(turn.is_some_and(|turn| !format!("{turn:?}").contains("hidden")));
}

/// A webhook with that line in place of its own or added.
fn webhook(line: &str) -> String {
    let key = line.split(' ').next().unwrap_or_default();
    let lines = [
        "name = 'a'",
        "url = 'https://hooks.example'",
        "secret = 'whsec_Y2hhbmdlLW1lLWNoYW5nZS1tZS1jaGFuZ2UtbWU='",
        "events = ['video.room.started']",
    ];
    let kept = lines.into_iter().filter(|known| !known.starts_with(&format!("{key} ")));
    let lines: Vec<&str> = ["[[webhooks]]"].into_iter().chain(kept).chain([line]).collect();
    format!("{LEAST}\n{}\n", lines.join("\n"))
}

#[test]
fn every_bad_webhook_is_refused_by_its_key() {
    let config = load(&webhook("rooms = ['lounge']"), &[]).unwrap();
    assert_eq!(config.webhooks[0].patience.whole, Duration::from_secs(86_400));
    for (line, expected) in [
        ("name = 'a b'", "webhooks[0].name: 1 to 64"),
        ("url = 'ftp://x'", "webhooks[0].url: its scheme is not one of http, https"),
        ("url = 'https://10.0.0.1'", "webhooks[0].url: its host has a private address"),
        ("events = ['video.room.subscribed']", "webhooks[0].events: \"video.room.subscribed\" is not one of"),
        ("events = []", "webhooks[0].events: is needed"),
        ("secret = 'short'", "webhooks[0].secret: whsec_ and 24 to 64 bytes"),
        ("secret_file = '/nowhere'", "webhooks[0].secret: is given twice"),
        ("ca_file = '/nowhere.pem'", "webhooks[0].ca_file: /nowhere.pem: "),
        ("first_retry_ms = 1", "webhooks[0].first_retry_ms: 1 is not within 10 to"),
        ("retries = 3", "webhooks[0].retries: unknown field"),
    ] {
        let error = load(&webhook(line), &[]).unwrap_err();
        let message = error.strip_prefix("configuration: ").unwrap();
        assert!(message.starts_with(expected), "{line}\n gave {message}\n not  {expected}");
        assert!(!message.contains("short"), "{message}");
    }
    let own = [("SIGNALBOX__PUBLIC_URL", "https://8.8.4.4")];
    let error = load(&webhook("url = 'https://8.8.4.4'"), &own).unwrap_err();
    assert_eq!(error, "configuration: webhooks[0].url: its host has an address of this server");
    let twice = webhook("rooms = []") + webhook("rooms = []").strip_prefix(LEAST).unwrap();
    let error = load(&twice, &[]).unwrap_err();
    assert_eq!(error, "configuration: webhooks[1].name: \"a\" is there twice");
}

#[test]
fn variables_stand_over_the_file() {
    let config = load(
        LEAST,
        &[
            ("SIGNALBOX__MEDIA__ADVERTISE", "198.51.100.1, 2001:db8::1"),
            ("SIGNALBOX__TOKENS__TTL", "90m"),
            ("SIGNALBOX__PUBLIC_URL", "https://video.example/"),
            // Text stays text although it looks like a number.
            ("SIGNALBOX__AUTH__API_TOKEN", "12345678901234567890"),
        ],
    )
    .unwrap();
    assert_eq!(config.media.advertise.len(), 2);
    assert_eq!(config.tokens.ttl, Duration::from_secs(5400));
    assert_eq!(config.project.api_token, "12345678901234567890");
    let url = config.public_url.unwrap();
    assert_eq!((url.http(), url.ws()), ("https://video.example".into(), "wss://video.example".into()));
}

#[test]
fn history_is_in_a_file_unless_a_server_is_named_and_no_log_shows_its_password() {
    let config = load(LEAST, &[]).unwrap();
    assert_eq!(config.storage.place, Place::File("/var/lib/signalbox/signalbox.db".into()));
    assert_eq!(config.storage.keep, Some(Duration::from_secs(90 * 24 * 3600)));
    let url = "postgres://signalbox:secret@db.example/video";
    let variables = [("SIGNALBOX__STORAGE__URL", url), ("SIGNALBOX__STORAGE__KEEP_DAYS", "0")];
    let config = load(LEAST, &variables).unwrap();
    assert_eq!(config.storage.keep, None);
    assert_eq!(config.storage.place.to_string(), "postgres://db.example:5432/video");
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn dev_is_for_loopback_only() {
    let config = Config::dev(&Overrides::default()).unwrap();
    assert!(config.demo && config.listen.ip().is_loopback() && config.media.bind.is_loopback());
    assert!(config.project.api_token.len() >= 16);
    let overrides = Overrides { listen: Some("0.0.0.0:8080".parse().unwrap()), data_dir: None };
    let error = Config::dev(&overrides).unwrap_err().to_string();
    assert!(error.starts_with("configuration: listen: 0.0.0.0 is not loopback"), "{error}");
}

#[test]
fn the_sample_explains_every_key_and_loads() {
    let sample = include_str!("../../../deploy/config.sample.toml");
    let shown: toml::Table = uncommented(sample).parse().expect("the sample is TOML, its optional keys too");
    let known = toml::Table::try_from(File::default()).unwrap();
    let optional = [
        "public_url",
        "tls.certificate",
        "tls.key",
        "metrics.listen",
        "auth.api_token",
        "storage.url",
        "tokens.key_file",
        "room.look.background",
        "room.look.foreground",
        "room.look.mute_image",
    ]
    .map(str::to_owned);
    let mut expected: Vec<String> = keys(&known).into_iter().chain(optional).collect();
    let mut found = keys(&shown);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    // As it stands and with the optional keys switched on.
    for text in [sample.to_owned(), uncommented(sample)] {
        load(&text, &[("SIGNALBOX__AUTH__API_TOKEN", "0123456789abcdef")]).unwrap();
        // The secret that everybody knows has to be replaced.
        let error = load(&text, &[]).unwrap_err();
        assert!(error.starts_with("configuration: auth.api_token: is the one of the sample"), "{error}");
    }
}

/// Optional keys stand in the sample as `#key = value`, prose as `# text`.
fn uncommented(sample: &str) -> String {
    sample
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with([' ', '#']) && !rest.is_empty())
                .unwrap_or(line)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn keys(table: &toml::Table) -> Vec<String> {
    let mut all = Vec::new();
    for (key, value) in table {
        match value.as_table() {
            Some(section) => all.extend(keys(section).into_iter().map(|inner| format!("{key}.{inner}"))),
            None => all.push(key.clone()),
        }
    }
    all
}

#[test]
fn a_project_accepts_its_own_credentials_only() {
    let project = Project { id: "acme".into(), api_token: "0123456789abcdef".into() };
    assert!(project.accepts("acme", "0123456789abcdef"));
    for (id, api_token) in
        [("acme", ""), ("", "0123456789abcdef"), ("acme", "0123456789abcdeF"), ("ACME", "0123456789abcdef")]
    {
        assert!(!project.accepts(id, api_token), "{id} {api_token}");
    }
}
