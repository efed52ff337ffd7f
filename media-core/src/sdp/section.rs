//! One `m=` section of an offer.
//!
//! in:  its lines, and the session's lines for what a section may inherit
//! out: [`OfferedMedia`], or the section's name for a rejection

use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;

use super::attributes;
use super::error::{SdpError, limit};
use super::formats::Formats;
use super::offer::{Direction, ExtensionUri, OfferedMedia, OfferedSsrc, Rejected};
use crate::transport::{Fingerprint, RemoteIce};
use crate::units::{MediaKind, Mid};

const MAX_EXTENSIONS: usize = 64;
const MAX_SSRCS: usize = 64;

/// One `m=` block with the session around it.
pub(super) struct Section<'a> {
    /// Its place among the `m=` lines.
    pub(super) index: usize,
    /// Its lines.
    pub(super) media: &'a MediaDescription,
    /// The lines before the first `m=`.
    pub(super) session: &'a SessionDescription,
}

impl<'a> Section<'a> {
    /// Values of all lines of this name, flags as an empty value.
    fn values(&self, key: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.media.attributes.iter().filter(move |a| a.key == key).map(|a| a.value.as_deref().unwrap_or(""))
    }

    fn has(&self, key: &'static str) -> bool {
        self.values(key).next().is_some()
    }

    /// The section's own line, else the session's.
    fn inherited(&self, key: &'static str) -> Option<&'a str> {
        let of_session = || {
            let mut all = self.session.attributes.iter().filter(|a| a.key == key);
            all.next().map(|a| a.value.as_deref().unwrap_or(""))
        };
        self.values(key).next().or_else(of_session)
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
        let name = &self.media.media_name;
        let format = name.formats.first().filter(|f| attributes::is_token(f));
        Rejected {
            mid: self.values("mid").next().filter(|m| attributes::is_token(m)).map(|m| Mid(m.to_owned())),
            media: name.media.clone(),
            protocol: self.protocol().unwrap_or_else(|_| "UDP/TLS/RTP/SAVPF".to_owned()),
            format: format.cloned().unwrap_or_else(|| "0".to_owned()),
        }
    }

    pub(super) fn media(&self, kind: MediaKind) -> Result<OfferedMedia, SdpError> {
        let protocol = self.protocol()?;
        if !protocol.ends_with("RTP/SAVPF") {
            return Err(self.bad("protocol", &protocol));
        }
        self.refuse_passive()?;
        if !self.has("rtcp-mux") {
            return Err(SdpError::Missing { section: self.index, what: "rtcp-mux" });
        }
        let formats = Formats::of(self.media)?;
        Ok(OfferedMedia {
            mid: self.mid()?,
            direction: self.direction(),
            ice: self.ice()?,
            fingerprint: self.fingerprint()?,
            protocol,
            codecs: formats.known(kind),
            codec_names: formats.names(),
            extensions: self.extensions()?,
            ssrcs: self.ssrcs()?,
            rtcp_rsize: self.has("rtcp-rsize"),
            bundle_only: self.has("bundle-only"),
        })
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
            of_session.into_iter().find_map(sha256)
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
