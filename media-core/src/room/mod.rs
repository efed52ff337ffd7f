//! A media room: members, their legs, the canvas and the mix.

mod command;
mod counters;
mod event;

pub use command::{Action, Command, MemberConfig, RoomConfig};
pub use counters::{Counters, Traffic};
pub use event::{Event, LegEnd, Liveness};
