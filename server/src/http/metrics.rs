//! `/metrics`, in the text format of Prometheus.
//!
//! in:  totals of the media engine at the moment of the scrape; what the control plane counts as it happens
//! out: text
//!
//! The engine's totals only grow by themselves, so each scrape copies them into a fresh registry: no second copy to
//! keep true.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use media_core::engine::CodecLoad;
use media_core::room::{Counters, JobClass, Traffic};
use prometheus::{
    Counter, CounterVec, Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::app::App;

/// From a loopback join (12 ms to DTLS) to the 3 s after which SDKs restart ICE.
const JOIN_BUCKETS_S: [f64; 11] = [0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.0, 3.0, 6.0];

/// From a commit in memory to the 10 s after which one is given up.
const COMMIT_BUCKETS_S: [f64; 8] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0];

/// What the control plane counts.
pub(crate) struct Metrics {
    registry: Registry,
    /// Open WebSockets.
    pub(crate) sockets: IntGauge,
    /// Sessions, with and without a socket.
    pub(crate) sessions: IntGauge,
    /// Offer in hand until media can flow.
    pub(crate) join_seconds: Histogram,
    /// Room tokens made.
    pub(crate) room_tokens: IntCounter,
    /// Connects refused for their credentials.
    pub(crate) auth_failures: IntCounter,
    /// Calls of WHIP and WHEP, by protocol.
    pub(crate) http_calls: IntGaugeVec,
    /// Their requests that were refused, by protocol and reason.
    pub(crate) http_call_refusals: IntCounterVec,
    /// WebSockets closed by us, by reason.
    pub(crate) sockets_closed: IntCounterVec,
    /// TLS handshakes, by how they went.
    pub(crate) tls_handshakes: IntCounterVec,
    /// Looks at changed certificate files, by result.
    pub(crate) tls_reloads: IntCounterVec,
    /// End of the certificate in use, unix seconds; 0 without TLS.
    pub(crate) tls_expiry: IntGauge,
    /// Messages refused because a mailbox was full, by mailbox.
    pub(crate) mailbox_full: IntCounterVec,
    /// Recordings that run.
    pub(crate) recordings_active: IntGauge,
    /// What they have written.
    pub(crate) recording_bytes: IntCounter,
    /// What recorders were too slow to take, by kind.
    pub(crate) recording_dropped: IntCounterVec,
    /// Children that died while they recorded.
    pub(crate) recording_restarts: IntCounter,
    /// What went wrong with recordings, by reason.
    pub(crate) recording_failures: IntCounterVec,
    /// Whether the database took the last rows.
    pub(crate) storage_up: IntGauge,
    /// What waits for the database.
    pub(crate) storage_queue: IntGauge,
    /// Rows that were not written, by kind.
    pub(crate) storage_dropped: IntCounterVec,
    /// One transaction of the writer, attempts included that failed.
    pub(crate) storage_commit_seconds: Histogram,
    /// Attempts to deliver an event, by how they ended.
    pub(crate) webhook_deliveries: IntCounterVec,
    /// Messages that wait to be delivered.
    pub(crate) webhooks_pending: IntGauge,
    /// How long the first of them waits.
    pub(crate) webhook_oldest_age: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let new = Self {
            registry: Registry::new(),
            sockets: IntGauge::new("signalbox_sockets", "Open WebSockets.")?,
            sessions: IntGauge::new("signalbox_sessions", "SDK sessions, with and without a socket.")?,
            join_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "signalbox_join_duration_seconds",
                    "From the offer until ICE and DTLS are done on every transport of the leg.",
                )
                .buckets(JOIN_BUCKETS_S.to_vec()),
            )?,
            room_tokens: IntCounter::new("signalbox_room_tokens_total", "Room tokens made.")?,
            auth_failures: IntCounter::new(
                "signalbox_auth_failures_total",
                "Connects refused for their credentials.",
            )?,
            http_calls: IntGaugeVec::new(
                Opts::new("signalbox_http_calls", "Calls that came by WHIP or WHEP and have not ended."),
                &["protocol"],
            )?,
            http_call_refusals: IntCounterVec::new(
                Opts::new(
                    "signalbox_http_call_refusals_total",
                    "Requests of WHIP and WHEP that were refused: `session` are those to the URL of a call.",
                ),
                &["protocol", "reason"],
            )?,
            sockets_closed: IntCounterVec::new(
                Opts::new("signalbox_sockets_closed_total", "WebSockets closed by the server, by reason."),
                &["reason"],
            )?,
            tls_handshakes: IntCounterVec::new(
                Opts::new("signalbox_tls_handshakes_total", "TLS handshakes, by how they went."),
                &["result"],
            )?,
            tls_reloads: IntCounterVec::new(
                Opts::new("signalbox_tls_reloads_total", "Changed certificate files, taken or not."),
                &["result"],
            )?,
            tls_expiry: IntGauge::new(
                "signalbox_tls_certificate_expiry_timestamp_seconds",
                "End of the certificate in use; 0 without TLS.",
            )?,
            mailbox_full: IntCounterVec::new(
                Opts::new("signalbox_mailbox_full_total", "Messages refused because a mailbox was full."),
                &["mailbox"],
            )?,
            recordings_active: IntGauge::new("signalbox_recordings_active", "Recordings that run now.")?,
            recording_bytes: IntCounter::new(
                "signalbox_recording_bytes_total",
                "Bytes of files that recordings have written.",
            )?,
            recording_dropped: IntCounterVec::new(
                Opts::new(
                    "signalbox_recording_dropped_total",
                    "Pictures and 20 ms of sound that a recording missed because it was behind.",
                ),
                &["kind"],
            )?,
            recording_restarts: IntCounter::new(
                "signalbox_recording_restarts_total",
                "Programs that died while they wrote a recording, and were replaced.",
            )?,
            recording_failures: IntCounterVec::new(
                Opts::new(
                    "signalbox_recording_failures_total",
                    "Recordings that did not `start`, ended by `disk_full`, `crash` or `error`, are `empty`, or stay as they were written (`remux`).",
                ),
                &["reason"],
            )?,
            storage_up: IntGauge::new("signalbox_storage_up", "1 while the database can be written.")?,
            storage_queue: IntGauge::new("signalbox_storage_queue", "Entries that wait for the database.")?,
            storage_dropped: IntCounterVec::new(
                Opts::new(
                    "signalbox_storage_dropped_total",
                    "Rows not written: `event`, `message` and `needed` for want of place in the queue, `unstorable` by nature.",
                ),
                &["kind"],
            )?,
            storage_commit_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "signalbox_storage_commit_duration_seconds",
                    "One transaction of history, failed ones included.",
                )
                .buckets(COMMIT_BUCKETS_S.to_vec()),
            )?,
            webhook_deliveries: IntCounterVec::new(
                Opts::new(
                    "signalbox_webhook_deliveries_total",
                    "Attempts to deliver an event: `delivered`, `failed` and tried again, `dead` and given up, `gone` for ever.",
                ),
                &["result"],
            )?,
            webhooks_pending: IntGauge::new(
                "signalbox_webhooks_pending",
                "Messages that wait to be delivered.",
            )?,
            webhook_oldest_age: Gauge::new(
                "signalbox_webhook_oldest_age_seconds",
                "How long the first message that waits has waited; 0 when none does.",
            )?,
        };
        let all: Vec<Box<dyn prometheus::core::Collector>> = vec![
            Box::new(new.sockets.clone()),
            Box::new(new.sessions.clone()),
            Box::new(new.join_seconds.clone()),
            Box::new(new.room_tokens.clone()),
            Box::new(new.auth_failures.clone()),
            Box::new(new.http_calls.clone()),
            Box::new(new.http_call_refusals.clone()),
            Box::new(new.sockets_closed.clone()),
            Box::new(new.tls_handshakes.clone()),
            Box::new(new.tls_reloads.clone()),
            Box::new(new.tls_expiry.clone()),
            Box::new(new.mailbox_full.clone()),
            Box::new(new.recordings_active.clone()),
            Box::new(new.recording_bytes.clone()),
            Box::new(new.recording_dropped.clone()),
            Box::new(new.recording_restarts.clone()),
            Box::new(new.recording_failures.clone()),
            Box::new(new.storage_up.clone()),
            Box::new(new.storage_queue.clone()),
            Box::new(new.storage_dropped.clone()),
            Box::new(new.storage_commit_seconds.clone()),
            Box::new(new.webhook_deliveries.clone()),
            Box::new(new.webhooks_pending.clone()),
            Box::new(new.webhook_oldest_age.clone()),
        ];
        all.into_iter().try_for_each(|collector| new.registry.register(collector))?;
        Ok(new)
    }
}

