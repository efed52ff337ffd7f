use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

/// What judging one URL comes to: the addresses, or why not.
type Verdict = Result<&'static [&'static str], Refusal>;

/// Names and their addresses; everything else is unknown.
struct Zone(&'static [(&'static str, &'static [&'static str])]);

const ZONE: Zone = Zone(&[
    ("example.com", &["93.184.216.34", "2606:2800:220:1::1"]),
    ("xn--bcher-kva.example", &["93.184.216.35"]),
    ("mapped.example", &["::ffff:93.184.216.34"]),
    ("dns64.example", &["64:ff9b::5db8:d822"]),
    ("inside.example", &["10.1.2.3"]),
    ("half.example", &["93.184.216.34", "192.168.0.1"]),
    ("half6.example", &["2606:2800:220:1::1", "fd00::1"]),
    ("loop.example", &["127.0.0.1"]),
    ("loop6.example", &["::1"]),
    ("any.example", &["0.0.0.0"]),
    ("metadata.google.internal", &["169.254.169.254"]),
    ("dns64-inside.example", &["64:ff9b::a01:203"]),
    ("empty.example", &[]),
    ("self.example", &["93.184.216.99"]),
    ("advertised.example", &["93.184.216.100"]),
    ("dns64-self.example", &["64:ff9b::5db8:d863"]),
    ("dns64-advertised.example", &["64:ff9b::5db8:d864"]),
    ("intranet", &["10.0.0.7"]),
]);

impl Resolver for Zone {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let row = self.0.iter().find(|row| row.0 == host).ok_or(io::ErrorKind::NotFound)?;
        Ok(row.1.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        address == IpAddr::from([93, 184, 216, 99])
    }
}

fn block<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn strict() -> UrlPolicy {
    UrlPolicy::new(Allowed::default(), vec![[93, 184, 216, 100].into()])
}

fn check(policy: &UrlPolicy, purpose: Purpose, text: &str, expected: Verdict) {
    let found = block(policy.destination(purpose, text, &ZONE)).map(|destination| destination.addresses);
    let expected =
        expected.map(|all| all.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>());
    assert_eq!(found, expected, "{text}");
}

const fn bad(kind: AddressKind) -> Verdict {
    Err(Refusal::Address(kind))
}

const MALFORMED: &str = "its parts cannot be told";
const SPACES: &str = "spaces, control characters and backslashes are not of a URL";
const NO_HOST: &str = "its host is not a host";

