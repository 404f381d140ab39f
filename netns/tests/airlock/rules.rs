//! Are the rules in the kernel those of the model?

use bottle_netns::ruleset::ruleset;
use bottle_netns::survey::{rules, survey};
use bottle_netns::{Side, build};
use nftables::schema::{NfObject, Nftables};

use crate::harness::Test;
use crate::lab::{airlock, layout};
use crate::tools::{run_in, run_with};

pub(crate) const TESTS: &[Test] = &[
    ("the_real_nft_makes_of_the_model_what_our_encoding_makes", like_nft),
    ("the_kernel_holds_what_the_model_encodes", as_encoded),
    ("the_model_is_read_by_the_real_nft_as_it_was_written", printed_by_nft),
    ("a_model_is_loaded_as_a_whole_or_not_at_all", all_or_nothing),
    ("connections_are_not_tracked", untracked),
];

fn like_nft() {
    let airlock = airlock();
    let ours = survey(&airlock).unwrap();
    for side in Side::BOTH {
        run_in(&airlock, side, "nft flush ruleset");
        run_with("nft -j -f -", &serde_json::to_string(&ruleset(&layout(), side)).unwrap());
    }
    let theirs = survey(&airlock).unwrap();
    for side in Side::BOTH {
        let (ours, theirs) = (&ours.of(side).state.ruleset, &theirs.of(side).state.ruleset);
        for (ours, theirs) in ours.rules.iter().zip(&theirs.rules) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(ours, theirs);
    }
    assert_eq!((&ours.agent.state, &ours.gate.state), (&theirs.agent.state, &theirs.gate.state));
}

fn as_encoded() {
    let survey = survey(&airlock()).unwrap();
    for side in Side::BOTH {
        assert_eq!(rules::expected(&ruleset(&layout(), side)).unwrap(), survey.of(side).state.ruleset);
    }
}

fn printed_by_nft() {
    let airlock = airlock();
    for (side, lines) in [
        (Side::Agent, &["type filter hook output priority filter; policy drop;"][..]),
        (
            Side::Gate,
            &[
                "type filter hook ingress device \"g0\" priority filter; policy drop;",
                "type filter hook prerouting priority mangle; policy drop;",
                "tproxy ip to 127.0.0.1:15001",
                "tproxy ip6 to [::1]:15001",
                "limit rate over 5000/second burst 20000 packets",
                "reject with tcp reset",
                "reject with icmpx admin-prohibited",
            ],
        ),
    ] {
        let printed = run_in(&airlock, side, "nft list ruleset");
        for line in lines {
            assert!(printed.contains(line), "{line:?} is not in\n{printed}");
        }
    }
}

fn all_or_nothing() {
    let airlock = airlock();
    let before = survey(&airlock).unwrap();
    // Without one of its chains, the model fails in the middle.
    let whole = ruleset(&layout(), Side::Agent);
    let is_chain = |object: &NfObject<'_>| serde_json::to_string(object).unwrap().contains(r#""name":"prohibit""#);
    let objects: Vec<_> = whole.objects.iter().filter(|object| !is_chain(object)).cloned().collect();
    assert_eq!(objects.len() + 1, whole.objects.len());
    let mut broken = serde_json::to_string(&Nftables { objects: objects.into() }).unwrap();
    broken = broken.replace(r#""bottle""#, r#""other""#);
    let error = build::load(&airlock.desks.agent, Side::Agent, &serde_json::from_str(&broken).unwrap()).unwrap_err();
    assert!(matches!(&error, build::BuildError::Rule { entry, .. } if entry.contains("prohibit")), "{error}");
    assert_eq!(survey(&airlock).unwrap().agent.state, before.agent.state);
}

fn untracked() {
    let airlock = airlock();
    for side in Side::BOTH {
        let printed = run_in(&airlock, side, "nft list ruleset");
        assert!(!printed.contains(" ct "), "{printed}");
        assert!(!printed.contains("related"), "{printed}");
    }
}
