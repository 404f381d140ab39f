//! Does `exec` enter under the same ids, as whomever it names?

use serde_json::json;

use crate::place::{Place, Whose};

#[test]
fn who_enters_is_whom_it_names_and_no_other_where_there_is_none() {
    let place = Place::loaded(&json!({ "User": "node" }));
    place.bottle(&["run", "-d", "--name", "one", "owners", "--", "sleep", "1000"]).ok();
    let exec = |user: &[&str], script: &str| {
        let words = [&["exec"], user, &["one", "--", "sh", "-c", script]].concat();
        place.bottle(&words)
    };
    let look = "id -u; id -g; cat /www/page >/dev/null 2>&1 && echo page; cat ~/set >/dev/null 2>&1 && echo home; true";
    assert_eq!(exec(&[], "id -u; id -g; cat ~/set").ok(), "1000\n1000\nset\n");
    assert_eq!(exec(&["-u", "node"], "id -u; id -g").ok(), "1000\n1000\n");
    assert!(exec(&["-u", "nobody-of-the-image"], "id").refused().contains("no user \"nobody-of-the-image\""));
    let other = exec(&["-u", "www"], look);
    match place.whose() {
        Whose::Callers => {
            assert!(other.refused().contains("the bottle has no such user"), "{other:?}");
        }
        Whose::Range | Whose::Nobodys => {
            assert_eq!(other.ok(), "33\n34\npage\n");
            assert_eq!(exec(&["-u", "33:1000"], "id -u; id -g").ok(), "33\n1000\n");
            // What the command writes into the bottle's own passwd makes nobody of it.
            exec(&["-u", "0"], "echo evil:x:0:0::/:/bin/sh >> /etc/passwd").ok();
            assert!(exec(&["-u", "evil"], "id").refused().contains("no user \"evil\""));
            assert_eq!(exec(&["-u", "0:0"], "id -u; touch /made; stat -c %u /made").ok(), "0\n0\n");
            assert!(exec(&["-u", "65536:0"], "id -u").refused().contains("no such user"));
        }
    }
    place.bottle(&["stop", "-t", "0", "one"]);
    place.bottle(&["rm", "-f", "one"]);
}