#[test]
fn webhooks_reach_the_public_internet_and_nothing_else() {
    use AddressKind as Kind;
    let malformed = |why| Err(Refusal::Malformed(why));
    let cases: Vec<(&str, Verdict)> = vec![
        // What people mean.
        ("https://example.com/hook?a=b#c", Ok(&["93.184.216.34:443", "[2606:2800:220:1::1]:443"])),
        ("http://example.com", Ok(&["93.184.216.34:80", "[2606:2800:220:1::1]:80"])),
        ("HTTPS://EXAMPLE.COM:8443/", Ok(&["93.184.216.34:8443", "[2606:2800:220:1::1]:8443"])),
        ("https://example.com./", Ok(&["93.184.216.34:443", "[2606:2800:220:1::1]:443"])),
        ("https://bücher.example/", Ok(&["93.184.216.35:443"])),
        ("https://mapped.example/", Ok(&["93.184.216.34:443"])),
        ("https://dns64.example/", Ok(&["[64:ff9b::5db8:d822]:443"])),
        ("https://8.8.8.8/", Ok(&["8.8.8.8:443"])),
        ("https://[2606:4700:4700::1111]/", Ok(&["[2606:4700:4700::1111]:443"])),
        ("https://[::ffff:8.8.8.8]/", Ok(&["8.8.8.8:443"])),
        // This machine, by every name.
        ("http://localhost/", bad(Kind::Loopback)),
        ("http://LOCALHOST./", bad(Kind::Loopback)),
        ("http://app.localhost:3000/", bad(Kind::Loopback)),
        ("http://127.0.0.1/", bad(Kind::Loopback)),
        ("http://127.1/", bad(Kind::Loopback)),
        ("http://127.0.1/", bad(Kind::Loopback)),
        ("http://127.255.255.254/", bad(Kind::Loopback)),
        ("http://2130706433/", bad(Kind::Loopback)),
        ("http://0x7f000001/", bad(Kind::Loopback)),
        ("http://0X7F.1/", bad(Kind::Loopback)),
        ("http://017700000001/", bad(Kind::Loopback)),
        ("http://0177.0.0.01/", bad(Kind::Loopback)),
        ("http://0x7f.0.0x0.1/", bad(Kind::Loopback)),
        ("http://127.0.0.1./", bad(Kind::Loopback)),
        ("http://１２７.０.０.１/", bad(Kind::Loopback)),
        ("http://①②⑦.⓪.⓪.①/", bad(Kind::Loopback)),
        ("http://127。0。0。1/", bad(Kind::Loopback)),
        ("http://%31%32%37.0.0.1/", bad(Kind::Loopback)),
        ("http://loca%6Chost/", bad(Kind::Loopback)),
        ("http://ⓛocalhost/", bad(Kind::Loopback)),
        ("http://[::1]/", bad(Kind::Loopback)),
        ("http://[0:0:0:0:0:0:0:1]/", bad(Kind::Loopback)),
        ("http://[::ffff:127.0.0.1]/", bad(Kind::Loopback)),
        ("http://[::ffff:7f00:1]/", bad(Kind::Loopback)),
        ("http://[::127.0.0.1]/", bad(Kind::Loopback)),
        ("http://[64:ff9b::127.0.0.1]/", bad(Kind::Loopback)),
        ("http://[::ffff:0:127.0.0.1]/", bad(Kind::Loopback)),
        ("http://loop.example/", bad(Kind::Loopback)),
        ("http://loop6.example/", bad(Kind::Loopback)),
        ("http://0.0.0.0/", bad(Kind::Unspecified)),
        ("http://0/", bad(Kind::Unspecified)),
        ("http://0.1.2.3/", bad(Kind::Unspecified)),
        ("http://[::]/", bad(Kind::Unspecified)),
        ("http://any.example/", bad(Kind::Unspecified)),
        ("http://self.example/", bad(Kind::Own)),
        ("http://93.184.216.99/", bad(Kind::Own)),
        ("http://advertised.example/", bad(Kind::Own)),
        ("http://[::ffff:93.184.216.100]/", bad(Kind::Own)),
        // What surrounds it.
        ("http://10.0.0.1/", bad(Kind::Private)),
        ("http://10.255.255.255/", bad(Kind::Private)),
        ("http://172.16.0.1/", bad(Kind::Private)),
        ("http://172.31.255.255/", bad(Kind::Private)),
        ("http://192.168.1.1/", bad(Kind::Private)),
        ("http://0xc0a80101/", bad(Kind::Private)),
        ("http://[::ffff:c0a8:101]/", bad(Kind::Private)),
        ("http://[64:ff9b::10.0.0.1]/", bad(Kind::Private)),
        ("http://[fec0::1]/", bad(Kind::Private)),
        ("http://inside.example/", bad(Kind::Private)),
        ("http://half.example/", bad(Kind::Private)),
        ("http://dns64-inside.example/", bad(Kind::Private)),
        ("http://intranet/", bad(Kind::Private)),
        ("http://half6.example/", bad(Kind::UniqueLocal)),
        ("http://[fd00:ec2::254]/", bad(Kind::UniqueLocal)),
        ("http://[fc00::1]/", bad(Kind::UniqueLocal)),
        ("http://169.254.169.254/latest/meta-data/", bad(Kind::LinkLocal)),
        ("http://2852039166/", bad(Kind::LinkLocal)),
        ("http://[::ffff:a9fe:a9fe]/", bad(Kind::LinkLocal)),
        ("http://metadata.google.internal/", bad(Kind::LinkLocal)),
        ("http://[fe80::1]/", bad(Kind::LinkLocal)),
        ("http://168.63.129.16/", bad(Kind::CloudService)),
        ("http://100.64.0.1/", bad(Kind::CarrierNat)),
        ("http://100.100.100.200/", bad(Kind::CarrierNat)),
        // Neighbours of refused networks are not refused.
        ("http://100.63.255.255/", Ok(&["100.63.255.255:80"])),
        ("http://100.128.0.0/", Ok(&["100.128.0.0:80"])),
        ("http://172.32.0.1/", Ok(&["172.32.0.1:80"])),
        ("http://192.169.0.1/", Ok(&["192.169.0.1:80"])),
        // Nobody's.
        ("http://192.0.2.1/", bad(Kind::Documentation)),
        ("http://198.51.100.1/", bad(Kind::Documentation)),
        ("http://203.0.113.1/", bad(Kind::Documentation)),
        ("http://[2001:db8::1]/", bad(Kind::Documentation)),
        ("http://[3fff::1]/", bad(Kind::Documentation)),
        ("http://198.18.0.1/", bad(Kind::Benchmark)),
        ("http://198.19.255.255/", bad(Kind::Benchmark)),
        ("http://[2001:2::1]/", bad(Kind::Benchmark)),
        ("http://192.0.0.192/", bad(Kind::Reserved)),
        ("http://240.0.0.1/", bad(Kind::Reserved)),
        ("http://[2001:20::1]/", bad(Kind::Reserved)),
        ("http://[4000::1]/", bad(Kind::Reserved)),
        ("http://[100::1]/", bad(Kind::Reserved)),
        ("http://224.0.0.1/", bad(Kind::Multicast)),
        ("http://[ff02::1]/", bad(Kind::Multicast)),
        ("http://255.255.255.255/", bad(Kind::Broadcast)),
        // Tunnels, whoever is at their end.
        ("http://[2002:7f00:1::1]/", bad(Kind::Tunnel)),
        ("http://[2002:808:808::1]/", bad(Kind::Tunnel)),
        ("http://[2001:0:808:808::1]/", bad(Kind::Tunnel)),
        ("http://[64:ff9b:1::8.8.8.8]/", bad(Kind::Tunnel)),
        ("http://[64:ff9b:1:7f00:0:100::]/", bad(Kind::Tunnel)),
        ("http://[::8.8.8.8]/", bad(Kind::Tunnel)),
        ("http://[2606:4700::5efe:8.8.8.8]/", bad(Kind::Tunnel)),
        ("http://[2606:4700::200:5efe:10.0.0.1]/", bad(Kind::Private)),
        ("http://192.88.99.1/", bad(Kind::Tunnel)),
        // Spellings that parsers disagree about.
        ("http://example.com@127.0.0.1/", Err(Refusal::UserInfo)),
        ("http://127.0.0.1@example.com/", Err(Refusal::UserInfo)),
        ("http://:secret@example.com/", Err(Refusal::UserInfo)),
        ("http://example.com:80@127.0.0.1:81/", Err(Refusal::UserInfo)),
        ("http://example.com\\@127.0.0.1/", malformed(SPACES)),
        ("http:\\\\127.0.0.1/", malformed(SPACES)),
        ("http://127.0.0.1 /", malformed(SPACES)),
        (" http://example.com/", malformed(SPACES)),
        ("http://exa\tmple.com/", malformed(SPACES)),
        ("http://example.com/\r\nHost: 127.0.0.1", malformed(SPACES)),
        ("http:example.com", malformed("`://` is missing")),
        ("http:/example.com", malformed("`://` is missing")),
        ("http://", malformed(MALFORMED)),
        ("http:///", malformed(MALFORMED)),
        ("", malformed(MALFORMED)),
        ("example.com/hook", malformed(MALFORMED)),
        ("http://[::1", malformed(MALFORMED)),
        ("http://[fe80::1%25eth0]/", malformed(MALFORMED)),
        ("http://[v1.x]/", malformed(MALFORMED)),
        ("http://1.2.3.4.5/", malformed(MALFORMED)),
        ("http://256.256.256.256/", malformed(MALFORMED)),
        ("http://127.0.0.0x100000001/", malformed(MALFORMED)),
        ("http://exa%00mple.com/", malformed(MALFORMED)),
        ("http://example..com/", malformed(NO_HOST)),
        ("http://.example.com/", malformed(NO_HOST)),
        ("http://exam!ple.com/", malformed(NO_HOST)),
        ("http://example.com:0/", Err(Refusal::Port(0))),
        ("http://example.com:25/", Err(Refusal::Port(25))),
        ("http://example.com:6667/", Err(Refusal::Port(6667))),
        ("http://example.com:99999/", malformed(MALFORMED)),
        ("http://nowhere.example/", Err(Refusal::Unresolved)),
        ("http://empty.example/", Err(Refusal::Unresolved)),
        ("file:///etc/passwd", Err(Refusal::Scheme("http, https"))),
        ("gopher://127.0.0.1/", Err(Refusal::Scheme("http, https"))),
        ("rtmp://example.com/live", Err(Refusal::Scheme("http, https"))),
        ("javascript:alert(1)", Err(Refusal::Scheme("http, https"))),
    ];
    for (text, expected) in cases {
        check(&strict(), Purpose::Webhook, text, expected);
    }
    check(
        &strict(),
        Purpose::Webhook,
        &format!("http://example.com/{}", "a".repeat(2048)),
        malformed("it is too long"),
    );
}

