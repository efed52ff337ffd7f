use proptest::prelude::*;

use super::*;

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const PROFILES: [Profile; 3] = [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmHmacSha1_80];

/// A sender and the receiver of what it seals.
fn ends(profile: Profile) -> (Outbound, Inbound) {
    let key: Vec<u8> = (0..).take(profile.key_len()).collect();
    let salt: Vec<u8> = (100..).take(profile.salt_len()).collect();
    (Outbound::new(profile, &key, &salt).unwrap(), Inbound::new(profile, &key, &salt).unwrap())
}

fn rtp(ssrc: u32, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn sealed(sender: &mut Outbound, packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    sender.seal_rtp(&mut packet).unwrap();
    packet
}

// RFC 7714 §16.1 and §17.1 (these vectors give session keys)
#[test]
fn gcm_gives_the_rfc_7714_packets() {
    let salt: [u8; 12] = hex("517569642070726f2071756f").try_into().unwrap();
    let cipher = Cipher::gcm(&hex("000102030405060708090a0b0c0d0e0f"), salt).unwrap();

    let plain = hex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
                     69736120 696e2070 61727465 73207472 6573");
    let mut packet = plain.clone();
    cipher.seal_rtp(Ssrc(0x5501_a0b2), 0xf17b, &mut packet, 12).unwrap();
    assert_eq!(
        packet,
        hex("8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
             42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce")
    );
    let len = cipher.open_rtp(Ssrc(0x5501_a0b2), 0xf17b, &mut packet, 12).unwrap();
    assert_eq!(packet[..len], plain);

    let plain = hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
                     deadbeef deadbeef deadbeef deadbeef deadbeef");
    let mut packet = plain.clone();
    cipher.seal_rtcp(Ssrc(0x4d61_7273), 0x5d4, &mut packet).unwrap();
    assert_eq!(
        packet,
        hex("81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
             730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4")
    );
    let len = cipher.open_rtcp(Ssrc(0x4d61_7273), 0x5d4, &mut packet).unwrap();
    assert_eq!(packet[..len], plain);
}

// The master key is RFC 3711 §B.3's; the packet is the one libsrtp publishes for it.
#[test]
fn aes_cm_gives_the_known_packet() {
    let (key, salt) = (hex("e1f97a0d3e018be0d64fa32c06de4139"), hex("0ec675ad498afeebb6960b3aabe6"));
    let mut sender = Outbound::new(Profile::Aes128CmHmacSha1_80, &key, &salt).unwrap();
    let mut receiver = Inbound::new(Profile::Aes128CmHmacSha1_80, &key, &salt).unwrap();
    let plain = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    let mut packet = sealed(&mut sender, &plain);
    assert_eq!(
        packet,
        hex("800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb")
    );
    assert_eq!(receiver.open_rtp(&mut packet).unwrap(), plain);
}

#[test]
fn an_exporter_keys_both_ends() {
    for profile in PROFILES {
        let exported: Vec<u8> = (0..).take(profile.exported_len()).collect();
        let (_, mut client) = pair(profile, DtlsRole::Client, &exported).unwrap();
        let (mut server, mut other) = pair(profile, DtlsRole::Server, &exported).unwrap();
        let plain = rtp(1, 1, b"hello");
        let mut packet = sealed(&mut client, &plain);
        assert_eq!(server.open_rtp(&mut packet).unwrap(), plain);
        // Each direction has keys of its own.
        let mut packet = sealed(&mut other, &plain);
        assert_eq!(server.open_rtp(&mut packet), Err(Refusal::Replayed));
        let mut packet = sealed(&mut other, &rtp(2, 1, b"hello"));
        assert_eq!(server.open_rtp(&mut packet), Err(Refusal::Unauthenticated));
        assert!(pair(profile, DtlsRole::Server, &exported[1..]).is_none());
    }
}

#[test]
fn a_packet_is_opened_once() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = ends(profile);
        let packet = sealed(&mut sender, &rtp(7, 500, b"once"));
        assert!(receiver.open_rtp(&mut packet.clone()).is_ok());
        assert_eq!(receiver.open_rtp(&mut packet.clone()), Err(Refusal::Replayed));

        let mut report = rtp(7, 1, &[0; 20]);
        report[1] = 200;
        sender.seal_rtcp(&mut report).unwrap();
        assert!(receiver.open_rtcp(&mut report.clone()).is_ok());
        assert_eq!(receiver.open_rtcp(&mut report.clone()), Err(Refusal::Replayed));
    }
}

#[test]
fn a_forged_packet_does_not_move_the_window() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = ends(profile);
        assert!(receiver.open_rtp(&mut sealed(&mut sender, &rtp(7, 1, b"a"))).is_ok());
        let mut forged = sealed(&mut sender, &rtp(7, 30_000, b"a"));
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(receiver.open_rtp(&mut forged), Err(Refusal::Unauthenticated));
        assert!(receiver.open_rtp(&mut sealed(&mut sender, &rtp(7, 2, b"b"))).is_ok());
    }
}

