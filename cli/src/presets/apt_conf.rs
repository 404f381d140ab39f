//! What does an apt.conf say? `Scope::Key "value";` and `Scope { Key "value"; };`, flattened.

use std::path::Path;

use super::error::{PresetError, What};
use super::settings::{Origin, Value};

/// Keys in lower case, and their values in the order written. Lists of values without keys are left out.
pub fn read(text: &str, path: &Path) -> Result<Vec<(String, Value)>, PresetError> {
    let mut reader = Reader { path, scopes: Vec::new(), words: Vec::new(), values: Vec::new() };
    for (line, token) in tokens(text, path)? {
        reader.token(line, token)?;
    }
    Ok(reader.values)
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

struct Reader<'a> {
    path: &'a Path,
    scopes: Vec<String>,
    words: Vec<String>,
    values: Vec<(String, Value)>,
}

impl Reader<'_> {
    fn token(&mut self, line: usize, token: Token) -> Result<(), PresetError> {
        let wrong = |what: &str| What::Syntax(what.to_owned()).at(Origin::File(self.path.to_owned(), Some(line)));
        match token {
            Token::Word(word) if word.eq_ignore_ascii_case("#include") => {
                return Err(wrong("`#include` is not followed"));
            }
            Token::Word(word) => self.words.push(word),
            Token::Open => {
                let scope = std::mem::take(&mut self.words).into_iter().next();
                self.scopes.push(scope.unwrap_or_default());
            }
            Token::Close => {
                self.statement(line);
                self.scopes.pop().ok_or_else(|| wrong("a `}` without its `{`"))?;
            }
            Token::End => self.statement(line),
        }
        Ok(())
    }

    fn statement(&mut self, line: usize) {
        let words = std::mem::take(&mut self.words);
        match words.as_slice() {
            [clear, key, ..] if clear.eq_ignore_ascii_case("#clear") => {
                let key = key.to_lowercase();
                self.values.push((key, self.value("", line)));
            }
            [key, value @ ..] if !value.is_empty() => {
                let scopes = self.scopes.iter().map(String::as_str);
                let key = scopes.chain([key.as_str()]).collect::<Vec<_>>().join("::").to_lowercase();
                self.values.push((key, self.value(&value.concat(), line)));
            }
            _ => {}
        }
    }

    fn value(&self, text: &str, line: usize) -> Value {
        Value { text: text.to_owned(), origin: Origin::File(self.path.to_owned(), Some(line)) }
    }
}

/// Words, with or without quotes, and what stands between them; comments are left out.
fn tokens(text: &str, path: &Path) -> Result<Vec<(usize, Token)>, PresetError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let wrong = |what: &str| What::Syntax(what.to_owned()).at(Origin::File(path.to_owned(), Some(line)));
        let (token, length) = match first {
            '{' => (Some(Token::Open), 1),
            '}' => (Some(Token::Close), 1),
            ';' => (Some(Token::End), 1),
            '"' => {
                let length = rest[1..].find('"').ok_or_else(|| wrong("a quote that is not closed"))?;
                (Some(Token::Word(rest[1..=length].to_owned())), length + 2)
            }
            '/' if rest.starts_with("/*") => (None, rest.find("*/").ok_or_else(|| wrong("a comment without end"))? + 2),
            _ if is_comment(rest) => (None, rest.find('\n').unwrap_or(rest.len())),
            space if space.is_whitespace() => (None, space.len_utf8()),
            _ => {
                let length = rest.find(|letter: char| letter.is_whitespace() || "{};\"".contains(letter));
                let length = length.unwrap_or(rest.len());
                (Some(Token::Word(rest[..length].to_owned())), length)
            }
        };
        tokens.extend(token.map(|token| (line, token)));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    Ok(tokens)
}

/// `#clear` and `#include` are none.
fn is_comment(rest: &str) -> bool {
    let directive = |name: &str| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    rest.starts_with("//") || rest.starts_with('#') && !directive("#clear") && !directive("#include")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let values = read(text, Path::new("apt.conf")).expect(text);
        values.into_iter().map(|(key, value)| (key, value.text)).collect()
    }

    #[test]
    fn scopes_are_flattened_and_comments_left_out() {
        let text = "// why\nAcquire::http::Proxy \"http://a.example:1\"; # why\n/* x\n */ APT { Get \"1\";\n Deep { Er true; }; };\n\
                    DPkg::Post-Invoke { \"rm -f /x; true\"; };\n#clear Acquire::http::Proxy;\n";
        let expected = [
            ("acquire::http::proxy", "http://a.example:1"),
            ("apt::get", "1"),
            ("apt::deep::er", "true"),
            ("acquire::http::proxy", ""),
        ];
        assert_eq!(values(text), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_not_closed_is_an_error() {
        for text in ["A \"b", "/* c", "}"] {
            assert!(read(text, Path::new("apt.conf")).is_err(), "{text}");
        }
    }
}