#[test]
fn hosts_of_every_scheme_are_read_in_one_way() {
    use AddressKind as Kind;
    let cases: &[(Purpose, &str, Verdict)] = &[
        (
            Purpose::Stream,
            "rtmp://example.com/app/key",
            Ok(&["93.184.216.34:1935", "[2606:2800:220:1::1]:1935"]),
        ),
        (Purpose::Stream, "rtmps://bücher.example/app", Ok(&["93.184.216.35:443"])),
        (
            Purpose::Stream,
            "rtmp://EXAMPLE.com.:2000/",
            Ok(&["93.184.216.34:2000", "[2606:2800:220:1::1]:2000"]),
        ),
        (Purpose::Stream, "rtmp://2130706433/app", bad(Kind::Loopback)),
        (Purpose::Stream, "rtmp://0x7f.1/app", bad(Kind::Loopback)),
        (Purpose::Stream, "rtmp://0177.0.0.1/app", bad(Kind::Loopback)),
        (Purpose::Stream, "rtmp://%31%32%37.0.0.1/app", bad(Kind::Loopback)),
        (Purpose::Stream, "rtmp://LocalHost/app", bad(Kind::Loopback)),
        (Purpose::Stream, "rtmps://[::ffff:169.254.169.254]/app", bad(Kind::LinkLocal)),
        (Purpose::Stream, "rtmp://user:pw@example.com/app", Err(Refusal::UserInfo)),
        (Purpose::Stream, "rtmp:///app", Err(Refusal::Malformed(NO_HOST))),
        (Purpose::Stream, "rtmp:app", Err(Refusal::Malformed("`://` is missing"))),
        (Purpose::Stream, "https://example.com/", Err(Refusal::Scheme("rtmp, rtmps"))),
        (Purpose::Playback, "rtmp://bücher.example/app", Ok(&["93.184.216.35:1935"])),
        (Purpose::Playback, "https://bücher.example/film.mp4", Ok(&["93.184.216.35:443"])),
        (Purpose::Playback, "file:///film.mp4", Err(Refusal::Scheme("http, https, rtmp, rtmps"))),
    ];
    for (purpose, text, expected) in cases {
        check(&strict(), *purpose, text, expected.clone());
    }
}

