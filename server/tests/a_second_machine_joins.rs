//! A production server and a member on two machines: a token's `ch` leads to the server, its candidates to the media.
//!
//! The machines are two network namespaces with one cable between them. The test makes them by running itself again:
//!
//! ```text
//!   outside ── unshare ──► server's machine ── nsenter ──► member's machine
//!                          10.77.0.1    veth ════ veth     10.77.0.2 (and fd77::1, fd77::2)
//! ```
//!
//! Where no namespace can be had, it says so and proves the same logic with two loopback addresses.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use benches::client::Client;
use benches::peer::{Camera, Decode, Microphone, Offering, PeerConfig, Protection};
use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use support::{API_TOKEN, PATIENCE, Server};

const TEST: &str = "a_member_of_another_machine_sees_itself";

/// Which machine a run of this test is on; the outermost has none.
const MACHINE: &str = "SIGNALBOX_TEST_MACHINE";
/// What the member's machine has been given.
const TOKEN: &str = "SIGNALBOX_TEST_TOKEN";

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const MEMBER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const SERVER6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
const MEMBER6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_another_machine_sees_itself() {
    match std::env::var(MACHINE).as_deref() {
        Ok("server") => serve_the_other_machine().await,
        Ok("member") => {
            // The same server by both families: it is bound to `::`.
            let (token, media) = (std::env::var(TOKEN).unwrap(), [SERVER6.into(), SERVER.into()]);
            for own in [IpAddr::V4(MEMBER), IpAddr::V6(MEMBER6)] {
                join(&token, SERVER, &media, own).await;
            }
        }
        Ok(other) => panic!("{MACHINE}={other}"),
        Err(_) => match way_into_a_namespace() {
            Some(unshare) => {
                let done = this_test_through(unshare).env(MACHINE, "server").status().unwrap();
                assert!(done.success(), "on the server's machine");
            }
            None => {
                // Past the harness, which keeps the output of tests that pass to itself.
                let why = "NO NETWORK NAMESPACE can be made here (`unshare --net` and `ip` need root, or user \
                           namespaces): two machines are played by 127.0.0.2 and 127.0.0.3\n";
                std::io::stderr().write_all(why.as_bytes()).unwrap();
                two_loopback_addresses().await;
            }
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn media_is_bound_and_advertised_where_it_is_told() {
    two_loopback_addresses().await;
}

/// Nothing of the server is on 127.0.0.1, and the member is somewhere else again.
async fn two_loopback_addresses() {
    let [server, member] = [2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last));
    let running = start(server, &[server.into()], server.into());
    join(&running.token("meeting", "Alice").await, server, &[server.into()], member.into()).await;
    // Bound to everything, and told to say one address.
    for bind in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
        let running = start(server, &[server.into()], bind);
        join(&running.token("meeting", "Alice").await, server, &[server.into()], member.into()).await;
    }
}

/// A production server at `address`, which tells `media` to send to.
fn start(address: Ipv4Addr, media: &[IpAddr], bind: IpAddr) -> Server {
    let media: Vec<String> = media.iter().map(IpAddr::to_string).collect();
    // A port nobody has: the public URL must name it before it is bound.
    let port = std::net::TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
    Server::production(&format!(
        r#"
        listen = "{address}:{port}"
        public_url = "http://{address}:{port}"
        [auth]
        project = "dev"
        api_token = "{API_TOKEN}"
        [media]
        bind = "{bind}"
        advertise = {media:?}
        port = 0
        "#
    ))
}

/// Finds the server by the token alone, and sees its own picture come back from there.
async fn join(token: &str, server: Ipv4Addr, media: &[IpAddr], own: IpAddr) {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    let url = header["ch"].as_str().unwrap();
    assert!(url.starts_with(&format!("ws://{server}:")), "{url}");
    let mut client = Client::connect(url, token).await.unwrap();
    let config = PeerConfig {
        bundle: false,
        protection: Protection::All,
        camera: Arc::new(
            Camera::still(VideoCodec::Vp8, Size { width: 640, height: 360 }, Rgb(200, 40, 40)).unwrap(),
        ),
        microphone: Arc::new(Microphone::tone(440).unwrap()),
        decode: Decode::UntilOneself,
    };
    let offering = Offering::from(config, own).await.unwrap();
    let call = client.invite(offering.sdp()).await.unwrap();
    let candidates: Vec<&str> = call.answer.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    // In each of two sections, by UDP and by TCP: all addresses, in that order.
    let told: Vec<String> =
        candidates.iter().map(|line| line.split(' ').nth(4).unwrap().to_owned()).collect();
    let expected: Vec<String> = std::iter::repeat_n(media, 4).flatten().map(IpAddr::to_string).collect();
    assert_eq!(told, expected, "{candidates:?}");
    let peer = offering.accept(&call.answer).unwrap();
    peer.until("one's own picture", PATIENCE, |seen| seen.first.oneself.is_some()).await.unwrap();
    peer.until("sound", PATIENCE, |seen| seen.audio_packets > 50).await.unwrap();
    client.bye(&call).await.unwrap();
}

/// Runs in a network of its own: lays the cable, starts the server, sends the member to the other end.
async fn serve_the_other_machine() {
    let other = Machine::start();
    let here = |command: &str| run(Command::new("sh").args(["-ec", command]));
    here("ip link set lo up");
    here(&format!("ip link add cable type veth peer name cable netns {}", other.0.id()));
    let own = |v4: Ipv4Addr, v6: Ipv6Addr| {
        format!(
            "ip addr add {v4}/24 dev cable && ip -6 addr add {v6}/64 dev cable nodad && ip link set cable up"
        )
    };
    other.run(&["sh", "-ec", &own(MEMBER, MEMBER6)]);
    here(&own(SERVER, SERVER6));
    let server = start(SERVER, &[SERVER.into(), SERVER6.into()], Ipv6Addr::UNSPECIFIED.into());
    let token = server.token("meeting", "Alice").await;
    let mut member = this_test_through(&other.way_in());
    run(member.env(MACHINE, "member").env(TOKEN, token));
}

/// A network namespace that lives as long as a process in it.
struct Machine(Child);

impl Machine {
    fn start() -> Self {
        // `cat` ends when its standard input does, even when the test is killed.
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut ready).unwrap();
        Self(holder)
    }

    fn way_in(&self) -> Vec<String> {
        ["nsenter", "--net", "--target", &self.0.id().to_string(), "--"].map(str::to_owned).to_vec()
    }

    fn run(&self, command: &[&str]) {
        let way_in = self.way_in();
        run(Command::new(&way_in[0]).args(&way_in[1..]).args(command));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// The first of these that works here: as root, or in a user namespace where one is root.
fn way_into_a_namespace() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [&["unshare", "--net"], &["unshare", "--user", "--map-root-user", "--net"]];
    let works = |way: &&&[&str]| {
        let probe = ["sh", "-c", "ip link add probe type veth peer name other && command -v nsenter"];
        let probed = Command::new(way[0]).args(&way[1..]).args(probe).stdout(Stdio::null()).status();
        probed.is_ok_and(|status| status.success())
    };
    WAYS.iter().find(works).copied()
}

/// This test, run again behind a command.
fn this_test_through(way: &[impl AsRef<str>]) -> Command {
    let mut words = way.iter().map(AsRef::as_ref);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(std::env::current_exe().unwrap()).args(["--exact", TEST, "--nocapture"]);
    command
}
