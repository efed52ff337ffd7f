//! A member in Rust, of an independent WebRTC stack: one flat colour as camera, one tone as microphone. For tests that
//! need members other than browsers.
//!
//! `coloured_member WS_URL TOKEN RED GREEN BLUE`: writes its member id as one line once its media flow, stays until its
//! standard input ends, then says goodbye.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use benches::client::Client;
use benches::peer::{Camera, Decode, Microphone, Offering, PeerConfig, Protection};
use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;

const PICTURE: Size = Size { width: 640, height: 360 };
const PATIENCE: Duration = Duration::from_secs(15);
const TONE_HZ: u32 = 700;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ws, token, red, green, blue] = arguments.as_slice() else {
        return Err("coloured_member WS_URL TOKEN RED GREEN BLUE".into());
    };
    let colour = Rgb(red.parse()?, green.parse()?, blue.parse()?);
    let mut client = Client::connect(ws, token).await?;
    let offering = Offering::new(PeerConfig {
        bundle: false,
        protection: Protection::All,
        camera: Arc::new(Camera::still(VideoCodec::Vp8, PICTURE, colour)?),
        microphone: Arc::new(Microphone::tone(TONE_HZ)?),
        decode: Decode::Nothing,
    })
    .await?;
    let call = client.invite(offering.sdp()).await?;
    let peer = offering.accept(&call.answer)?;
    peer.until("DTLS", PATIENCE, |observed| observed.first.connected.is_some()).await?;
    writeln!(std::io::stdout(), "{}", call.member_id)?;

    let (end, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        // Nobody waits for it when the room has ended before.
        let _ = end.send(read);
    });
    tokio::select! {
        read = ended => { read??; }
        // Reads what comes meanwhile; over when the room or the socket is.
        event = client.event("video.room.ended") => { event?; }
    }
    client.bye(&call).await?;
    peer.stop().await;
    Ok(())
}