#[test]
fn the_operator_opens_what_is_needed_and_no_more() {
    use AddressKind as Kind;
    let listed = Allowed::parse(["10.1.0.0/16", "fd00::/8", "Intranet.", "192.168.0.1"]).unwrap();
    let policy = UrlPolicy::new(listed, Vec::new());
    for (text, expected) in [
        ("http://inside.example/", Ok(&["10.1.2.3:80"][..])),
        ("http://half.example/", Ok(&["93.184.216.34:80", "192.168.0.1:80"])),
        ("http://[::ffff:10.1.2.3]/", Ok(&["10.1.2.3:80"])),
        ("http://intranet/", Ok(&["10.0.0.7:80"])),
        ("http://10.0.0.7/", bad(Kind::Private)),
        ("http://10.2.0.1/", bad(Kind::Private)),
        ("http://localhost/", bad(Kind::Loopback)),
    ] {
        check(&policy, Purpose::Webhook, text, expected);
    }
    let dev = UrlPolicy::new(Allowed::parse(["127.0.0.0/8", "::1"]).unwrap(), Vec::new());
    for (text, expected) in [
        ("http://localhost:3000/", Ok(&["127.0.0.1:3000", "[::1]:3000"][..])),
        ("http://0x7f.1:3000/", Ok(&["127.0.0.1:3000"])),
        ("http://[::1]:3000/", Ok(&["[::1]:3000"])),
        ("http://loop.example/", Ok(&["127.0.0.1:80"])),
        ("http://0.0.0.0/", bad(Kind::Unspecified)),
        ("http://10.0.0.1/", bad(Kind::Private)),
        ("http://169.254.169.254/", bad(Kind::LinkLocal)),
    ] {
        check(&dev, Purpose::Webhook, text, expected);
    }
    // Everything open is still nothing for what is nobody's.
    let open = UrlPolicy::new(Allowed::parse(["0.0.0.0/0", "::/0"]).unwrap(), Vec::new());
    for (text, expected) in [
        ("http://10.0.0.1/", Ok(&["10.0.0.1:80"][..])),
        ("http://0.0.0.0/", bad(Kind::Unspecified)),
        ("http://224.0.0.1/", bad(Kind::Multicast)),
        ("http://255.255.255.255/", bad(Kind::Broadcast)),
    ] {
        check(&open, Purpose::Webhook, text, expected);
    }
    for entry in ["", "10.0.0.0/33", "a b", "http://x", "256.1.1.1", "*.example.com"] {
        assert!(Allowed::parse([entry]).is_err(), "{entry}");
    }
}

