//! How does a message look? What happened, why, and a hint, on standard error, with nothing in it that a terminal obeys.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

/// What ends a verb early: what happened, what to do about it, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What happened, with its sources.
    pub error: Box<dyn Error>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with usage's or I/O's exit code, 2.
    pub fn new(error: impl Into<Box<dyn Error>>) -> Failure {
        Failure { code: 2, error: error.into(), hint: None }
    }

    /// The same with a hint.
    pub fn with_hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }

    /// The same with another exit code.
    pub fn with_code(self, code: u8) -> Failure {
        Failure { code, ..self }
    }
}

/// Writes to standard error, in colour where a person reads it.
#[derive(Clone, Copy, Debug)]
pub struct Reporter {
    colours: bool,
    terminal: bool,
    line_end: &'static str,
}

/// What undoes whatever hides text on a terminal like xterm or the kernel's console. Strings end with ST, which rings no bell; a
/// terminal ignores what it does not know, or shows a few letters of it.
const RECOVERY: [&str; 15] = [
    // A control string without an end.
    "\x18\x1b\\",
    // The Tektronix window, VT52 mode, a printer that has everything.
    "\x1b\x03",
    "\x1b<",
    "\x1b[4i",
    // Another character set.
    "\x0f",
    "\x1b(B",
    // The other screen. The position that is restored with this one is saved first, in case it is this one already.
    "\x1b7\x1b[?1049l",
    // Margins and modes, and lines that are cut.
    "\x1b[!p",
    "\x1b[?7h",
    // Concealed text.
    "\x1b[0m",
    // Colours that are one: the palette, here and on the kernel's console, the foreground, the background.
    "\x1b]104\x1b\\",
    "\x1b]R\x1b\\",
    "\x1b]110\x1b\\",
    "\x1b]111\x1b\\",
    // What is left of the screen below.
    "\x1b[J",
];

impl Reporter {
    /// Colours on a terminal, unless NO_COLOR is set and not empty (no-color.org).
    pub fn for_stderr() -> Reporter {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal = std::io::stderr().is_terminal();
        Reporter { colours: !refused && terminal, terminal, line_end: "\n" }
    }

    /// The same, for while the terminal is raw.
    pub fn for_raw_terminal(self) -> Reporter {
        Reporter { line_end: "\r\n", ..self }
    }

    /// Undoes what a command may have done to the terminal, so that what is said next can be read.
    pub fn recover(self) {
        if self.terminal {
            self.print(&RECOVERY.concat());
        }
    }

    /// Prints the chain once, then the hint.
    pub fn failure(self, failure: &Failure) {
        self.print(&self.render(failure));
    }

    /// Prints one line, or several where the text has several.
    pub fn say(self, text: &str) {
        self.print(&format!("{}: {}\n", self.paint("1", "bottle"), escape(text)));
    }

    /// In one write, so that lines of several writers don't mix. Nothing can be said if standard error is gone.
    fn print(self, text: &str) {
        let _ = std::io::stderr().write_all(text.replace('\n', self.line_end).as_bytes());
    }

    fn render(self, failure: &Failure) -> String {
        let mut text = String::new();
        let mut last = String::new();
        let mut next: Option<&dyn Error> = Some(failure.error.as_ref());
        while let Some(error) = next {
            let message = escape(&error.to_string());
            // An error that shows its source's words in its own does not get them printed twice.
            if text.is_empty() {
                let _ = writeln!(text, "{}: {message}", self.paint("1;31", "bottle"));
            } else if !last.ends_with(&message) {
                let _ = writeln!(text, "  because: {message}");
            }
            last = message;
            next = error.source();
        }
        if let Some(hint) = &failure.hint {
            let _ = writeln!(text, "{}: {}", self.paint("36", "hint"), escape(hint));
        }
        text
    }

    fn paint(self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Makes control characters, and those that reorder text, visible. Line feeds stay.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.trim_end_matches('\n').chars() {
        match letter {
            '\n' => safe.push('\n'),
            '\t' => safe.push_str("    "),
            letter if is_obeyed(letter) => safe.extend(letter.escape_unicode()),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Characters that a terminal obeys, or that change how others are shown: controls, bidirectional ones, joiners, line
/// separators, the byte order mark.
pub fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {path}")]
    struct Outer {
        path: &'static str,
        source: Inner,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the disk said: {0}")]
    struct Inner(#[source] io::Error);

    fn render(failure: Failure, colours: bool) -> String {
        Reporter { colours, terminal: false, line_end: "\n" }.render(&failure)
    }

    fn outer(path: &'static str) -> Outer {
        Outer { path, source: Inner(io::Error::other("worn out")) }
    }

    #[test]
    fn the_chain_is_printed_once_and_then_the_hint() {
        let text = render(Failure::new(outer("p.yaml")).with_hint("buy another"), false);
        // `Inner` repeats its source, which is therefore not printed again.
        assert_eq!(text, "bottle: cannot read p.yaml\n  because: the disk said: worn out\nhint: buy another\n");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let text = render(Failure::new(outer("\x1b[2J\u{202e}\r")).with_hint("\x07"), false);
        assert!(!text.contains(['\x1b', '\u{202e}', '\r', '\x07']), "{text:?}");
        assert!(text.contains(r"\u{1b}[2J\u{202e}\u{d}"), "{text}");
    }

    #[test]
    fn lines_of_a_message_stay_lines() {
        assert_eq!(escape("a\n\tb\n"), "a\n    b");
    }

    #[test]
    fn colours_are_there_only_when_asked_for() {
        assert!(!render(Failure::new("x"), false).contains('\x1b'));
        assert!(render(Failure::new("x"), true).starts_with("\x1b[1;31mbottle\x1b[0m: x"));
    }
}
