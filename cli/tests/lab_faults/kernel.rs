//! How is a bottle run on a disk that stalls or fails, and by a clock that jumps? By a kernel that a script plays in part.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::running::Running;
use crate::scene::Scene;
use crate::world::{BOTTLE, LIMIT, World, said, text};

/// The directory that says what the system calls do.
pub struct Kernel {
    directory: PathBuf,
}

impl Kernel {
    pub fn new(world: &World) -> Kernel {
        let kernel = Kernel { directory: world.path("kernel") };
        fs::create_dir_all(&kernel.directory).unwrap();
        said(world.program("mkfifo").arg(kernel.directory.join("go"))).ok();
        kernel.disk("");
        kernel.names("");
        kernel.clock(0);
        kernel
    }

    /// Starts a bottle with a fresh log under this kernel.
    pub fn start(&self, scene: &mut Scene, command: &[&str]) -> Running {
        scene.begin();
        let mut python = scene.world.program("python3");
        python.args(["-c", include_str!("kernel.py")]).arg(&self.directory).arg(BOTTLE).args(scene.options());
        Running::start({
            python.args(command);
            python
        })
    }

    /// What fdatasync(2) does from now on; see kernel.py.
    pub fn disk(&self, does: &str) {
        self.say("disk", does);
    }

    /// The same of fsync(2), by which directories come to the disk.
    pub fn names(&self, does: &str) {
        self.say("names", does);
    }

    /// How many seconds the clock is ahead from now on.
    pub fn clock(&self, ahead: i64) {
        self.say("clock", &ahead.to_string());
    }

    /// How many seconds each reading of the clock is ahead of the one before, from now on.
    pub fn clock_steps(&self, each: i64) {
        self.say("clock", &format!("0 {each}"));
    }

    /// In one step, since it may be read at any time.
    fn say(&self, name: &str, text: &str) {
        let new = self.directory.join(format!("{name}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.directory.join(name)).unwrap();
    }

    /// Waits until the disk was asked and stalls.
    pub fn await_stall(&self) {
        let stalled = self.directory.join("stalled");
        let deadline = Instant::now() + LIMIT;
        while !stalled.exists() {
            assert!(Instant::now() < deadline, "nobody asked the disk");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        fs::remove_file(stalled).unwrap();
    }

    /// Lets the disk go on.
    pub fn go_on(&self) {
        self.disk("");
        fs::write(self.directory.join("go"), "go").unwrap();
    }

    /// Not a socket of the bottle's.
    pub fn gone(self) {
        fs::remove_dir_all(text(&self.directory)).unwrap();
    }
}
