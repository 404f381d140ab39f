//! Is a licence expression satisfied by the licences of the table? OR needs one side, AND both. Pure.

use crate::tables::LICENCES;

/// Whether this SPDX expression can be satisfied; the old spelling `MIT/Apache-2.0` means OR. What does not parse can't.
pub(crate) fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    either(&mut words).is_some_and(|allowed| allowed && words.is_empty())
}

/// The words are kept in reverse, so that the next one is the last.
fn either(words: &mut Vec<&str>) -> Option<bool> {
    let mut allowed = both(words)?;
    while words.pop_if(|word| *word == "OR").is_some() {
        allowed |= both(words)?;
    }
    Some(allowed)
}

fn both(words: &mut Vec<&str>) -> Option<bool> {
    let mut allowed = one(words)?;
    while words.pop_if(|word| *word == "AND").is_some() {
        allowed &= one(words)?;
    }
    Some(allowed)
}

fn one(words: &mut Vec<&str>) -> Option<bool> {
    let word = words.pop()?;
    if word == "(" {
        let inner = either(words)?;
        return words.pop_if(|word| *word == ")").map(|_| inner);
    }
    if words.pop_if(|word| *word == "WITH").is_some() {
        let whole = format!("{word} WITH {}", words.pop()?);
        return Some(LICENCES.contains(&whole.as_str()));
    }
    Some(LICENCES.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_side_of_or_is_enough() {
        for expression in
            ["MIT", "MIT OR GPL-3.0", "GPL-2.0 OR MIT", "MIT/GPL-2.0", "Apache-2.0 WITH LLVM-exception OR GPL-2.0"]
        {
            assert!(allowed(expression), "{expression}");
        }
    }

    #[test]
    fn both_sides_of_and_are_needed() {
        assert!(allowed("(MIT OR GPL-3.0) AND Unicode-3.0"));
        assert!(!allowed("MIT AND GPL-3.0"));
        assert!(!allowed("MIT AND (GPL-3.0 OR AGPL-3.0)"));
    }

    #[test]
    fn what_does_not_parse_is_not_allowed() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "OR MIT", "MIT WITH", "MIT MIT", "mit"] {
            assert!(!allowed(expression), "{expression}");
        }
    }
}
