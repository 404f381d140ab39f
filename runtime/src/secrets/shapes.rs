//! What looks like a token, whoever gave it? By how the kinds begin that are in wide use.

/// How a token begins, and how many letters follow at least.
const TOKENS: [(&str, usize); 18] = [
    ("sk-", 20),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("npm_", 30),
    ("pypi-", 30),
    ("hf_", 20),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
];

/// What stands before a token that has no shape of its own, and how long it is at least.
const ANNOUNCED: [(&str, usize); 2] = [("bearer ", 16), ("basic ", 12)];

/// The text with what `mark` says in place of each token.
pub(super) fn redact(text: &str, mark: impl Fn(&str) -> String) -> String {
    let (mut shown, mut rest, mut before) = (String::new(), text, None);
    while let Some(letter) = rest.chars().next() {
        let (kept, length) = token(rest, before).unwrap_or((letter.len_utf8(), 0));
        let (clear, after) = rest.split_at(kept);
        let (token, after) = after.split_at(length);
        shown.push_str(clear);
        if length > 0 {
            shown.push_str(&mark(token));
        }
        before = rest[..kept + length].chars().next_back();
        rest = after;
    }
    shown
}

/// After how much, and how long, there is a token here.
fn token(text: &str, before: Option<char>) -> Option<(usize, usize)> {
    if text.starts_with("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Some((0, text.len()));
    }
    if let Some(rest) = text.strip_prefix("://") {
        let authority = rest.find(['/', '?', '#', ' ', '\'', '"']).map_or(rest, |end| &rest[..end]);
        let credentials = authority.rfind('@').filter(|end| authority[..*end].contains(':'))?;
        return Some((3, credentials));
    }
    // In the middle of a word there is none.
    if before.is_some_and(|before| before.is_ascii_alphanumeric()) {
        return None;
    }
    let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    if let Some((prefix, least)) = ANNOUNCED.iter().find(|(prefix, _)| begins(prefix)) {
        let length = run(&text[prefix.len()..], "-_.~+/=");
        return (length >= *least).then_some((prefix.len(), length));
    }
    if text.starts_with("eyJ") {
        let length = run(text, "-_.");
        return (length >= 36 && text[..length].contains('.')).then_some((0, length));
    }
    let (prefix, least) = TOKENS.iter().find(|(prefix, _)| text.starts_with(prefix))?;
    let length = run(&text[prefix.len()..], "-_");
    (length >= *least).then_some((0, prefix.len() + length))
}

/// How many letters, digits and these there are.
fn run(text: &str, others: &str) -> usize {
    text.find(|letter: char| !letter.is_ascii_alphanumeric() && !others.contains(letter)).unwrap_or(text.len())
}
