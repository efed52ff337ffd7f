//! The least that forwarding costs: sealed packets handed to the kernel, and nothing else.
//!
//! in:  ports on loopback
//! out: per port 30 × 5 packets of 1200 bytes a second, AES-128-GCM, as a process of its own
//!
//! What any server pays beyond this is its own work. Each subscriber has a key, and its packets are copied before they are
//! sealed, as a server must that shares the plaintext.

use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use clap::ValueEnum;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg, sendmsg};

use super::LoadError;
use super::driver::{Driver, Joined, Whom};
use super::engine::{BARE_PT, Engine, MOST_PEERS, Plan};
use crate::process::{Process, scratch};

const FPS: u32 = 30;
const PACKETS: usize = 5;
const HEADER: usize = 12;
const PAYLOAD: usize = 1200;
const TAG: usize = 16;
const SIZE: usize = HEADER + PAYLOAD + TAG;
/// It ends by itself, whatever becomes of who started it.
pub const MOST_SECONDS: u64 = 120;

/// How packets reach the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// `sendmmsg`, a frame's five packets in a call.
    Sendmmsg,
    /// `sendmsg` with `UDP_SEGMENT`, a frame's five packets as one.
    Gso,
}

/// A bare sender that starts when all its receivers are there.
#[derive(Debug)]
pub struct Floor {
    way: Way,
    ports: Vec<u16>,
    process: Option<Process>,
}

impl Floor {
    /// Nobody yet.
    #[must_use]
    pub fn new(way: Way) -> Self {
        Self { way, ports: Vec::new(), process: None }
    }
}

impl Driver for Floor {
    fn forwards(&self) -> bool {
        false
    }

    fn is_one_connection(&self) -> bool {
        false
    }

    fn pid(&self) -> Result<u32, LoadError> {
        self.process.as_ref().map(Process::id).ok_or(LoadError::Ended)
    }

    async fn publish(&mut self, _: &Engine, _: Plan) -> Result<Joined, LoadError> {
        Err(LoadError::Refused("the bare sender publishes itself".to_owned()))
    }

    async fn subscribe(&mut self, engine: &Engine, _: Plan, _: Whom) -> Result<Joined, LoadError> {
        let begun = Instant::now();
        let (peer, address) = engine.bare().await?;
        self.ports.push(address.port());
        Ok(Joined { peer, begun })
    }

    fn begin(&mut self) -> Result<(), LoadError> {
        let ports: Vec<String> = self.ports.iter().map(ToString::to_string).collect();
        let way = match self.way {
            Way::Sendmmsg => "sendmmsg",
            Way::Gso => "gso",
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor", "--way", way, "--to", &ports.join(",")]).stdout(Stdio::null());
        self.process = Some(Process::start(command, scratch("floor")?)?);
        Ok(())
    }
}

/// One receiver.
struct Lane {
    key: LessSafeKey,
    to: SockaddrIn,
    seq: u16,
    sealed: u64,
}

/// Sends until it has to end.
///
/// # Errors
/// Too many receivers, or the kernel.
pub fn send(way: Way, ports: &[u16], seconds: u64) -> Result<(), LoadError> {
    if ports.len() > MOST_PEERS || seconds > MOST_SECONDS {
        return Err(LoadError::Refused(format!("more than {MOST_PEERS} ports or {MOST_SECONDS} s")));
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket2::SockRef::from(&socket).set_send_buffer_size(4 << 20)?;
    let mut lanes = Vec::new();
    for (&port, n) in ports.iter().zip((0_u8..=255).cycle()) {
        let key = UnboundKey::new(&AES_128_GCM, &[n; 16]).map_err(|_| LoadError::Ended)?;
        let to = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        lanes.push(Lane { key: LessSafeKey::new(key), to, seq: 0, sealed: 0 });
    }
    let plain = [0x5a; PAYLOAD];
    let mut arena = vec![0; PACKETS * SIZE];
    let mut headers = MultiHeaders::preallocate(PACKETS, None);
    let begin = Instant::now();
    for frame in 0_u32.. {
        let due = begin + Duration::from_secs(1) / FPS * frame;
        if due > begin + Duration::from_secs(seconds) {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for lane in &mut lanes {
            lane.fill(&mut arena, frame * 3_000, &plain)?;
            // A full buffer loses packets, which the receivers count.
            let _ = match way {
                Way::Gso => gso(&socket, &arena, &lane.to),
                Way::Sendmmsg => many(&socket, &arena, &lane.to, &mut headers),
            };
        }
    }
    Ok(())
}

fn gso(socket: &UdpSocket, arena: &[u8], to: &SockaddrIn) -> nix::Result<()> {
    let segment = u16::try_from(SIZE).unwrap_or(u16::MAX);
    let slices = [IoSlice::new(arena)];
    let control = [ControlMessage::UdpGsoSegments(&segment)];
    sendmsg(socket.as_raw_fd(), &slices, &control, MsgFlags::empty(), Some(to)).map(drop)
}

fn many(
    socket: &UdpSocket,
    arena: &[u8],
    to: &SockaddrIn,
    headers: &mut MultiHeaders<SockaddrIn>,
) -> nix::Result<()> {
    let slices: Vec<[IoSlice<'_>; 1]> = arena.chunks(SIZE).map(|packet| [IoSlice::new(packet)]).collect();
    let addresses = [Some(*to); PACKETS];
    sendmmsg(socket.as_raw_fd(), headers, &slices, addresses, [], MsgFlags::empty()).map(drop)
}

impl Lane {
    fn fill(&mut self, arena: &mut [u8], timestamp: u32, plain: &[u8; PAYLOAD]) -> Result<(), LoadError> {
        for (packet, index) in arena.chunks_mut(SIZE).zip(1..) {
            let marker = if index == PACKETS { 0x80 } else { 0 };
            let (header, rest) = packet.split_at_mut(HEADER);
            let [s0, s1] = self.seq.to_be_bytes();
            let [t0, t1, t2, t3] = timestamp.to_be_bytes();
            header.copy_from_slice(&[0x80, marker | BARE_PT, s0, s1, t0, t1, t2, t3, 0, 0, 0, 1]);
            let (payload, tag_room) = rest.split_at_mut(PAYLOAD);
            payload.copy_from_slice(plain);
            let mut nonce = [0; 12];
            if let Some(low) = nonce.last_chunk_mut() {
                *low = self.sealed.to_be_bytes();
            }
            let nonce = Nonce::assume_unique_for_key(nonce);
            let sealed = self.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload);
            tag_room.copy_from_slice(sealed.map_err(|_| LoadError::Ended)?.as_ref());
            self.seq = self.seq.wrapping_add(1);
            self.sealed += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ways_send_the_same_packets() {
        for way in [Way::Sendmmsg, Way::Gso] {
            let engine = Engine::start().unwrap();
            let ports = [engine.bare().await.unwrap().1.port(), engine.bare().await.unwrap().1.port()];
            tokio::task::spawn_blocking(move || send(way, &ports, 1)).await.unwrap().unwrap();
            let views = engine.look().await.unwrap();
            let got: Vec<_> = views.iter().map(|view| (view.video, view.lost, view.other)).collect();
            // Frames at 0, 1/30 … and at the end.
            assert_eq!(got, [(155, 0, 0), (155, 0, 0)], "{way:?}");
        }
        assert!(send(Way::Gso, &[], MOST_SECONDS + 1).is_err());
    }
}