#[test]
fn one_more_ssrc_than_allowed_is_refused_and_the_others_go_on() {
    let (_, mut receiver) = ends(Profile::AeadAes128Gcm);
    for ssrc in 0..=64 {
        // A sender has the same limit, so each packet comes from a fresh one.
        let (mut sender, _) = ends(Profile::AeadAes128Gcm);
        let opened = receiver.open_rtp(&mut sealed(&mut sender, &rtp(ssrc, 1, b"x"))).is_ok();
        assert_eq!(opened, ssrc < 64, "SSRC {ssrc}");
    }
    let (mut sender, _) = ends(Profile::AeadAes128Gcm);
    assert!(receiver.open_rtp(&mut sealed(&mut sender, &rtp(0, 2, b"x"))).is_ok());
    let mut sender = sender;
    for ssrc in 1..64 {
        sender.seal_rtp(&mut rtp(ssrc, 1, b"x")).unwrap();
    }
    assert_eq!(sender.seal_rtp(&mut rtp(64, 1, b"x")), Err(Refusal::TooManySsrcs));
}

#[test]
fn srtcp_ends_with_its_last_number() {
    let (mut sender, _) = ends(Profile::AeadAes128Gcm);
    sender.next_srtcp_index = MAX_SRTCP_INDEX;
    assert_eq!(sender.seal_rtcp(&mut rtp(1, 1, b"")), Ok(()));
    assert_eq!(sender.seal_rtcp(&mut rtp(1, 1, b"")), Err(Refusal::KeyExhausted));
}

#[test]
fn every_length_and_first_byte_is_survived() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = ends(profile);
        for len in 0..64 {
            for first in 0..=255u8 {
                let mut packet = vec![0xff; len];
                if let Some(byte) = packet.first_mut() {
                    *byte = first;
                }
                assert!(receiver.open_rtp(&mut packet.clone()).is_err());
                assert!(receiver.open_rtcp(&mut packet.clone()).is_err());
                // Sealing what is no RTP leaves it as it was.
                let before = packet.clone();
                if sender.seal_rtp(&mut packet).is_err() {
                    assert_eq!(packet, before);
                }
            }
        }
    }
}

