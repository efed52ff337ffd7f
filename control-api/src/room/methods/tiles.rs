//! What a client that draws the layout itself says about its picture.

use layouts::Size;

use super::{Call, Method, Needs};
use crate::receive::LegReceive;
use crate::room::RoomSession;
use crate::room::media::MediaInstruction;
use crate::session::Reply;
use crate::wire::method::Done;
use crate::wire::tiles::SetViewportParams;

/// Twice the width of an 8K screen; nothing shows a picture larger.
const MAX_EDGE: u32 = 16384;

/// Anybody may say how large it sees its own picture; nobody can say it of another's, because a leg is named by the
/// session that has it.
pub(super) struct SetViewport;
impl Method for SetViewport {
    const NAME: &'static str = "video.tiles.set_viewport";
    const NEEDS: Needs = Needs::Presence;
    type Params = SetViewportParams;
    type Result = Done;
    fn run(room: &mut RoomSession, call: &Call<'_>, params: SetViewportParams) -> Result<Done, Reply> {
        for (name, edge) in [("width", params.width), ("height", params.height)] {
            if edge > MAX_EDGE {
                return Err(Reply::invalid(format!("{name} must be a whole number from 0 to {MAX_EDGE}")));
            }
        }
        let known = room.by_call(call.from.session, &params.call_id);
        let known = known.and_then(|who| who.calls.find(&params.call_id));
        let known = known.ok_or_else(|| Reply::not_found("Call"))?;
        if !known.receive.as_ref().is_some_and(LegReceive::is_tiles) {
            return Err(Reply::invalid("call_id must be of a call that receives tiles"));
        }
        // A leg that is lost has no picture; the one that follows says its size anew.
        if let Some(leg) = known.leg.id() {
            let size = Size { width: params.width, height: params.height };
            room.instruct(MediaInstruction::SetViewport { leg, size });
        }
        Ok(Done {})
    }
}
