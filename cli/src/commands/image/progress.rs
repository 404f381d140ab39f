//! How does a person see that something goes on? Bars on a terminal; elsewhere a line for each thing that is done.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use bottle_images::{Digest, Event};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::report::{Reporter, escape};

/// Shows the events of one image. May be told from several threads.
pub struct Progress {
    reporter: Reporter,
    bars: Option<Bars>,
    silence: Mutex<Silence>,
}

/// Whether it is worth a line where an image comes from.
enum Silence {
    /// It is.
    Broken,
    /// Not until something is had or unpacked: then this line, if it is known.
    Kept(Option<String>),
}

struct Bars {
    all: MultiProgress,
    each: Mutex<BTreeMap<Digest, ProgressBar>>,
}

impl Progress {
    /// Bars where a person watches standard error.
    pub fn new(reporter: Reporter) -> Progress {
        let bars = std::io::stderr().is_terminal().then(|| Bars { all: MultiProgress::new(), each: Mutex::default() });
        Progress { reporter, bars, silence: Mutex::new(Silence::Broken) }
    }

    /// The same, which says nothing of an image that was here already.
    pub fn of_what_is_new(reporter: Reporter) -> Progress {
        Progress { silence: Mutex::new(Silence::Kept(None)), ..Progress::new(reporter) }
    }

    /// Shows an event.
    pub fn tell(&self, event: Event) {
        if matches!(event, Event::Started { .. } | Event::Stored { already: false, .. } | Event::Unpacking { .. }) {
            self.break_silence();
        }
        match (&self.bars, event) {
            (_, Event::Note(note)) => self.say(&note),
            (_, Event::Retrying { blob, why }) => self.say(&format!("{}: {why}; trying again", short(&blob))),
            (_, Event::Resolved { name, from, .. }) => self.resolved(format!("{name} from {from}")),
            (Some(bars), event) => bars.show(event),
            (None, Event::Stored { blob, already: false }) => self.say(&format!("{} is stored", short(&blob))),
            (None, Event::Unpacked { layer, already: false }) => self.say(&format!("{} is unpacked", short(&layer))),
            (None, _) => {}
        }
    }

    fn resolved(&self, line: String) {
        match &mut *self.silence.lock().unwrap_or_else(PoisonError::into_inner) {
            Silence::Broken => self.say(&line),
            Silence::Kept(kept) => *kept = Some(line),
        }
    }

    fn break_silence(&self) {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        if let Silence::Kept(Some(line)) = std::mem::replace(&mut *silence, Silence::Broken) {
            self.say(&line);
        }
    }

    /// Prints a line above the bars.
    pub fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| self.reporter.say(text)),
            None => self.reporter.say(text),
        }
    }

    /// Removes the bars.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            // What a bar says is over; that the terminal is gone is no error.
            let _ = bars.all.clear();
        }
    }

    /// Removes the bars and says how the image is called.
    pub fn end(&self, names: &[String]) {
        self.clear();
        if let Some(name) = names.first() {
            self.say(&format!("{name} is here"));
        }
    }
}

impl Bars {
    fn show(&self, event: Event) {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { blob, size, resumed } => {
                let bar = self.all.add(ProgressBar::new(size.unwrap_or(0)).with_style(style(BYTES)));
                bar.set_prefix(short(&blob));
                bar.set_position(resumed);
                each.insert(blob, bar);
            }
            Event::Progress { blob, position } => {
                if let Some(bar) = each.get(&blob) {
                    bar.set_position(position);
                }
            }
            Event::Unpacking { layer } => {
                let bar = self.all.add(ProgressBar::new_spinner().with_style(style("{prefix} unpacking {spinner}")));
                bar.set_prefix(short(&layer));
                bar.enable_steady_tick(std::time::Duration::from_millis(120));
                each.insert(layer, bar);
            }
            Event::Stored { blob: digest, .. } | Event::Unpacked { layer: digest, .. } => {
                if let Some(bar) = each.remove(&digest) {
                    bar.finish_and_clear();
                }
            }
            Event::Resolved { .. } | Event::Retrying { .. } | Event::Note(_) => {}
        }
    }
}

const BYTES: &str = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}";

/// A template of ours is understood; were it not, a plain bar would do.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// As docker shows digests.
fn short(digest: &Digest) -> String {
    escape(&digest.hex()[..12])
}
