//! What could evidence be, at random? Logs as a run might leave them, and anything with something changed in it; the same for the same
//! seed.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod damage;
pub mod logs;

use serde_json::{Value, json};

use crate::forge::drawn;

/// How many cases: a few, or as many as the long form is told to have.
pub fn cases(usual: usize) -> usize {
    from_environment("BOTTLE_RANDOM_CASES").unwrap_or(usual)
}

fn from_environment(name: &str) -> Option<usize> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Draws.
pub struct Random(Box<dyn Iterator<Item = u64>>);

impl Random {
    /// For the case of this number. `BOTTLE_RANDOM_SEED` replaces the usual seed.
    pub fn of(case: usize) -> Random {
        let seed = from_environment("BOTTLE_RANDOM_SEED").unwrap_or(1);
        Random(Box::new(drawn((seed as u64) << 32 | case as u64)))
    }

    pub fn number(&mut self) -> u64 {
        self.0.next().unwrap()
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A number that a line can carry; often one at an edge.
    pub fn amount(&mut self) -> u64 {
        let any = self.number() >> 11;
        *self.pick(&[0, 1, 2, 1000, any, (1 << 53) - 1])
    }

    /// A text that a line can carry; often one with characters that are written in a way of their own.
    pub fn text(&mut self) -> String {
        const PIECES: [&str; 14] = [
            "a", "é", "\"", "\\", "\n", "\u{0}", "\u{1f}", "\u{7f}", "\u{2028}", "\u{fffd}", "\u{ffff}", "😀", "/",
            "zz",
        ];
        (0..self.below(6)).map(|_| *self.pick(&PIECES)).collect()
    }

    /// A JSON value, of another kind than is likely to be asked for.
    fn value(&mut self) -> Value {
        let (text, amount) = (self.text(), self.amount());
        let any = [
            json!(null),
            json!(self.once_in(2)),
            json!(text),
            json!("x".repeat(257)),
            json!(amount),
            json!(1_u64 << 60),
            json!(-1),
            json!(1.5),
            json!([]),
            json!([[]]),
            json!({}),
            json!({ text: amount }),
        ];
        self.pick(&any).clone()
    }
}
