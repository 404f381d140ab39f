//! What is a figure? Two sides measured by turns, their medians, the ratio of these, and what the ratio should be.

use serde::Serialize;

/// One side: what was measured in each round.
#[derive(Debug, Serialize)]
pub(crate) struct Side {
    pub(crate) what: &'static str,
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

/// Which way is better, and how far it should go.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// At most the first, better the second.
    AtMost(f64, f64),
    /// At least the first, better the second.
    AtLeast(f64, f64),
}

/// What was measured, beside a peer where there is one.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) rounds: usize,
    pub(crate) bottle: Side,
    pub(crate) peer: Option<Side>,
    /// Whom else the peer was compared with, and how that one did: its median by the peer's.
    pub(crate) other: Option<(Side, f64)>,
    /// Bottle's median by the peer's; without a peer, bottle's median itself, or what its name says.
    pub(crate) result: f64,
    pub(crate) target: Target,
    pub(crate) verdict: &'static str,
}

impl Side {
    /// At least one value is needed.
    pub(crate) fn of(what: &'static str, mut values: Vec<f64>) -> Side {
        values.sort_by(f64::total_cmp);
        let (min, max) = (values[0], values[values.len() - 1]);
        Side { what, min, median: median(&values), max }
    }
}

/// Of sorted values.
fn median(values: &[f64]) -> f64 {
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// What one in a hundred is above; of fewer values the greatest.
fn slowest(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100) - 1]
}

impl Target {
    fn verdict(self, result: f64) -> &'static str {
        let (must, aim) = match self {
            Target::AtMost(must, aim) => (result <= must, result <= aim),
            Target::AtLeast(must, aim) => (result >= must, result >= aim),
        };
        match (must, aim) {
            (_, true) => "reaches the aim",
            (true, false) => "holds",
            (false, false) => "falls short",
        }
    }

    fn words(self) -> String {
        match self {
            Target::AtMost(must, aim) => format!("at most {must}, aim {aim}"),
            Target::AtLeast(must, aim) => format!("at least {must}, aim {aim}"),
        }
    }
}

impl Figure {
    pub(crate) fn new(
        name: impl Into<String>,
        unit: &'static str,
        target: Target,
        bottle: Vec<f64>,
        peer: Option<(&'static str, Vec<f64>)>,
    ) -> Figure {
        let rounds = bottle.len();
        let bottle = Side::of("bottle", bottle);
        let peer = peer.map(|(what, values)| Side::of(what, values));
        let result = peer.as_ref().map_or(bottle.median, |peer| bottle.median / peer.median);
        Figure {
            name: name.into(),
            unit,
            rounds,
            bottle,
            peer,
            other: None,
            result,
            target,
            verdict: target.verdict(result),
        }
    }

    /// Tells how somebody else did beside the same peer.
    pub(crate) fn beside(self, what: &'static str, values: Vec<f64>) -> Figure {
        let side = Side::of(what, values);
        let ratio = self.peer.as_ref().map_or(side.median, |peer| side.median / peer.median);
        Figure { other: Some((side, ratio)), ..self }
    }

    /// A figure of which not the median counts, but what one in a hundred is above.
    pub(crate) fn of_the_slowest(name: &str, unit: &'static str, target: Target, values: Vec<f64>) -> Figure {
        let result = slowest(values.clone());
        let figure = Figure::new(name, unit, target, values, None);
        Figure { result, verdict: target.verdict(result), ..figure }
    }

    /// The figure on a few lines.
    pub(crate) fn print(&self) {
        let kind = if self.peer.is_some() { "ratio " } else { "" };
        println!("{}: {kind}{:.2} ({}): {}", self.name, self.result, self.target.words(), self.verdict);
        let other = self.other.as_ref().map(|(side, _)| side);
        for side in std::iter::once(&self.bottle).chain(&self.peer).chain(other) {
            let Side { what, min, median, max } = side;
            println!("    {what:<8} {min:>10.1} {median:>10.1} {max:>10.1}  {}, min median max", self.unit);
        }
        if let Some((side, ratio)) = &self.other {
            println!("    ratio of {} {ratio:.2}", side.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_medians() {
        let figure = Figure::new(
            "x",
            "ms",
            Target::AtMost(1.0, 0.5),
            vec![9.0, 1.0, 2.0],
            Some(("peer", vec![4.0, 4.0, 100.0])),
        );
        assert_eq!((figure.result, figure.verdict), (0.5, "reaches the aim"));
    }

    #[test]
    fn one_in_a_hundred_may_be_slower() {
        let values = |count: u32| (1..=count).map(f64::from).collect();
        assert_eq!([slowest(values(200)), slowest(values(100)), slowest(values(3))], [198.0, 99.0, 3.0]);
    }

    #[test]
    fn an_even_number_of_rounds_has_its_median_in_the_middle() {
        assert_eq!(Side::of("x", vec![4.0, 1.0, 3.0, 2.0]).median, 2.5);
    }

    #[test]
    fn each_target_knows_its_direction() {
        assert_eq!(Target::AtLeast(0.5, 0.7).verdict(0.6), "holds");
        assert_eq!(Target::AtLeast(0.5, 0.7).verdict(0.4), "falls short");
        assert_eq!(Target::AtMost(14.0, 6.0).verdict(15.0), "falls short");
    }
}
