//! Any sequence of operations, in any state: the story the events tell is true and complete.

use control_api::{LegEnd, Liveness};
use proptest::prelude::*;

use crate::play::{METHODS, Op, run};

fn any_op() -> impl Strategy<Value = Op> {
    let who = 0..5_usize;
    let call = 0..3_u8;
    let leg = 0..20_u64;
    let liveness = prop_oneof![
        Just(Liveness::Alive),
        Just(Liveness::Stale),
        Just(Liveness::Silent),
        Just(Liveness::Gone)
    ];
    let why = prop_oneof![Just(LegEnd::PeerClosed), Just(LegEnd::NeverConnected), Just(LegEnd::Refused)];
    prop_oneof![
        5 => (who.clone(), call.clone(), 0..2_u8).prop_map(|(who, call, page)| Op::Invite { who, call, page }),
        1 => (who.clone(), call.clone()).prop_map(|(who, call)| Op::Bye { who, call }),
        1 => (who.clone(), call.clone()).prop_map(|(who, call)| Op::Update { who, call }),
        1 => (who.clone(), call.clone(), any::<bool>()).prop_map(|(who, call, held)| Op::Hold { who, call, held }),
        1 => who.clone().prop_map(|who| Op::LoseSocket { who }),
        1 => who.clone().prop_map(|who| Op::Reconnect { who }),
        3 => (who.clone(), 0..METHODS.len(), 0..5_usize).prop_map(|(who, name, target)| Op::Method { who, name, target }),
        2 => (who.clone(), call.clone(), any::<bool>()).prop_map(|(who, call, screen)| Op::Share { who, call, screen }),
        3 => (who.clone(), 0..4_usize, any::<bool>()).prop_map(|(who, target, up)| Op::Turn { who, target, up }),
        6 => leg.clone().prop_map(|leg| Op::Answer { leg }),
        3 => leg.clone().prop_map(|leg| Op::Connect { leg }),
        1 => (leg.clone(), liveness).prop_map(|(leg, liveness)| Op::Heard { leg, liveness }),
        1 => (leg, why).prop_map(|(leg, why)| Op::End { leg, why }),
        1 => (0..4_usize, any::<bool>()).prop_map(|(target, talking)| Op::Talk { target, talking }),
        2 => (0..20_000_u64).prop_map(|ms| Op::Pass { ms }),
        1 => Just(Op::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn the_events_tell_what_happened(answers in any::<bool>(), ops in prop::collection::vec(any_op(), 1..80)) {
        run(answers, ops);
    }
}
