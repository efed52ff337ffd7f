//! What is written is read; what cannot be is refused.

use proptest::prelude::*;

use super::*;

fn indications(symbols: &str) -> Few<Indication, MAX_TARGETS> {
    let one = |symbol| match symbol {
        'D' => Indication::Discardable,
        'S' => Indication::Switch,
        'R' => Indication::Required,
        _ => Indication::NotPresent,
    };
    symbols.chars().map(one).collect()
}

fn template(layer: (u8, u8), symbols: &str, references: &[u16], chains: &[u8]) -> Frame {
    Frame {
        spatial_id: layer.0,
        temporal_id: layer.1,
        indications: indications(symbols),
        references: references.iter().copied().collect(),
        chains: chains.iter().copied().collect(),
    }
}

/// One spatial, two temporal layers, as an encoder describes them.
fn one_by_two() -> Structure {
    Structure {
        template_id_offset: 60,
        decode_targets: 2,
        templates: vec![
            template((0, 0), "SS", &[], &[0]),
            template((0, 0), "SS", &[2], &[2]),
            template((0, 1), "-D", &[1], &[1]),
        ],
        protected_by: [0, 0].into_iter().collect(),
        chains: 1,
        resolutions: [Resolution { width_minus_1: 639, height_minus_1: 359 }].into_iter().collect(),
    }
}

fn descriptor(template_id: u8, frame_number: u16, frame: Frame) -> Descriptor {
    Descriptor {
        begins_frame: true,
        ends_frame: true,
        template_id,
        frame_number,
        structure: None,
        active: None,
        frame,
    }
}

#[test]
fn bits_stand_where_the_syntax_puts_them() {
    let structure = one_by_two();
    let mut key = descriptor(60, 0x1234, structure.templates[0]);
    key.structure = Some(Arc::new(structure.clone()));
    let mut bytes = Vec::new();
    assert!(key.write(None, &mut bytes));
    // 1 1 111100 │ number │ 1 0 0 0 0 │ 111100 00001 │ layers 00 01 11 │ indications 1010 1010 0001
    // │ references 0  1 0001 0  1 0000 0 │ chains: ns(3) of 1 = 10; ns(1) nothing; 0000 0010 0001 │ 1 │ 639 359
    let bits = "11111100 00010010 00110100 10000 111100 00001 00 01 11 1010 1010 0001 0 100010 100000 \
                10 0000 0010 0001 1 0000001001111111 0000000101100111";
    let bits: Vec<u8> = bits.bytes().filter(|bit| *bit != b' ').map(|bit| bit - b'0').collect();
    let expected: Vec<u8> = bits
        .chunks(8)
        .map(|chunk| chunk.iter().chain(&[0; 8]).take(8).fold(0, |byte, bit| byte << 1 | bit))
        .collect();
    assert_eq!(bytes, expected);

    let read = Descriptor::parse(&bytes, None).unwrap();
    assert_eq!(read, key);
    assert!(read.is_key_frame());
    assert_eq!(structure.layer_of(0), (0, 0));
    assert_eq!(structure.layer_of(1), (0, 1));
    assert_eq!(structure.size_of(0), Some(Size { width: 640, height: 360 }));
    assert_eq!(structure.size_of(1), None);
}

#[test]
fn most_packets_take_three_bytes_and_ids_wrap() {
    let structure = one_by_two();
    let delta = descriptor(62, 7, structure.templates[2]);
    let mut bytes = Vec::new();
    assert!(delta.write(Some(&structure), &mut bytes));
    assert_eq!(bytes.len(), 3);
    assert_eq!(Descriptor::parse(&bytes, Some(&structure)), Ok(delta));

    let wrapped = Structure { template_id_offset: 63, ..structure };
    let mut bytes = Vec::new();
    assert!(descriptor(1, 8, wrapped.templates[2]).write(Some(&wrapped), &mut bytes));
    let read = Descriptor::parse(&bytes, Some(&wrapped)).unwrap();
    assert_eq!((read.template_id, read.frame), (1, wrapped.templates[2]));
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let structure = one_by_two();
    let mut bytes = Vec::new();
    assert!(descriptor(61, 7, structure.templates[1]).write(Some(&structure), &mut bytes));
    assert_eq!(Descriptor::parse(&bytes, None), Err(Unreadable::NoStructure));
    // A template beyond the last: the structure that has it was lost.
    bytes[0] = 0xc0 | 63;
    assert_eq!(Descriptor::parse(&bytes, Some(&structure)), Err(Unreadable::NoStructure));
    assert_eq!(Descriptor::parse(&bytes[..2], Some(&structure)), Err(Unreadable::Malformed));
    // Own references announced, and nothing there.
    assert_eq!(Descriptor::parse(&[0xc0 | 60, 0, 1, 0x12], Some(&structure)), Err(Unreadable::Malformed));
    // 65 templates.
    let endless = [&[0xc0, 0, 1, 0x80][..], &[0; 60]].concat();
    assert_eq!(Descriptor::parse(&endless, None), Err(Unreadable::Malformed));
}

