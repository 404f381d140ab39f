//! What comes back when a command ends?

use bottle_runtime::init::message::End;

use crate::harness::Claim;
use crate::supervisor::{World, as_ordinary_user, world};

pub(crate) const CLAIMS: &[Claim] = &[
    ("the_exit_code_passes_through", || exit_codes(&world())),
    ("the_exit_code_passes_through_for_an_ordinary_user", || exit_codes(&as_ordinary_user())),
];

fn exit_codes(world: &World) {
    assert_eq!(world.shell("echo hello"), "hello\n");
    assert_eq!(world.run(&["true"]).end, Some(End::Code(0)));
    assert_eq!(world.run(&["sh", "-c", "exit 7"]).end, Some(End::Code(7)));
    let killed = world.run(&["sh", "-c", "kill -TERM $$"]);
    assert_eq!(killed.end.unwrap().exit_code(), 128 + 15);
    let missing = world.run(&["no-such-program"]).failure.unwrap();
    assert_eq!(missing.code, 127, "{missing}");
    std::fs::write(world.path().join("text"), "words").unwrap();
    let text = world.run(&["./text"]).failure.unwrap();
    assert_eq!(text.code, 126, "{text}");
}