#[test]
fn kept_urls_are_judged_as_far_as_they_tell() {
    let policy = strict();
    assert!(
        policy.read(Purpose::Stream, "rtmp://inside.example/live/key").is_ok(),
        "its addresses come later"
    );
    assert_eq!(
        policy.read(Purpose::Stream, "rtmp://10.0.0.1/live"),
        Err(Refusal::Address(AddressKind::Private))
    );
    assert_eq!(
        policy.read(Purpose::Stream, "rtmp://localhost/live"),
        Err(Refusal::Address(AddressKind::Loopback))
    );
}

#[test]
fn neither_refusals_nor_logs_tell_the_path() {
    let target = strict().read(Purpose::Stream, "rtmp://example.com/live/s3cret?k=s3cret").unwrap();
    assert_eq!(format!("{target:?}"), "Target(rtmp://example.com:1935/…)");
    for text in ["rtmp://10.0.0.1/s3cret", "rtmp://s3cret@example.com/", "http://example.com/s3cret"] {
        let refusal = strict().read(Purpose::Stream, text).unwrap_err();
        assert!(!refusal.to_string().contains("s3cret"), "{refusal}");
    }
}

/// Answers with a public address once, then with this machine.
struct Rebinding(AtomicUsize);

impl Resolver for Rebinding {
    async fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => vec![IpAddr::from([93, 184, 216, 34])],
            _ => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        })
    }

    fn is_ours(&self, _address: IpAddr) -> bool {
        false
    }
}

#[test]
fn a_name_is_asked_for_once_per_judgement() {
    let resolver = Rebinding(AtomicUsize::new(0));
    let judge = || block(strict().destination(Purpose::Webhook, "http://rebind.example/", &resolver));
    let first = judge().unwrap();
    assert_eq!(
        first.addresses,
        ["93.184.216.34:80".parse::<SocketAddr>().unwrap()],
        "what was checked is what is connected to"
    );
    assert_eq!(resolver.0.load(Ordering::Relaxed), 1);
    assert_eq!(judge(), Err(Refusal::Address(AddressKind::Loopback)));
}

#[test]
fn a_translator_on_the_way_hides_no_address_of_ours() {
    for host in ["dns64-self.example", "dns64-advertised.example", "[64:ff9b::5db8:d864]"] {
        check(&strict(), Purpose::Webhook, &format!("https://{host}/"), bad(AddressKind::Own));
    }
}

#[test]
fn interfaces_of_this_machine_are_known_by_binding() {
    let machine = SystemResolver::new();
    assert!(machine.is_ours(Ipv4Addr::LOCALHOST.into()));
    assert!(!machine.is_ours([8, 8, 8, 8].into()));
}

/// Addresses that must never be let through, by the standard library's own idea of them.
fn private_v4() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        any::<[u8; 3]>().prop_map(|[b, c, d]| [127, b, c, d]),
        any::<[u8; 3]>().prop_map(|[b, c, d]| [10, b, c, d]),
        any::<[u8; 2]>().prop_map(|[c, d]| [192, 168, c, d]),
        any::<[u8; 2]>().prop_map(|[c, d]| [169, 254, c, d]),
        (16_u8..32, any::<[u8; 2]>()).prop_map(|(b, [c, d])| [172, b, c, d]),
        (64_u8..128, any::<[u8; 2]>()).prop_map(|(b, [c, d])| [100, b, c, d]),
    ]
    .prop_map(Ipv4Addr::from)
}

