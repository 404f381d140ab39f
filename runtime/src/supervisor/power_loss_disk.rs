//! What may a disk hold after a loss of power? Whatever was synchronised, and of the rest any beginning; for tests alone.

use std::collections::BTreeMap;

/// Every so many bytes zeros are tried as well.
const ZEROS: usize = 8;

/// One thing that happened to a file of the log, by its number, as the disk and those who wait for it see it.
#[derive(Clone, Debug)]
pub(super) enum Happened {
    Appended(u64, Vec<u8>),
    Cut(u64, u64),
    Synchronised(u64),
    Opened(u64),
    Removed(u64),
    NamesSynchronised,
    Promised(Promise),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    Opened,
    Recorded(u64),
    Closed,
}

/// What the files of a log hold, by their numbers.
pub(super) type Found = BTreeMap<u64, Vec<u8>>;

/// The disk at some moment of the recording.
#[derive(Clone, Default)]
pub(super) struct Disk {
    files: BTreeMap<u64, OnDisk>,
    pub(super) promises: Vec<Promise>,
}

#[derive(Clone, Default)]
struct OnDisk {
    /// What no loss of power takes.
    kept: Vec<u8>,
    /// What was appended since.
    loose: Vec<u8>,
    /// What was cut off since, and may come back.
    cut: Vec<u8>,
    name: Named,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Named {
    /// It may not be there.
    #[default]
    New,
    Sure,
    /// It was removed, and may come back.
    Removed,
}

impl Disk {
    pub(super) fn holding(found: &Found, promises: &[Promise]) -> Disk {
        let on_disk = |bytes: &Vec<u8>| OnDisk { kept: bytes.clone(), name: Named::Sure, ..OnDisk::default() };
        let files = found.iter().map(|(number, bytes)| (*number, on_disk(bytes))).collect();
        Disk { files, promises: promises.to_vec() }
    }

    pub(super) fn after(mut self, happened: &Happened) -> Disk {
        match happened {
            Happened::Opened(number) => drop(self.files.entry(*number).or_default()),
            Happened::Appended(number, bytes) => {
                assert!(
                    self.files.values().all(|file| file.name == Named::Sure),
                    "it writes before names are on the disk"
                );
                assert!(
                    self.files.values().all(|file| file.cut.is_empty()),
                    "it writes where what was cut may come back"
                );
                let others = self.files.iter().filter(|(other, _)| *other != number);
                assert!(others.map(|(_, file)| &file.loose).all(Vec::is_empty), "another file is not on the disk yet");
                self.file(*number).loose.extend(bytes);
            }
            Happened::Cut(number, length) => {
                let file = self.file(*number);
                assert!(file.loose.is_empty(), "it cuts what is not on the disk");
                file.cut = file.kept.split_off(usize::try_from(*length).unwrap());
            }
            Happened::Synchronised(number) => {
                let file = self.file(*number);
                file.kept.append(&mut file.loose);
                file.cut.clear();
            }
            Happened::Removed(number) => self.file(*number).name = Named::Removed,
            Happened::NamesSynchronised => {
                self.files.retain(|_, file| file.name != Named::Removed);
                self.files.values_mut().for_each(|file| file.name = Named::Sure);
            }
            Happened::Promised(promise) => self.promises.push(*promise),
        }
        self
    }

    fn file(&mut self, number: u64) -> &mut OnDisk {
        self.files.get_mut(&number).expect("a file that was opened")
    }

    /// What no loss of power takes.
    pub(super) fn kept(&self) -> Found {
        let sure = self.files.iter().filter(|(_, file)| file.name == Named::Sure);
        sure.map(|(number, file)| (*number, file.kept.clone())).collect()
    }

    /// Bytes that are not on the disk yet.
    pub(super) fn loose(&self) -> usize {
        self.files.values().map(|file| file.loose.len()).sum()
    }

    /// What may be found after a loss of power now, with what is not on the disk yet cut at each byte, or at every so many.
    pub(super) fn found(&self, step: usize) -> Vec<Found> {
        let mut found = vec![Found::new()];
        for (number, file) in &self.files {
            let there = |before: &Found, bytes: Vec<u8>| {
                before.iter().map(|(number, bytes)| (*number, bytes.clone())).chain([(*number, bytes)]).collect()
            };
            let with =
                found.iter().flat_map(|before| file.found(step).into_iter().map(move |bytes| there(before, bytes)));
            let with: Vec<Found> = with.collect();
            if file.name == Named::Sure {
                found = with;
            } else {
                found.extend(with);
            }
        }
        found
    }
}

impl OnDisk {
    /// And with zeros up to its length for some.
    fn found(&self, step: usize) -> Vec<Vec<u8>> {
        let most = self.loose.len();
        let cuts = (0..=most).filter(|there| there % step == 0 || most - there < 2);
        let torn = cuts.map(|there| [&self.kept, &self.loose[..there]].concat());
        let zeros = (0..self.loose.len()).step_by(ZEROS * step).map(|there| {
            let mut found = [&self.kept, &self.loose[..there]].concat();
            found.resize(self.kept.len() + self.loose.len(), 0);
            found
        });
        let back = (!self.cut.is_empty()).then(|| [&self.kept[..], &self.cut].concat());
        torn.chain(zeros).chain(back).collect()
    }
}