#[test]
fn packets_of_the_sequence_before_are_still_read() {
    let old = one_by_two();
    let new = Structure { template_id_offset: 10, ..old.clone() };
    let written = |template_id, frame, known: &Structure, attach: bool| {
        let mut packet = descriptor(template_id, 1, frame);
        packet.structure = attach.then(|| Arc::new(known.clone()));
        let mut bytes = Vec::new();
        assert!(packet.write(Some(known), &mut bytes));
        bytes
    };
    let mut tracker = Tracker::default();
    let late = written(62, old.templates[2], &old, false);
    assert_eq!(tracker.read(&late).unwrap_err(), Unreadable::NoStructure);
    assert_eq!(*tracker.read(&written(60, old.templates[0], &old, true)).unwrap().1, old);
    assert_eq!(*tracker.read(&written(10, new.templates[0], &new, true)).unwrap().1, new);
    // Again, as when the packet is repeated: nothing is forgotten for it.
    assert_eq!(*tracker.read(&written(10, new.templates[0], &new, true)).unwrap().1, new);
    assert_eq!(*tracker.read(&written(12, new.templates[2], &new, false)).unwrap().1, new);
    assert_eq!(*tracker.read(&late).unwrap().1, old);
}

#[test]
fn what_has_no_place_is_not_written() {
    let structure = one_by_two();
    let refused = |descriptor: &Descriptor, known: Option<&Structure>| {
        let mut out = vec![1, 2, 3];
        assert!(!descriptor.write(known, &mut out), "{descriptor:?}");
        assert_eq!(out, [1, 2, 3]);
    };
    refused(&descriptor(60, 1, structure.templates[0]), None);
    refused(&descriptor(63, 1, structure.templates[0]), Some(&structure));
    let far = template((0, 0), "SS", &[5000], &[2]);
    refused(&descriptor(61, 1, far), Some(&structure));
    let mut disorderly = structure.clone();
    disorderly.templates.swap(0, 2);
    let mut key = descriptor(60, 1, disorderly.templates[0]);
    key.structure = Some(Arc::new(disorderly));
    refused(&key, None);
}

prop_compose! {
    fn structures()(
        template_id_offset in 0_u8..64,
        targets in 1_u8..=6,
        steps in prop::collection::vec(0_u8..3, 0..12),
        chains in 0_u8..=6,
        sized: bool,
        values in prop::collection::vec((any::<[u8; 6]>(), prop::collection::vec(1_u16..=16, 0..4), any::<[u8; 6]>()), 12),
        protected in any::<[u8; 6]>(),
        sides in any::<[u16; 8]>(),
    ) -> Structure {
        let chains = chains.min(targets);
        let mut layers = vec![(0, 0)];
        for step in steps {
            let (spatial, temporal) = *layers.last().unwrap();
            let next = match step {
                1 if temporal < 7 => (spatial, temporal + 1),
                2 if spatial < 3 => (spatial + 1, 0),
                _ => (spatial, temporal),
            };
            layers.push(next);
        }
        let templates: Vec<Frame> = layers.iter().zip(&values).map(|(layer, (dtis, references, diffs))| Frame {
            spatial_id: layer.0,
            temporal_id: layer.1,
            indications: dtis.iter().take(targets.into()).map(|bits| Indication::of(*bits)).collect(),
            references: references.iter().copied().collect(),
            chains: diffs.iter().take(chains.into()).map(|diff| diff % 16).collect(),
        }).collect();
        let layers = usize::from(templates.last().unwrap().spatial_id) + 1;
        let resolution = |sides: &[u16]| Resolution { width_minus_1: sides[0], height_minus_1: sides[1] };
        Structure {
            template_id_offset,
            decode_targets: targets,
            templates,
            protected_by: protected.iter().take(if chains == 0 { 0 } else { targets.into() }).map(|chain| chain % chains).collect(),
            chains,
            resolutions: if sized { sides.chunks(2).take(layers).map(resolution).collect() } else { Few::default() },
        }
    }
}

proptest! {
    /// With a structure and without, with values of its own and without.
    #[test]
    fn what_is_written_is_read(
        structure in structures(),
        which: prop::sample::Index, attached: bool, ends: (bool, bool), frame_number: u16, active: Option<u32>,
        own: (bool, bool, bool), dtis: [u8; 6], references in prop::collection::vec(1_u16..=4096, 0..=8), diffs: [u8; 6],
    ) {
        let index = which.index(structure.templates.len());
        let mut frame = structure.templates[index];
        if own.0 {
            frame.indications = dtis.iter().take(structure.decode_targets.into()).map(|bits| Indication::of(*bits)).collect();
        }
        if own.1 {
            frame.references = references.into_iter().collect();
        }
        if own.2 {
            frame.chains = diffs.iter().take(structure.chains.into()).copied().collect();
        }
        let written = Descriptor {
            begins_frame: ends.0,
            ends_frame: ends.1,
            template_id: (structure.template_id_offset + u8::try_from(index).unwrap()) & 0x3f,
            frame_number,
            structure: attached.then(|| Arc::new(structure.clone())),
            active: active.map(|bits| Targets(bits & Targets::first(structure.decode_targets).0)),
            frame,
        };
        let mut bytes = vec![9];
        prop_assert!(written.write(Some(&structure), &mut bytes));
        let known = (!attached).then_some(&structure);
        prop_assert_eq!(Descriptor::parse(&bytes[1..], known), Ok(written.clone()));
        // Every byte is needed; three alone would be a packet without anything of its own.
        for cut in MANDATORY + 1..bytes.len() - 1 {
            prop_assert_eq!(Descriptor::parse(&bytes[1..=cut], known), Err(Unreadable::Malformed));
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic_and_come_back(
        bytes in prop::collection::vec(any::<u8>(), 0..80), structure in structures(),
    ) {
        for known in [None, Some(&structure)] {
            let Ok(read) = Descriptor::parse(&bytes, known) else { continue };
            let mut again = Vec::new();
            prop_assert!(read.write(known, &mut again), "{:?}", read);
            prop_assert_eq!(Descriptor::parse(&again, known), Ok(read));
            prop_assert!(again.len() <= bytes.len());
        }
    }
}