/// One number in one of the ways URLs write it.
fn number(value: u32, base: u8) -> String {
    match base % 4 {
        0 => value.to_string(),
        1 => format!("{value:#x}"),
        2 => format!("0X{value:08X}"),
        _ => format!("0{value:o}"),
    }
}

/// An IPv4 address in 1 to 4 parts, each part in its own base.
fn spelled(address: Ipv4Addr, parts: usize, bases: [u8; 4]) -> String {
    let [a, b, c, d] = address.octets().map(u32::from);
    let values = match parts {
        1 => vec![address.to_bits()],
        2 => vec![a, b << 16 | c << 8 | d],
        3 => vec![a, b, c << 8 | d],
        _ => vec![a, b, c, d],
    };
    values.iter().zip(bases).map(|(value, base)| number(*value, base)).collect::<Vec<_>>().join(".")
}

/// Letters and digits in another alphabet, or percent-encoded.
fn disguised(text: &str, how: &[u8]) -> String {
    let disguise = |(at, c): (usize, char)| match how.get(at % how.len().max(1)).map(|how| how % 4) {
        Some(1) if c.is_ascii_digit() => {
            char::from_u32(u32::from(c) - u32::from('0') + 0xff10).unwrap().to_string()
        }
        Some(2) => format!("%{:02X}", u32::from(c)),
        Some(3) if c == '.' => "。".to_owned(),
        _ => c.to_string(),
    };
    text.chars().enumerate().map(disguise).collect()
}

fn wrapped(address: Ipv4Addr, how: u8) -> Ipv6Addr {
    let [a, b, c, d] = address.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match how % 7 {
        0 => address.to_ipv6_mapped(),
        1 => Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
        2 => Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        3 => Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
        4 => Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        5 => Ipv6Addr::new(0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !high, !low),
        _ => Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0x5efe, high, low),
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = strict().read(Purpose::Playback, &text);
        let _ = Allowed::parse([text.as_str()]);
    }

    #[test]
    fn no_url_makes_it_panic(
        scheme in "https?|rtmps?|[a-z]{0,5}", host in "[0-9a-fx.:\\[\\]@%#?/ -]{0,40}|\\PC{0,20}", rest in "\\PC{0,10}"
    ) {
        let _ = strict().read(Purpose::Playback, &format!("{scheme}://{host}{rest}"));
    }

    #[test]
    fn private_addresses_are_refused_in_every_spelling(
        address in private_v4(),
        parts in 1_usize..=4,
        bases in any::<[u8; 4]>(),
        how in proptest::collection::vec(any::<u8>(), 1..8),
        dot in any::<bool>(),
        scheme in prop_oneof![Just("http"), Just("https"), Just("rtmp"), Just("rtmps")],
    ) {
        let host = disguised(&spelled(address, parts, bases), &how);
        let text = format!("{scheme}://{host}{}/x", if dot { "." } else { "" });
        let verdict = strict().read(Purpose::Playback, &text);
        prop_assert!(matches!(verdict, Err(Refusal::Address(_))), "{text}: {verdict:?}");
    }

    #[test]
    fn private_addresses_are_refused_in_every_wrapping(address in private_v4(), how in any::<u8>()) {
        let text = format!("http://[{}]/", wrapped(address, how));
        let verdict = strict().read(Purpose::Webhook, &text);
        prop_assert!(matches!(verdict, Err(Refusal::Address(_))), "{text}: {verdict:?}");
    }

    #[test]
    fn whatever_is_let_through_is_public(bits in any::<u128>(), short in any::<u32>()) {
        for address in [IpAddr::V6(bits.into()), IpAddr::V4(short.into())] {
            if AddressKind::of(address).is_some() {
                continue;
            }
            match address {
                IpAddr::V4(v4) => prop_assert!(
                    !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast()
                        || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified()),
                    "{v4}"
                ),
                IpAddr::V6(v6) => prop_assert_eq!(v6.segments()[0] >> 13, 1, "{}", v6),
            }
        }
    }
}
