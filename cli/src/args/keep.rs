//! What does `bottle keep` take?

use bottle_runtime::kept::KeptName;
use clap::Subcommand;

/// `bottle keep`.
#[derive(Debug, Subcommand)]
pub enum KeepVerb {
    /// List what is kept, and upon which image
    Ls {
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove what is kept under these names
    #[command(
        after_help = "Exit code: 0 removed, 1 nothing had such a name, 2 usage or I/O, or a run goes on with it."
    )]
    Rm {
        /// Names, as `ls` shows them
        #[arg(required = true, value_name = "NAME")]
        names: Vec<KeptName>,
    },
}
