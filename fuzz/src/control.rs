//! Targets behind the control plane's sockets.

use control_api::{ConnectRequest, LegEnd, Liveness, rpc};

use crate::play::{METHODS, Op, run};
use crate::world::{World, all_scopes};

/// By the names of their corpora.
pub const TARGETS: [(&str, fn(&[u8])); 2] = [("jsonrpc", jsonrpc), ("room_operations", room_operations)];

/// Frames, separated by zero bytes, of a member and of a server of the project: whoever asks gets one answer.
pub fn jsonrpc(bytes: &[u8]) {
    let mut world = World::new();
    let scopes = all_scopes();
    let alice = world.browser("Alice", &scopes.iter().map(String::as_str).collect::<Vec<_>>());
    world.join(alice);
    let server = world.realtime();
    world.forget_frames();
    for frame in bytes.split(|byte| *byte == 0).filter_map(|frame| std::str::from_utf8(frame).ok()) {
        let _ = ConnectRequest::parse(frame);
        let id = match rpc::parse(frame) {
            Ok(rpc::Incoming::Request { id, .. }) => Some(id),
            Ok(rpc::Incoming::Response { .. }) | Err(_) => None,
        };
        for client in [alice, server] {
            world.text(client, frame);
            let frames = world.frames(client);
            if let Some(id) = &id {
                let id = serde_json::json!(id);
                let answers =
                    frames.iter().filter(|frame| frame["id"] == id && frame.get("method").is_none());
                assert!(answers.count() <= 1, "{frame}");
            }
        }
    }
}

/// Operations of members, servers, media plane and time, three bytes each: what, and its two arguments.
pub fn room_operations(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    // Beyond that a sequence only repeats itself, slowly.
    run(first & 1 == 0, rest.chunks_exact(3).take(200).map(op));
}

fn op(bytes: &[u8]) -> Op {
    let &[what, a, b] = bytes else { return Op::Close };
    let who = usize::from(a % 5);
    let call = b % 3;
    let leg = u64::from(a % 20);
    match what % 16 {
        0 => Op::Invite { who, call, page: b / 3 % 2 },
        1 => Op::Bye { who, call },
        2 => Op::Update { who, call },
        3 => Op::Hold { who, call, held: b & 0x80 != 0 },
        4 => Op::LoseSocket { who },
        5 => Op::Reconnect { who },
        6 => Op::Method { who, name: usize::from(b) % METHODS.len(), target: usize::from(a) / 4 % 5 },
        7 => Op::Answer { leg },
        8 => Op::Connect { leg },
        9 => {
            let all = [Liveness::Alive, Liveness::Stale, Liveness::Silent, Liveness::Gone];
            Op::Heard { leg, liveness: all[usize::from(b % 4)] }
        }
        10 => {
            let all = [LegEnd::PeerClosed, LegEnd::NeverConnected, LegEnd::Refused];
            Op::End { leg, why: all[usize::from(b % 3)] }
        }
        11 => Op::Talk { target: who, talking: b & 1 != 0 },
        12 => Op::Pass { ms: u64::from(u16::from_be_bytes([a, b])) / 3 },
        13 => Op::Share { who, call, screen: b & 0x80 != 0 },
        14 => Op::Turn { who, target: usize::from(b) / 2 % 4, up: b & 1 != 0 },
        _ => Op::Close,
    }
}