/// Header with any number of CSRCs and extension words, any payload.
fn any_rtp() -> impl Strategy<Value = Vec<u8>> {
    (
        0u8..16,
        prop::option::of(0u8..8),
        any::<(u8, u16, u32, u32)>(),
        prop::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(|(csrcs, extension, (pt, seq, time, ssrc), payload)| {
            let mut packet = vec![0x80 | csrcs | if extension.is_some() { 0x10 } else { 0 }, pt];
            packet.extend(seq.to_be_bytes());
            packet.extend(time.to_be_bytes());
            packet.extend(ssrc.to_be_bytes());
            packet.extend(vec![0x11; 4 * usize::from(csrcs)]);
            if let Some(words) = extension {
                packet.extend([0xbe, 0xde, 0, words]);
                packet.extend(vec![0x22; 4 * usize::from(words)]);
            }
            packet.extend(payload);
            packet
        })
}

fn any_profile() -> impl Strategy<Value = Profile> {
    prop::sample::select(PROFILES.to_vec())
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(profile in any_profile(), plain in any_rtp()) {
        let (mut sender, mut receiver) = ends(profile);
        let mut packet = sealed(&mut sender, &plain);
        prop_assert_eq!(packet.len(), plain.len() + profile.tag_len());
        prop_assert_eq!(receiver.open_rtp(&mut packet).unwrap(), &plain[..]);

        let mut packet = plain.clone();
        sender.seal_rtcp(&mut packet).unwrap();
        prop_assert_eq!(packet.len(), plain.len() + sender.rtcp_overhead());
        prop_assert_eq!(receiver.open_rtcp(&mut packet).unwrap(), &plain[..]);
    }

    /// Out of place, wherever the packet is cut, gives the bytes that in place gives.
    #[test]
    fn out_of_place_is_the_same(profile in any_profile(), plain in any_rtp(), cut in any::<prop::sample::Index>()) {
        let header = header::parse_rtp(&plain).unwrap().len;
        let cut = header + cut.index(plain.len() - header + 1);
        let (mut sender, mut other) = (ends(profile).0, ends(profile).0);
        let mut out = vec![0xaa; plain.len() + profile.tag_len() + 3];
        let len = other.seal_rtp_into(&plain[..cut], &plain[cut..], &mut out).unwrap();
        prop_assert_eq!(&out[..len], &sealed(&mut sender, &plain)[..]);
        prop_assert_eq!(&out[len..], &[0xaa; 3], "nothing behind it is touched");
        prop_assert_eq!(len, plain.len() + other.rtp_overhead());
        // Room for one byte less, and a head that is no header.
        let short = &mut out[..len - 1];
        prop_assert_eq!(other.seal_rtp_into(&plain[..cut], &plain[cut..], short), Err(Refusal::Malformed));
        prop_assert_eq!(other.seal_rtp_into(&plain[..header - 1], &[], &mut out), Err(Refusal::Malformed));
    }

    #[test]
    fn any_flipped_bit_is_refused(profile in any_profile(), plain in any_rtp(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (mut sender, mut receiver) = ends(profile);
        let mut packet = sealed(&mut sender, &plain);
        let at_rtp = at.index(packet.len());
        packet[at_rtp] ^= 1 << bit;
        prop_assert!(receiver.open_rtp(&mut packet).is_err());

        let mut packet = plain;
        sender.seal_rtcp(&mut packet).unwrap();
        let at_rtcp = at.index(packet.len());
        packet[at_rtcp] ^= 1 << bit;
        prop_assert!(receiver.open_rtcp(&mut packet).is_err());
    }

    #[test]
    fn the_roll_over_counter_follows_wraps_and_reordering(
        profile in any_profile(),
        first in 60_000u16..65_000,
        delays in prop::collection::vec(0usize..60, 1500),
    ) {
        let (mut sender, mut receiver) = ends(profile);
        // Steps of 7 cross the wrap; a packet arrives up to 60 places late, which is inside the window.
        let mut packets: Vec<(usize, Vec<u8>, Vec<u8>)> = (0u16..1500)
            .zip(&delays)
            .map(|(n, delay)| {
                let plain = rtp(1, first.wrapping_add(n.wrapping_mul(7)), &n.to_be_bytes());
                let arrival = if n == 0 { 0 } else { 1 + usize::from(n) + delay };
                (arrival, sealed(&mut sender, &plain), plain)
            })
            .collect();
        packets.sort_by_key(|(arrival, _, _)| *arrival);
        for (_, mut packet, plain) in packets {
            prop_assert_eq!(receiver.open_rtp(&mut packet).unwrap(), &plain[..]);
        }
    }

    #[test]
    fn arbitrary_bytes_are_survived(profile in any_profile(), mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (_, mut receiver) = ends(profile);
        prop_assert!(receiver.open_rtp(&mut bytes.clone()).is_err());
        prop_assert!(receiver.open_rtcp(&mut bytes).is_err());
    }
}
