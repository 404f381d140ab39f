//! Who is the workload, and which variables does it get?

use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::plan::User;
use crate::resolve::ResolveError;
use crate::volume::clean;

/// What is taken over from the caller of the `host` image, with every `LC_*`. Tokens live in other variables.
const TAKEN: [&str; 4] = ["LANG", "TERM", "TZ", "PATH"];

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The caller as passwd would list it.
pub(crate) fn user(context: &Context, home: PathBuf) -> User {
    let shell = context.variables.get("SHELL").map_or("/bin/sh", String::as_str);
    // A name with a colon or a newline would make another entry of the generated file.
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name = if !context.name.is_empty() && context.name.chars().all(plain) { context.name.as_str() } else { "user" };
    User { uid: context.uid, gid: context.gid, name: name.to_owned(), home, shell: shell.into() }
}

/// Refuses `-u` where there is only the caller, unless it says who that is: `UID` or `UID:GID`.
pub(crate) fn nobody_else(context: &Context, user: &User) -> Result<(), ResolveError> {
    let is_caller = |asked: &str| {
        let (uid, gid) = asked.split_once(':').map_or((asked, None), |(uid, gid)| (uid, Some(gid)));
        uid.parse() == Ok(user.uid) && gid.is_none_or(|gid| gid.parse() == Ok(user.gid))
    };
    match &context.user {
        Some(asked) if !is_caller(asked) => {
            Err(ResolveError::OnlyCaller { asked: asked.clone(), uid: user.uid, gid: user.gid })
        }
        _ => Ok(()),
    }
}

/// The environment of the `host` image.
pub(crate) fn host(context: &Context, user: &User) -> Vec<(String, String)> {
    let taken = |name: &str| TAKEN.contains(&name) || name.starts_with("LC_");
    let mut env: Vec<_> = context.variables.clone().into_iter().filter(|(name, _)| taken(name)).collect();
    set(&mut env, "SHELL", &user.shell.to_string_lossy());
    finish(env, context, user)
}

/// The environment of an image that has programs of its own.
pub(crate) fn foreign(context: &Context, user: &User) -> Vec<(String, String)> {
    let term = context.variables.get("TERM").cloned();
    finish(term.map(|term| ("TERM".to_owned(), term)).into_iter().collect(), context, user)
}

/// The environment of an image that says which variables it wants.
pub(crate) fn image(context: &Context, user: &User, wanted: &[(String, String)]) -> Vec<(String, String)> {
    let term = context.variables.get("TERM").cloned();
    let mut env: Vec<_> = term.map(|term| ("TERM".to_owned(), term)).into_iter().collect();
    for (name, value) in wanted {
        set(&mut env, name, value);
    }
    let home = wanted.iter().find(|(name, _)| name == "HOME").map(|(_, home)| home.clone());
    let mut env = finish(env, context, user);
    if let Some(home) = home.filter(|_| !context.env.iter().any(|(name, _)| name == "HOME")) {
        set(&mut env, "HOME", &home);
    }
    env
}

fn finish(mut env: Vec<(String, String)>, context: &Context, user: &User) -> Vec<(String, String)> {
    if !env.iter().any(|(name, _)| name == "PATH") {
        set(&mut env, "PATH", PATH);
    }
    set(&mut env, "HOME", &user.home.to_string_lossy());
    set(&mut env, "USER", &user.name);
    for (name, value) in &context.env {
        set(&mut env, name, value);
    }
    env
}

fn set(env: &mut Vec<(String, String)>, name: &str, value: &str) {
    env.retain(|(known, _)| known != name);
    env.push((name.to_owned(), value.to_owned()));
}

/// What `-w` says, or else the default.
pub(crate) fn workdir(context: &Context, default: &Path) -> Result<PathBuf, ResolveError> {
    match &context.workdir {
        None => Ok(default.to_owned()),
        Some(path) if path == Path::new("/") => Ok(path.clone()),
        Some(path) => clean(path).ok_or_else(|| ResolveError::Workdir { path: path.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let mut context = Context::new(1000, 1000, "dev", Path::new("/home/dev"), Path::new("/home/dev/p"));
        let variables = [("PATH", "/x"), ("LC_ALL", "C"), ("GITHUB_TOKEN", "secret"), ("SSH_AUTH_SOCK", "/s")];
        context.variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        context
    }

    #[test]
    fn tokens_and_agents_stay_outside() {
        let context = context();
        let env = host(&context, &user(&context, context.home.clone()));
        let names: Vec<&str> = env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["LC_ALL", "PATH", "SHELL", "HOME", "USER"]);
    }

    #[test]
    fn the_caller_may_set_anything_and_the_last_one_counts() {
        let mut context = context();
        context.env = vec![("A".into(), "1".into()), ("A".into(), "2".into()), ("HOME".into(), "/h".into())];
        let env = host(&context, &user(&context, context.home.clone()));
        assert!(env.contains(&("A".into(), "2".into())) && env.contains(&("HOME".into(), "/h".into())));
        assert_eq!(env.iter().filter(|(name, _)| name == "A").count(), 1);
    }

    #[test]
    fn a_name_can_not_add_an_entry_to_passwd() {
        let mut context = context();
        context.name = "x:0:0\nroot".into();
        assert_eq!(user(&context, "/h".into()).name, "user");
    }
}
