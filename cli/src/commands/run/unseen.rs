//! Of which settings is a preset made that the command will not see? Then its client asks something else than what is allowed.

use std::path::{Path, PathBuf};

use bottle_images::ImageRef;
use bottle_runtime::options::RunOptions;

use crate::presets::{Origin, Preset};

/// A sentence for each file and variable that has to be given, with how.
pub fn tell(made_of: &[(Preset, Origin)], options: &RunOptions, home: &Path) -> Vec<String> {
    let mut told = Vec::new();
    for (preset, origin) in made_of {
        let preset = preset.name();
        let sentence = match origin {
            Origin::File(path, _) if !shows(options, path, home) => {
                let path = path.display();
                format!(
                    "preset {preset} is made of {path}, which the command does not see: -v {path}:{path}:ro shows it"
                )
            }
            Origin::Variable(name) if !options.env.iter().any(|(given, _)| given == name) => {
                format!(
                    "preset {preset} is made of the variable {name}, which the command does not get: -e {name} passes it on"
                )
            }
            _ => continue,
        };
        if !told.contains(&sentence) {
            told.push(sentence);
        }
    }
    told
}

/// Whether a file is inside as it is here, as far as that is known: an image has system-wide settings of its own.
fn shows(options: &RunOptions, path: &Path, home: &Path) -> bool {
    let of_the_host = || path == Path::new("/etc/pip.conf") || path.starts_with(home.join(".cargo"));
    let by_itself = match options.image {
        ImageRef::Host => of_the_host(),
        _ => !path.starts_with(home),
    };
    by_itself || options.volumes.iter().any(|volume| path.starts_with::<&PathBuf>(&volume.source))
}

#[cfg(test)]
mod tests {
    use bottle_images::Volume;

    use super::*;

    fn told(image: ImageRef, origin: Origin, change: impl FnOnce(&mut RunOptions)) -> bool {
        let mut options = RunOptions::new(image, Vec::new());
        change(&mut options);
        !tell(&[(Preset::Npm, origin.clone()), (Preset::Npm, origin)], &options, Path::new("/home/u")).is_empty()
    }

    #[test]
    fn what_is_given_needs_no_words() {
        let file = || Origin::File("/home/u/.npmrc".into(), Some(1));
        assert!(told(ImageRef::Host, file(), |_| {}));
        assert!(!told(ImageRef::Host, file(), |options| options
            .volumes
            .push(Volume::parse("/home/u/.npmrc:/x").unwrap())));
        let variable = || Origin::Variable("npm_config_registry".into());
        assert!(told(ImageRef::Host, variable(), |_| {}));
        assert!(!told(ImageRef::Host, variable(), |options| options
            .env
            .push(("npm_config_registry".into(), "x".into()))));
    }

    #[test]
    fn an_image_has_system_wide_settings_of_its_own() {
        let system = || Origin::File("/etc/apt/sources.list".into(), Some(1));
        assert!(told(ImageRef::Host, system(), |_| {}));
        assert!(!told(ImageRef::Directory("/x".into()), system(), |_| {}));
        assert!(told(ImageRef::Directory("/x".into()), Origin::File("/home/u/.npmrc".into(), None), |_| {}));
        assert!(!told(ImageRef::Host, Origin::File("/home/u/.cargo/config.toml".into(), None), |_| {}));
    }

    #[test]
    fn each_file_is_named_once_with_the_option_that_shows_it() {
        let origin = |line| (Preset::Npm, Origin::File("/home/u/.npmrc".into(), Some(line)));
        let told = tell(&[origin(1), origin(2)], &RunOptions::new(ImageRef::Host, Vec::new()), Path::new("/home/u"));
        assert!(told.len() == 1 && told[0].contains("-v /home/u/.npmrc:/home/u/.npmrc:ro"), "{told:?}");
    }
}
