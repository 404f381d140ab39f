//! How is an error in a policy text shown?

use std::fmt;

use serde_saphyr::Location;

/// Everything that is wrong with one text. Shown as `file:line:column: what`, the line, a caret, and a hint for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    source: String,
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, without the place.
    pub what: String,
    /// What to write instead.
    pub hint: Option<String>,
    width: usize,
    snippet: String,
}

impl Problem {
    pub(super) fn new(at: Location, what: impl Into<String>) -> Self {
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        let width = if at == Location::UNKNOWN { 1 } else { place(at.span().len()) };
        Self {
            line: place(at.line()),
            column: place(at.column()),
            what: printable(&what.into()),
            hint: None,
            width,
            snippet: String::new(),
        }
    }

    pub(super) fn hint(self, hint: String) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Keeps the line it speaks of, cut to what a terminal shows and without control characters.
    fn quote(mut self, text: &str) -> Self {
        const LONGEST: usize = 120;
        let line = text.lines().nth(self.line - 1).unwrap_or_default();
        self.snippet = printable(&line.chars().take(LONGEST).collect::<String>());
        let rest = line.chars().skip(self.column - 1).collect::<String>();
        let token = rest.trim_end().chars().count().max(1);
        self.width = self.width.min(token).min(LONGEST);
        self
    }
}

/// One column for each character, and none that moves the cursor or turns the reading direction.
pub(super) fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let show = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() || turns(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(show).collect()
}

impl DocumentError {
    pub(super) fn new(source: &str, text: &str, problems: Vec<Problem>) -> Self {
        let problems = problems.into_iter().map(|problem| problem.quote(text)).collect();
        Self { source: source.to_owned(), problems }
    }

    /// What is wrong, in the order of the text's keys.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl std::error::Error for DocumentError {}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            show(f, &self.source, problem)?;
        }
        Ok(())
    }
}

fn show(f: &mut fmt::Formatter<'_>, source: &str, problem: &Problem) -> fmt::Result {
    let Problem { line, column, what, hint, width, snippet } = problem;
    write!(f, "{source}:{line}:{column}: {what}")?;
    if !snippet.is_empty() {
        let margin = line.to_string().len();
        let caret = "^".repeat(*width);
        write!(f, "\n {line} | {snippet}\n {:margin$} | {:indent$}{caret}", "", "", indent = column - 1)?;
    }
    match hint {
        Some(hint) => write!(f, "\n hint: {hint}"),
        None => Ok(()),
    }
}
