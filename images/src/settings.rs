//! Which paths do git's settings name that lead to something executed? Read as git reads them.
//!
//! Where git would refuse the whole file, the rest is read all the same: what git does not obey may be named here, but
//! not the other way round.

/// The paths in one file of settings, as they stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// `core.hooksPath`: directories of hooks.
    pub hooks: Vec<String>,
    /// `include.path` and `includeIf.….path`: further files of settings.
    pub settings: Vec<String>,
    /// `core.worktree`: where the work tree lies.
    pub work_trees: Vec<String>,
}

/// Reads one file of settings.
pub fn read(text: &[u8]) -> Named {
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}') };
    let (mut section, mut named) = (String::new(), Named::default());
    while let Some(first) = reader.rest.chars().next() {
        match first {
            '[' => section = reader.section(),
            '#' | ';' => reader.skip_line(),
            first if first.is_ascii_alphabetic() => {
                let key = reader.word();
                let value = reader.value();
                named.add(&section, &key, value);
            }
            _ => drop(reader.next()),
        }
    }
    named
}

impl Named {
    fn add(&mut self, section: &str, key: &str, value: String) {
        match (section, key) {
            ("core", "hookspath") => self.hooks.push(value),
            ("core", "worktree") => self.work_trees.push(value),
            ("include" | "includeif", "path") => self.settings.push(value),
            _ => {}
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    /// A name of letters, digits and hyphens, in lower case.
    fn word(&mut self) -> String {
        let length = self.rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '-').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word.to_ascii_lowercase()
    }

    /// `[name]`, `[name.sub]` or `[name "sub"]`, of which the name is given back.
    fn section(&mut self) -> String {
        self.next();
        let name = self.word();
        let (mut quoted, mut escaped) = (false, false);
        while let Some(next) = self.next() {
            match next {
                '\n' => break,
                ']' if !quoted => break,
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ => {}
            }
        }
        name
    }

    /// What follows a key: nothing, or `=` and a text that may be quoted and go on behind a backslash on the next line.
    fn value(&mut self) -> String {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        if !self.rest.starts_with('=') {
            self.skip_line();
            return String::new();
        }
        self.next();
        let (mut value, mut quoted, mut kept) = (String::new(), false, 0);
        while let Some(next) = self.next() {
            match next {
                '\n' => break,
                '#' | ';' if !quoted => {
                    self.skip_line();
                    break;
                }
                '"' => quoted = !quoted,
                '\\' => value.extend(self.next().and_then(escape)),
                next if !quoted && is_space(next) && value.is_empty() => {}
                next => value.push(next),
            }
            // Spaces at the end count where they are quoted or escaped.
            if quoted || !is_space(next) {
                kept = value.len();
            }
        }
        value.truncate(kept);
        value
    }
}

/// As git's isspace().
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r')
}

fn escape(character: char) -> Option<char> {
    match character {
        '\n' => None,
        't' => Some('\t'),
        'b' => Some('\u{8}'),
        'n' => Some('\n'),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What git itself reads.
    fn gits(text: &[u8], key: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        std::fs::write(&file, text).unwrap();
        let mut git = Command::new("git");
        git.args(["config", "--null", "--no-includes", "--get-all", "--file"]).arg(file).arg(key);
        let output = git.env("HOME", directory.path()).current_dir(directory.path()).output().unwrap();
        let values = String::from_utf8(output.stdout).unwrap();
        values.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn hooks_are_named_as_git_names_them() {
        for text in [
            "[core]\n\thooksPath = .husky\n",
            "[core] HooksPath = \"./.husky/\"\n",
            "[CORE]\nhookspath=a b  # c\n",
            "[core]\r\nhooksPath = x\r\n",
            "\u{feff}[core]hooksPath=x",
            "[core]\nhooksPath = \"a;b\" ; c\n",
            "[core]\nhooksPath = a\\\n  b\n",
            "[core]\nhooksPath = \" a \" \n",
            "[core]\nhooksPath = a\\tb\\\\c\\\"\n",
            "[alias]\nx = \"!f() { [core]; }; f\"\n[core]\nhooksPath = y\n",
            "[alias \"]\\\"[\"]\n\thooksPath = n\n[core]\n\thooksPath = y\n\thooksPath = z\n",
            "; [core]\n[x]\nhooksPath = .husky\n",
            "[core]\n# hooksPath = .husky\n",
            "[core]\nother = \\\nhooksPath = n\n",
        ] {
            assert_eq!(read(text.as_bytes()).hooks, gits(text.as_bytes(), "core.hooksPath"), "{text}");
        }
    }

    #[test]
    fn what_is_included_and_where_the_work_tree_lies_is_named() {
        let named = read(b"[include]\npath = a\n[includeIf \"gitdir:/x/\"]\n\tpath=b\n[core]\nworktree = ../c\n\xff");
        assert_eq!((named.settings, named.work_trees), (vec!["a".into(), "b".into()], vec!["../c".into()]));
    }

    #[test]
    fn what_follows_a_line_that_git_refuses_is_read_all_the_same() {
        assert_eq!(read(b"[core\n=\n[core]\n\"\nhooksPath = x\n").hooks, ["x"]);
    }
}