pub(super) async fn scrape(State(app): State<Arc<App>>) -> Response {
    let engine = &app.engine;
    match text(&app.metrics, &engine.counters(), &engine.counters_of_shards(), &engine.codec_load()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn text(
    metrics: &Metrics,
    media: &Counters,
    shards: &[Counters],
    codecs: &CodecLoad,
) -> prometheus::Result<Vec<u8>> {
    let families = [
        metrics.registry.gather(),
        snapshot(media)?.gather(),
        by_shard(shards)?.gather(),
        of_codecs(media, codecs)?.gather(),
    ]
    .concat();
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(text)
}

fn snapshot(media: &Counters) -> prometheus::Result<Registry> {
    let registry = Registry::new();
    for (name, help, level) in [
        ("signalbox_rooms", "Rooms with media now.", media.rooms),
        ("signalbox_members", "Members in rooms now.", media.members),
        ("signalbox_legs", "Media legs now.", media.legs),
        ("signalbox_renditions", "Renditions of canvases encoded now.", media.renditions),
        ("signalbox_legs_measured", "Legs whose bandwidth is known now.", media.estimated),
        (
            "signalbox_legs_bandwidth_bits_per_second",
            "Sum of what the paths of measured legs carry now.",
            media.estimate_bps,
        ),
    ] {
        let gauge = Gauge::new(name, help)?;
        gauge.set(float(level));
        registry.register(Box::new(gauge))?;
    }
    traffic(&registry, media)?;
    sound(&registry, media)?;
    for (name, help, total) in [
        (
            "signalbox_packets_lost_total",
            "RTP packets of sources lost on the way, repeated or not.",
            media.lost_in,
        ),
        ("signalbox_packets_nacked_total", "RTP packets that receivers reported missing.", media.nacked_out),
        (
            "signalbox_packets_repaired_total",
            "RTP packets of sound lost on the way in, of which a later packet brought a copy.",
            media.repaired_in,
        ),
        ("signalbox_packets_retransmitted_total", "RTP packets sent again.", media.retransmitted_out),
        ("signalbox_bandwidth_probes_total", "Probes of the bandwidth of legs.", media.probes),
        (
            "signalbox_packets_paced_dropped_total",
            "RTP packets given up because a link was too narrow for them.",
            media.paced_dropped,
        ),
        ("signalbox_canvas_frames_total", "Canvas frames composed.", media.canvas_frames),
        (
            "signalbox_canvas_frames_late_total",
            "Canvas frames left out because compositor or encoder was busy.",
            media.canvas_frames_late,
        ),
        ("signalbox_key_frames_total", "Key frames encoded.", media.key_frames),
        ("signalbox_pictures_decoded_total", "Pictures decoded.", media.decoded),
        ("signalbox_pictures_encoded_total", "Pictures encoded.", media.encoded),
    ] {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(total);
        registry.register(Box::new(counter))?;
    }
    for (name, help, nanoseconds) in [
        ("signalbox_decode_seconds_total", "Time spent decoding video.", media.decode_ns),
        ("signalbox_compose_seconds_total", "Time spent composing canvases.", media.compose_ns),
        ("signalbox_encode_seconds_total", "Time spent encoding video.", media.encode_ns),
        ("signalbox_mix_seconds_total", "Time spent decoding, mixing and encoding audio.", media.mix_ns),
    ] {
        let counter = Counter::new(name, help)?;
        counter.inc_by(float(nanoseconds) / 1e9);
        registry.register(Box::new(counter))?;
    }
    Ok(registry)
}

/// Values of a label, and what was counted of each.
type Rows<'a> = &'a [(&'a str, u64)];

/// What the audio threads do.
fn sound(registry: &Registry, media: &Counters) -> prometheus::Result<()> {
    let of = &media.sound;
    let families: [(&str, &str, &str, Rows<'_>); 5] = [
        (
            "signalbox_audio_packets_total",
            "Packets of sound that came to the mix: decoded, `spared` because their senders are silent, or thrown away.",
            "outcome",
            &[
                ("decoded", of.decodes),
                ("spared", of.spared),
                ("muted", of.muted),
                ("late", of.late),
                ("duplicate", of.duplicates),
                ("dropped", of.dropped),
                ("malformed", of.malformed),
                ("unknown", of.unknown),
            ],
        ),
        (
            "signalbox_audio_gaps_total",
            "Pieces of sound missing in the mix: made whole from the next packet (`repaired`, in-band FEC), or `concealed`.",
            "by",
            &[("repaired", of.repaired), ("concealed", of.concealed)],
        ),
        (
            "signalbox_audio_stretches_total",
            "Periods of a voice put in (`longer`) or taken out, because of clocks and networks.",
            "direction",
            &[("longer", of.expanded), ("shorter", of.accelerated)],
        ),
        (
            "signalbox_audio_encodes_total",
            "Frames of the mix encoded, for all who hear the same or for one member.",
            "mix",
            &[("shared", of.encodes.saturating_sub(of.private_encodes)), ("private", of.private_encodes)],
        ),
        (
            "signalbox_audio_ticks_total",
            "Ticks of 20 ms left out because an audio thread was far too late.",
            "outcome",
            &[("skipped", of.skipped_ticks)],
        ),
    ];
    for (name, help, label, rows) in families {
        let family = CounterVec::new(Opts::new(name, help), &[label])?;
        rows.iter().for_each(|(value, total)| family.with_label_values(&[*value]).inc_by(float(*total)));
        registry.register(Box::new(family))?;
    }
    let denoised = IntCounter::new(
        "signalbox_audio_denoised_total",
        "Frames of 20 ms of microphones that were freed of noise.",
    )?;
    denoised.inc_by(of.denoised);
    registry.register(Box::new(denoised))?;
    let now = &media.sound_levels;
    let sources = GaugeVec::new(
        Opts::new(
            "signalbox_audio_sources",
            "Sources of sound now: decoded (`playing`) or not, for nobody hears them (`dozing`); of the first those in the mix (`mixed`), and microphones that a crowd leaves out (`left_out`).",
        ),
        &["state"],
    )?;
    for (state, count) in
        [("playing", now.playing), ("dozing", now.dozing), ("mixed", now.mixed), ("left_out", now.left_out)]
    {
        sources.with_label_values(&[state]).set(float(count));
    }
    registry.register(Box::new(sources))?;
    let delay = Gauge::new(
        "signalbox_audio_delay_seconds",
        "Sum over playing and dozing sources of the time for which their packets are kept now.",
    )?;
    delay.set(float(now.delay_ms) / 1000.0);
    registry.register(Box::new(delay))
}

fn traffic(registry: &Registry, media: &Counters) -> prometheus::Result<()> {
    let family = |name, help| CounterVec::new(Opts::new(name, help), &["direction", "kind"]);
    let packets = family("signalbox_packets_total", "UDP datagrams that were accepted or sent.")?;
    let bytes = family("signalbox_bytes_total", "Bytes of UDP payload.")?;
    let rows: [(&str, &str, Traffic); 9] = [
        ("in", "audio", media.audio_in),
        ("in", "video", media.video_in),
        ("in", "rtcp", media.rtcp_in),
        ("in", "handshake", media.handshake_in),
        ("out", "audio", media.audio_out),
        ("out", "video", media.video_out),
        ("out", "padding", media.padding_out),
        ("out", "rtcp", media.rtcp_out),
        ("out", "handshake", media.handshake_out),
    ];
    for (direction, kind, total) in rows {
        packets.with_label_values(&[direction, kind]).inc_by(float(total.packets));
        bytes.with_label_values(&[direction, kind]).inc_by(float(total.bytes));
    }
    registry.register(Box::new(packets))?;
    registry.register(Box::new(bytes))?;
    let dropped = CounterVec::new(
        Opts::new("signalbox_datagrams_dropped_total", "Datagrams dropped, by reason."),
        &["reason"],
    )?;
    for (reason, count) in &media.dropped {
        dropped.with_label_values(&[*reason]).inc_by(float(*count));
    }
    registry.register(Box::new(dropped))
}

/// How the shards share the work.
fn by_shard(shards: &[Counters]) -> prometheus::Result<Registry> {
    let registry = Registry::new();
    let family = |name, help| {
        let family = CounterVec::new(Opts::new(name, help), &["shard"])?;
        registry.register(Box::new(family.clone())).map(|()| family)
    };
    let busy = family("signalbox_shard_busy_seconds_total", "Time that the shard's thread was not asleep.")?;
    let lent = family("signalbox_shard_packets_lent_total", "Packets that another shard was to send.")?;
    let borrowed = family("signalbox_shard_packets_borrowed_total", "Packets sent for another shard.")?;
    let full = family(
        "signalbox_shard_packets_ring_full_total",
        "Packets for which another shard had no room: sent at home, or dropped as `helper_full`.",
    )?;
    for (number, shard) in shards.iter().enumerate() {
        let number = number.to_string();
        busy.with_label_values(&[&number]).inc_by(float(shard.busy_ns) / 1e9);
        lent.with_label_values(&[&number]).inc_by(float(shard.lent));
        borrowed.with_label_values(&[&number]).inc_by(float(shard.borrowed));
        full.with_label_values(&[&number]).inc_by(float(shard.ring_full));
    }
    Ok(registry)
}

/// How the codec workers get along.
fn of_codecs(media: &Counters, codecs: &CodecLoad) -> prometheus::Result<Registry> {
    let registry = Registry::new();
    for (name, help, level) in [
        (
            "signalbox_codec_workers",
            "Threads that decode, compose and encode pictures.",
            codecs.workers as u64,
        ),
        (
            "signalbox_codec_shed_level",
            "What is left out because the machine is too small: 0 nothing, 1 previews, 2 also pictures of small renditions, 3 and 4 also half and three quarters of canvas frames.",
            u64::from(codecs.shed.level()),
        ),
    ] {
        let gauge = Gauge::new(name, help)?;
        gauge.set(float(level));
        registry.register(Box::new(gauge))?;
    }
    let busy = Counter::new("signalbox_codec_busy_seconds_total", "Time that codec workers were at work.")?;
    busy.inc_by(codecs.busy.as_secs_f64());
    registry.register(Box::new(busy))?;
    let family = |name, help, label| {
        let family = CounterVec::new(Opts::new(name, help), &[label])?;
        registry.register(Box::new(family.clone())).map(|()| family)
    };
    let begun = family("signalbox_codec_jobs_total", "Codec jobs begun, by class.", "class")?;
    let waited = family(
        "signalbox_codec_wait_seconds_total",
        "Time that codec jobs waited for a worker, by class.",
        "class",
    )?;
    for ((class, jobs), time) in JobClass::ALL.iter().zip(codecs.begun).zip(codecs.waited) {
        begun.with_label_values(&[class.name()]).inc_by(float(jobs));
        waited.with_label_values(&[class.name()]).inc_by(time.as_secs_f64());
    }
    let shed = family(
        "signalbox_codec_shed_total",
        "Pictures left out because the machine is too small, by what: a picture of a small rendition, a frame of a canvas.",
        "what",
    )?;
    shed.with_label_values(&["small_rendition"]).inc_by(float(media.shed_small));
    shed.with_label_values(&["frame"]).inc_by(float(media.shed_frames));
    Ok(registry)
}

/// Prometheus counts in floats; exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "9 petabytes are exact")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use media_core::mix::audio::{AudioCounters, AudioLevels};

    use super::*;

    #[test]
    fn totals_of_the_engine_become_families() {
        let metrics = Metrics::new().unwrap();
        metrics.join_seconds.observe(0.05);
        let media = Counters {
            audio_in: Traffic { packets: 7, bytes: 700 },
            dropped: vec![("unknown_ufrag", 3)],
            encode_ns: 1_500_000_000,
            rooms: 2,
            shed_frames: 4,
            sound: AudioCounters { decodes: 9, encodes: 5, private_encodes: 2, ..AudioCounters::default() },
            sound_levels: AudioLevels { dozing: 4, delay_ms: 120, ..AudioLevels::default() },
            ..Counters::default()
        };
        let codecs = CodecLoad { workers: 2, begun: [8, 9, 0, 0], ..CodecLoad::default() };
        let shards = [Counters::default(), Counters { lent: 5, busy_ns: 500_000_000, ..Counters::default() }];
        let text = String::from_utf8(text(&metrics, &media, &shards, &codecs).unwrap()).unwrap();
        for line in [
            "signalbox_packets_total{direction=\"in\",kind=\"audio\"} 7",
            "signalbox_bytes_total{direction=\"in\",kind=\"audio\"} 700",
            "signalbox_packets_total{direction=\"out\",kind=\"video\"} 0",
            "signalbox_datagrams_dropped_total{reason=\"unknown_ufrag\"} 3",
            "signalbox_encode_seconds_total 1.5",
            "signalbox_rooms 2",
            "signalbox_codec_workers 2",
            "signalbox_codec_jobs_total{class=\"decode\"} 9",
            "signalbox_codec_shed_total{what=\"frame\"} 4",
            "signalbox_codec_shed_level 0",
            "signalbox_audio_packets_total{outcome=\"decoded\"} 9",
            "signalbox_audio_encodes_total{mix=\"shared\"} 3",
            "signalbox_audio_encodes_total{mix=\"private\"} 2",
            "signalbox_audio_sources{state=\"dozing\"} 4",
            "signalbox_audio_delay_seconds 0.12",
            "signalbox_shard_busy_seconds_total{shard=\"1\"} 0.5",
            "signalbox_shard_packets_lent_total{shard=\"1\"} 5",
            "signalbox_shard_packets_lent_total{shard=\"0\"} 0",
            "signalbox_join_duration_seconds_bucket{le=\"0.08\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
