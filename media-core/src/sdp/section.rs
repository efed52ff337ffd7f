//! One `m=` section of an offer.
//!
//! in:  its lines, and the session's lines for what a section may inherit
//! out: [`OfferedMedia`] or [`OfferedData`], or the section's name for a rejection

use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;

use super::attributes;
use super::error::{SdpError, limit};
use super::formats::Formats;
use super::offer::{DATA_FORMAT, Direction, ExtensionUri, OfferedData, OfferedMedia, OfferedSsrc, Rejected};
use crate::transport::{Fingerprint, RemoteIce};
use crate::units::{MediaKind, Mid, Rid};

const MAX_EXTENSIONS: usize = 64;
const MAX_SSRCS: usize = 64;
/// Encodings of one camera: browsers send three at most, and each costs a stream's memory.
const MAX_RIDS: usize = 4;
/// RFC 8841 §6.1: in the absence of the line.
const DEFAULT_MESSAGE: u64 = 64 * 1024;

/// One `m=` block with the session around it.
pub(super) struct Section<'a> {
    /// Its place among the `m=` lines.
    pub(super) index: usize,
    /// Its lines.
    pub(super) media: &'a MediaDescription,
    /// The lines before the first `m=`.
    session: &'a SessionDescription,
    /// The section whose transport this one uses when it has none of its own: the first one of its group.
    tagged: Option<&'a MediaDescription>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        index: usize,
        media: &'a MediaDescription,
        session: &'a SessionDescription,
        group: &[Mid],
    ) -> Self {
        let mid = |media: &'a MediaDescription| values(media, "mid").next();
        let in_group = group.iter().any(|member| mid(media) == Some(member.0.as_str()));
        let tagged = group.first().filter(|_| in_group);
        let tagged =
            tagged.and_then(|tag| session.media_descriptions.iter().find(|m| mid(m) == Some(tag.0.as_str())));
        Self { index, media, session, tagged: tagged.filter(|tagged| !std::ptr::eq(*tagged, media)) }
    }

    /// Values of all lines of this name, flags as an empty value.
    fn values(&self, key: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        values(self.media, key)
    }

    fn has(&self, key: &'static str) -> bool {
        self.values(key).next().is_some()
    }

    /// The section's own line, else the session's, else that of the section whose transport it uses.
    fn inherited(&self, key: &'static str) -> Option<&'a str> {
        let of_session = || {
            let mut all = self.session.attributes.iter().filter(|a| a.key == key);
            all.next().map(|a| a.value.as_deref().unwrap_or(""))
        };
        let of_tagged = || self.tagged.and_then(|tagged| values(tagged, key).next());
        self.values(key).next().or_else(of_session).or_else(of_tagged)
    }

    /// RFC 9143 §7.1.3: what says how to reach the offerer stands only in the first section of the group, and the others
    /// cannot be answered without it.
    fn leans_on_its_group(&self) -> bool {
        let of_session = |key| self.session.attributes.iter().any(|a| a.key == key);
        self.tagged.is_some() && !self.has("ice-ufrag") && !of_session("ice-ufrag")
    }

    fn required(&self, key: &'static str) -> Result<&'a str, SdpError> {
        self.inherited(key).ok_or(SdpError::Missing { section: self.index, what: key })
    }

    fn bad(&self, what: &'static str, value: &str) -> SdpError {
        SdpError::bad(self.index, what, value)
    }

    /// Port 0 without `bundle-only`: a stopped transceiver, RFC 9429 §5.2.2.
    pub(super) fn is_stopped(&self) -> bool {
        self.media.media_name.port.value == 0 && !self.has("bundle-only")
    }

    pub(super) fn rejected(&self) -> Rejected {
        Rejected {
            mid: self.values("mid").next().filter(|m| attributes::is_token(m)).map(|m| Mid(m.to_owned())),
            media: self.media.media_name.media.clone(),
            protocol: self.protocol().unwrap_or_else(|_| "UDP/TLS/RTP/SAVPF".to_owned()),
            format: self.format(),
        }
    }

    pub(super) fn media(&self, kind: MediaKind) -> Result<OfferedMedia, SdpError> {
        let protocol = self.protocol()?;
        if !protocol.ends_with("RTP/SAVPF") {
            return Err(self.bad("protocol", &protocol));
        }
        self.refuse_passive()?;
        if self.inherited("rtcp-mux").is_none() {
            return Err(SdpError::Missing { section: self.index, what: "rtcp-mux" });
        }
        let formats = Formats::of(self.media)?;
        Ok(OfferedMedia {
            kind,
            mid: self.mid()?,
            direction: self.direction(),
            ice: self.ice()?,
            fingerprint: self.fingerprint()?,
            protocol,
            format: self.format(),
            codecs: formats.known(kind),
            codec_names: formats.names(),
            extensions: self.extensions()?,
            extmap_allow_mixed: self.inherited("extmap-allow-mixed").is_some(),
            ssrcs: self.ssrcs()?,
            rids: self.rids(),
            rtcp_rsize: self.has("rtcp-rsize"),
            bundle_only: self.has("bundle-only") || self.leans_on_its_group(),
        })
    }

    /// Data channels, when all is there that they need.
    pub(super) fn data(&self) -> Option<OfferedData> {
        let protocol = self.protocol().ok().filter(|protocol| protocol.ends_with("/DTLS/SCTP"))?;
        if self.media.media_name.formats.first().is_none_or(|format| format != DATA_FORMAT) {
            return None;
        }
        self.refuse_passive().ok()?;
        Some(OfferedData {
            mid: self.mid().ok()?,
            ice: self.ice().ok()?,
            fingerprint: self.fingerprint().ok()?,
            protocol,
            sctp_port: self.values("sctp-port").next()?.trim().parse().ok().filter(|port| *port != 0)?,
            max_message_size: match self.values("max-message-size").next() {
                Some(size) => size.trim().parse().ok()?,
                None => DEFAULT_MESSAGE,
            },
        })
    }

    fn format(&self) -> String {
        let first = self.media.media_name.formats.first().filter(|f| attributes::is_token(f));
        first.cloned().unwrap_or_else(|| "0".to_owned())
    }

    fn protocol(&self) -> Result<String, SdpError> {
        let parts = &self.media.media_name.protos;
        let joined = parts.join("/");
        let known = parts.len() <= 4 && parts.iter().all(|p| attributes::is_token(p));
        if known { Ok(joined) } else { Err(self.bad("protocol", &joined)) }
    }

    fn mid(&self) -> Result<Mid, SdpError> {
        let mid = self.values("mid").next().ok_or(SdpError::Missing { section: self.index, what: "mid" })?;
        if attributes::is_token(mid) { Ok(Mid(mid.to_owned())) } else { Err(self.bad("mid", mid)) }
    }

    /// RFC 8866 §6.7: sendrecv when nothing is said.
    fn direction(&self) -> Direction {
        let named = |name: &str| match name {
            "sendrecv" => Some(Direction::SendRecv),
            "sendonly" => Some(Direction::SendOnly),
            "recvonly" => Some(Direction::RecvOnly),
            "inactive" => Some(Direction::Inactive),
            _ => None,
        };
        let own = self.media.attributes.iter().find_map(|a| named(&a.key));
        let of_session = || self.session.attributes.iter().find_map(|a| named(&a.key));
        own.or_else(of_session).unwrap_or(Direction::SendRecv)
    }

    fn ice(&self) -> Result<RemoteIce, SdpError> {
        let (ufrag, pwd) = (self.required("ice-ufrag")?, self.required("ice-pwd")?);
        if !attributes::is_ice_text(ufrag, 4) {
            return Err(self.bad("ice-ufrag", ufrag));
        }
        if !attributes::is_ice_text(pwd, 22) {
            return Err(self.bad("ice-pwd", pwd));
        }
        Ok(RemoteIce { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() })
    }

    /// Several hashes of one certificate may be listed (RFC 8122 §5); only SHA-256 counts.
    fn fingerprint(&self) -> Result<Fingerprint, SdpError> {
        let first = self.required("fingerprint")?;
        let of_session = self
            .session
            .attributes
            .iter()
            .filter(|a| a.key == "fingerprint")
            .filter_map(|a| a.value.as_deref());
        let sha256 = |value: &'a str| {
            value
                .split_once(' ')
                .filter(|(hash, _)| hash.eq_ignore_ascii_case("sha-256"))
                .map(|(_, print)| print)
        };
        let print = if self.has("fingerprint") {
            self.values("fingerprint").find_map(sha256)
        } else {
            let of_tagged = self.tagged.into_iter().flat_map(|tagged| values(tagged, "fingerprint"));
            of_session.chain(of_tagged).find_map(sha256)
        };
        print
            .and_then(|p| Fingerprint::parse(p.trim()))
            .ok_or_else(|| self.bad("fingerprint (sha-256 needed)", first))
    }

    /// We are the passive end always, so the offerer must be able to be the active one (RFC 8842 §5).
    fn refuse_passive(&self) -> Result<(), SdpError> {
        match self.inherited("setup") {
            None | Some("actpass" | "active") => Ok(()),
            Some(other) => Err(self.bad("setup (actpass or active needed)", other)),
        }
    }

    /// Only ids that fit the one-byte form, RFC 8285 §4.2.
    fn extensions(&self) -> Result<Vec<(u8, ExtensionUri)>, SdpError> {
        let mut extensions: Vec<(u8, ExtensionUri)> = Vec::new();
        for (count, value) in self.values("extmap").enumerate() {
            limit("header extensions", count + 1, MAX_EXTENSIONS)?;
            let Some((id @ 1..=14, uri)) = attributes::extmap(value) else { continue };
            let Some(known) = ExtensionUri::ALL.into_iter().find(|e| e.uri() == uri) else { continue };
            if !extensions.iter().any(|(taken, e)| *taken == id || *e == known) {
                extensions.push((id, known));
            }
        }
        Ok(extensions)
    }

    /// The encodings of `a=simulcast:send` that an `a=rid` line describes. Of alternatives the first one is taken, and
    /// one that is paused at first counts like the others (RFC 8853 §5.1).
    fn rids(&self) -> Vec<Rid> {
        let described: Vec<&str> = self.values("rid").filter_map(attributes::rid_sent).collect();
        let listed = self.values("simulcast").next().and_then(attributes::simulcast_sent).unwrap_or("");
        let mut rids: Vec<Rid> = Vec::new();
        for encoding in listed.split(';') {
            let first = encoding.split(',').next().unwrap_or("").trim();
            let rid = first.strip_prefix('~').unwrap_or(first);
            if described.contains(&rid) && !rids.iter().any(|taken| taken.0 == rid) {
                rids.push(Rid(rid.to_owned()));
            }
        }
        rids.truncate(MAX_RIDS);
        // A single encoding is what every stream is.
        if rids.len() < 2 { Vec::new() } else { rids }
    }

    fn ssrcs(&self) -> Result<Vec<OfferedSsrc>, SdpError> {
        let pairs: Vec<_> =
            self.values("ssrc-group").filter_map(attributes::fid_group).take(MAX_SSRCS).collect();
        let mut ssrcs: Vec<OfferedSsrc> = Vec::new();
        for media in self.values("ssrc").filter_map(attributes::ssrc) {
            let is_rtx = pairs.iter().any(|(_, rtx)| *rtx == media);
            if is_rtx || ssrcs.iter().any(|s| s.media == media) {
                continue;
            }
            limit("streams", ssrcs.len() + 1, MAX_SSRCS)?;
            let rtx = pairs.iter().find(|(of, _)| *of == media).map(|(_, rtx)| *rtx);
            ssrcs.push(OfferedSsrc { media, rtx });
        }
        Ok(ssrcs)
    }
}

fn values<'a>(media: &'a MediaDescription, key: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
    media.attributes.iter().filter(move |a| a.key == key).map(|a| a.value.as_deref().unwrap_or(""))
}
