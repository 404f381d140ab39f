//! Which hooks run after ours? Each could change what was attested. Ours is one, at a stage where nothing but its own arguments and the
//! engine's word decide what it does; before it others may run, and after the container's end.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Refusal;
use super::configuration::{Configuration, Hook};

/// In the order in which engines run them; `poststop` comes after the end.
const STAGES: [&str; 5] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"];
/// Those at which ours works: in the engine's namespaces, before the container's first instruction.
const OURS: usize = 2;

/// By which this program is itself.
const NAME: &str = "bottle";

/// `program` is bottle's own, by which its hook is told from others.
pub(super) fn refused(configuration: &Configuration, program: &Path) -> Vec<Refusal> {
    let hooks = configuration.written.hooks.iter();
    let of = |stage: &str| hooks.clone().filter_map(|all| all.get(stage)).flatten().flatten().collect::<Vec<&Hook>>();
    let in_order: Vec<(usize, &Hook)> =
        STAGES.iter().enumerate().flat_map(|(at, stage)| of(stage).into_iter().map(move |hook| (at, hook))).collect();
    // The first counts: what a second one does, nobody who has asked the first can tell.
    match in_order.iter().position(|(at, hook)| *at < OURS && is_ours(hook, program)) {
        None => vec![Refusal::NoHook],
        Some(ours) => in_order[ours + 1..].iter().map(|(_, hook)| Refusal::LaterHook(hook.path.clone())).collect(),
    }
}

fn is_ours(hook: &Hook, program: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let words: Vec<&str> = hook.args.iter().flatten().map(String::as_str).collect();
    creates(&words) && identity(&hook.path).is_some_and(|file| Some(file) == identity(program))
}

/// Whether these arguments have it judge the container: `--help` has it do nothing, and succeed, and by another name it is another program.
fn creates(words: &[&str]) -> bool {
    let [name, "hook", "create", options @ ..] = words else { return false };
    if Path::new(name).file_name() != Some(NAME.as_ref()) {
        return false;
    }
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let known = match *option {
            "--joins" => true,
            "--settings" => options.next().is_some(),
            other => other.starts_with("--settings="),
        };
        if !known {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::refusals::tests::{PROGRAM, good, refused};
    use super::super::{Exception, Refusal};

    fn other() -> Value {
        json!({"path": "/bin/other"})
    }

    fn ours(more: &[&str]) -> Value {
        let args = [&["bottle", "hook", "create"], more].concat();
        json!({"path": PROGRAM, "args": args})
    }

    #[test]
    fn a_hook_that_runs_after_ours_is_refused_and_one_before_is_not() {
        let mut hooked = good();
        hooked["hooks"]["prestart"] = json!([other()]);
        hooked["hooks"]["createRuntime"].as_array_mut().unwrap().insert(0, other());
        hooked["hooks"]["poststop"] = json!([other()]);
        assert_eq!(refused(&hooked, &[]), []);
        for stage in ["createRuntime", "createContainer", "startContainer", "poststart"] {
            let mut later = hooked.clone();
            let hooks = later["hooks"].as_object_mut().unwrap();
            let stage = hooks.entry(stage).or_insert_with(|| json!([]));
            stage.as_array_mut().unwrap().push(other());
            assert_eq!(refused(&later, &[]), [Refusal::LaterHook("/bin/other".into())]);
            assert_eq!(refused(&later, &[Exception::LaterHooks]), []);
        }
    }

    #[test]
    fn a_second_hook_of_ours_hides_none_between_the_two_and_is_refused_itself() {
        let mut twice = good();
        twice["hooks"] = json!({"createRuntime": [ours(&[]), other()], "startContainer": [ours(&[])]});
        let later = ["/bin/other", PROGRAM].map(|path| Refusal::LaterHook(path.into()));
        assert_eq!(refused(&twice, &[]), later);
    }

    #[test]
    fn a_hook_of_ours_that_judges_nothing_or_comes_too_late_is_none() {
        for args in [&["--help"][..], &["--settings"], &["--settings", "a", "--help"], &["--joins", "x"]] {
            let mut idle = good();
            idle["hooks"] = json!({"createRuntime": [ours(args)]});
            assert_eq!(refused(&idle, &[]), [Refusal::NoHook], "{args:?}");
        }
        for args in [&["--settings", "/s.json"][..], &["--settings=/s.json"], &["--joins", "--settings", "/s.json"]] {
            let mut told = good();
            told["hooks"] = json!({"createRuntime": [ours(args)]});
            assert_eq!(refused(&told, &[]), [], "{args:?}");
        }
        let mut other = good();
        other["hooks"]["createRuntime"][0]["args"][0] = json!("bottle-oci");
        assert_eq!(refused(&other, &[]), [Refusal::NoHook]);
        for stage in ["createContainer", "startContainer", "poststart", "poststop"] {
            let mut late = good();
            late["hooks"] = json!({stage: [ours(&[])]});
            assert_eq!(refused(&late, &[]), [Refusal::NoHook], "{stage}");
        }
        let mut unnamed = good();
        unnamed["hooks"] = Value::Null;
        assert_eq!(refused(&unnamed, &[]), [Refusal::NoHook]);
    }
}
