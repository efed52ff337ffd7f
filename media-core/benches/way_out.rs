//! CPU of the sending thread per packet to many receivers, over real sockets, beside the bare floor.
//!
//! ```text
//!   ours        a picture handed to the shard → packets → rewrite, seal, group → sendmmsg + GSO
//!   floor       copy, three header fields, AES-GCM, sendmmsg + GSO; no shard, room, leg or report
//!   … plain     both again with one message per datagram
//! ```
//!
//! The four take turns picture by picture, so that whatever else the machine does meets all of them. Receivers only
//! count, on another core, and are never waited for. `cargo bench -p media-core --bench way_out -- [receivers]
//! [packets] [pictures]`.
#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a bench fails by panic, prints, and computes with numbers of its own making"
)]
#![allow(unreachable_pub, reason = "the helpers are modules of this program")]

#[path = "../tests/fan_out/mod.rs"]
mod fan_out;
#[path = "../tests/sim/mod.rs"]
mod sim;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use media_core::engine::{ReceiveBatch, SendBatch};
use media_core::shard::{Input, Sealed};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use fan_out::FanOut;

const FRAME: Duration = Duration::from_millis(33);
const HEADER: usize = 20;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (receivers, packets, pictures) = (number(0, 200), number(1, 5), number(2, 200));

    let farm = Farm::start(receivers);
    pin(0);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket2::SockRef::from(&socket).set_send_buffer_size(4 << 20).unwrap();

    let mut ours = FanOut::new(&farm.addresses);
    let mut floor = Floor::new(&farm.addresses, packets);
    let mut gso = SendBatch::new(&socket);
    let mut plain = SendBatch::without_gso(&socket);
    let mut sealed = Sealed::batch();
    println!(
        "1 → {receivers}, {packets} packets per picture, GSO {}",
        if gso.has_gso() { "yes" } else { "no" }
    );

    let mut rows = [Row::new("ours"), Row::new("floor"), Row::new("ours plain"), Row::new("floor plain")];
    let warm_up = 20;
    for picture in 0..warm_up + pictures {
        for (variant, row) in rows.iter_mut().enumerate() {
            let begun = Instant::now();
            let batch = if variant < 2 { &mut gso } else { &mut plain };
            let (spent, sent) = if variant % 2 == 0 {
                let done = ours.picture(packets);
                let before = cpu();
                ours.shard.handle(ours.now, Input::JobDone { done, spent: Duration::ZERO });
                let mut sent = 0;
                while !ours.shard.has_nothing_to_send() {
                    sealed.clear();
                    ours.shard.seal(&mut sealed);
                    sent += batch.send(&socket, &sealed);
                }
                (cpu() - before, sent)
            } else {
                let before = cpu();
                let sent = floor.send(&socket, batch, &mut sealed);
                (cpu() - before, sent)
            };
            if picture >= warm_up {
                row.add(spent, sent);
            }
            std::thread::sleep((FRAME / 4).saturating_sub(begun.elapsed()));
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    let sent: u64 = rows.iter().map(|row| row.packets).sum();
    println!("{:<12} {:>10} {:>10} {:>10}", "", "ns/packet", "least", "packets");
    for row in &rows {
        println!("{:<12} {:>10.0} {:>10.0} {:>10}", row.name, row.median(), row.least(), row.packets);
    }
    println!("ours / floor: {:.2} (plain {:.2})", rows[0].median() / rows[1].median(), {
        rows[2].median() / rows[3].median()
    });
    println!("received {} of {sent} and {warm_up} pictures before", farm.stop());
}

struct Row {
    name: &'static str,
    packets: u64,
    each: Vec<f64>,
}

impl Row {
    fn new(name: &'static str) -> Self {
        Self { name, packets: 0, each: Vec::new() }
    }

    fn add(&mut self, spent: Duration, sent: usize) {
        self.packets += sent as u64;
        self.each.push(spent.as_nanos() as f64 / sent.max(1) as f64);
        self.each.sort_by(f64::total_cmp);
    }

    fn median(&self) -> f64 {
        self.each[self.each.len() / 2]
    }

    fn least(&self) -> f64 {
        self.each[0]
    }
}

/// The least that any server must do.
struct Floor {
    to: Vec<(SocketAddr, LessSafeKey)>,
    shared: Vec<Vec<u8>>,
    seq: u16,
}

impl Floor {
    fn new(addresses: &[SocketAddr], packets: usize) -> Self {
        let key = |n: usize| {
            let bytes: Vec<u8> = (0..16).map(|at| (n + at) as u8).collect();
            LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &bytes).unwrap())
        };
        let to = addresses.iter().enumerate().map(|(n, to)| (*to, key(n))).collect();
        Self { to, shared: vec![vec![0x55; HEADER + fan_out::PIECE + 4]; packets], seq: 0 }
    }

    fn send(&mut self, socket: &UdpSocket, batch: &mut SendBatch, sealed: &mut Sealed) -> usize {
        let mut sent = 0;
        sealed.clear();
        for (to, key) in &self.to {
            for (number, packet) in (0u16..).zip(&self.shared) {
                let len = packet.len() + 16;
                if sealed.room((*to).into(), len).is_none() {
                    sent += batch.send(socket, sealed);
                    sealed.clear();
                }
                let out = sealed.room((*to).into(), len).unwrap();
                out[..packet.len()].copy_from_slice(packet);
                out[2..4].copy_from_slice(&self.seq.wrapping_add(number).to_be_bytes());
                out[4..12].copy_from_slice(&[7; 8]);
                let mut nonce = [0; 12];
                nonce[10..].copy_from_slice(&self.seq.wrapping_add(number).to_be_bytes());
                let (header, rest) = out.split_at_mut(HEADER);
                let (body, tag) = rest.split_at_mut(packet.len() - HEADER);
                let made = key
                    .seal_in_place_separate_tag(
                        Nonce::assume_unique_for_key(nonce),
                        Aad::from(&*header),
                        body,
                    )
                    .unwrap();
                tag.copy_from_slice(made.as_ref());
                sealed.push((*to).into(), len);
            }
        }
        self.seq = self.seq.wrapping_add(self.shared.len() as u16);
        sent + batch.send(socket, sealed)
    }
}

/// Receivers that count.
struct Farm {
    addresses: Vec<SocketAddr>,
    stop: Arc<AtomicBool>,
    counted: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Farm {
    fn start(receivers: usize) -> Self {
        let sockets: Vec<UdpSocket> = (0..receivers)
            .map(|_| {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.set_nonblocking(true).unwrap();
                socket
            })
            .collect();
        let addresses = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let (stop, counted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&counted));
        let thread = std::thread::spawn(move || {
            pin(1);
            let mut batch = ReceiveBatch::default();
            while !stopped.load(Ordering::Relaxed) {
                for socket in &sockets {
                    while batch.receive(socket).is_ok_and(|filled| filled > 0) {
                        count.fetch_add(batch.datagrams().count() as u64, Ordering::Relaxed);
                    }
                }
                std::thread::sleep(Duration::from_millis(4));
            }
        });
        Self { addresses, stop, counted, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.counted.load(Ordering::Relaxed)
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Where there is only one core, all run on it.
fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core % std::thread::available_parallelism().map_or(1, usize::from));
    let _ = sched_setaffinity(None, &set);
}
