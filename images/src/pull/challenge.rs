//! How does a registry want to be told who one is? The WWW-Authenticate header, RFC 9110 and docker's tokens.

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A name and a password with each request.
    Basic,
    /// A token, which is given at `realm`.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// The first challenge that is understood, a token before a password.
pub(crate) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let challenges: Vec<Challenge> = headers.flat_map(all).collect();
    let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(challenges.first()).cloned()
}

fn all(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut current: Option<(String, Vec<(String, String)>)> = None;
    for word in words(header) {
        match word {
            Word::Scheme(scheme) => {
                found.extend(current.take().and_then(challenge));
                current = Some((scheme, Vec::new()));
            }
            Word::Parameter(name, value) => {
                if let Some((_, parameters)) = &mut current {
                    parameters.push((name, value));
                }
            }
        }
    }
    found.extend(current.and_then(challenge));
    found
}

fn challenge((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let value = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => {
            Some(Challenge::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") })
        }
        _ => None,
    }
}

enum Word {
    Scheme(String),
    Parameter(String, String),
}

/// Schemes and parameters in order; what is neither is passed over.
fn words(header: &str) -> Vec<Word> {
    let (mut rest, mut words) = (header, Vec::new());
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        if rest.is_empty() {
            return words;
        }
        let name = rest[..end].to_ascii_lowercase();
        rest = &rest[end..];
        match rest.strip_prefix('=') {
            Some(value) => {
                let (value, after) = value_of(value);
                words.push(Word::Parameter(name, value));
                rest = after;
            }
            None => words.push(Word::Scheme(name)),
        }
    }
}

/// A word, or what stands in quotes, and what follows.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, letter) in quoted.char_indices() {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (value, &quoted[at + 1..]),
            letter => {
                value.push(letter);
                escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_and_passwords_are_asked_for() {
        let header = r#"Bearer realm="https://auth.example/token",service="a, b",scope="repository:x:pull""#;
        let Some(Challenge::Bearer { realm, service, scope }) = parse([header].into_iter()) else { panic!() };
        assert_eq!((realm.as_str(), service.as_deref()), ("https://auth.example/token", Some("a, b")));
        assert_eq!(scope.as_deref(), Some("repository:x:pull"));
        assert_eq!(parse([r#"basic realm="x""#].into_iter()), Some(Challenge::Basic));
        let both = r#"Basic realm="x", Bearer realm="y""#;
        assert!(matches!(parse([both].into_iter()), Some(Challenge::Bearer { .. })));
        assert_eq!(parse(["Negotiate", "Bearer service=x"].into_iter()), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_its_end(header in ".{0,80}") {
            let _ = parse([header.as_str()].into_iter());
        }
    }
}
