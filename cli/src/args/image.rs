//! What does `bottle image` take?

use clap::Subcommand;

/// `bottle image`.
#[derive(Debug, Subcommand)]
pub enum ImageVerb {
    /// Fetch images from their registries, verify and unpack them
    #[command(
        after_help = "Registries, mirrors and short names are those of registries.conf, credentials those of auth.json.\n\
                            Refused are images of more than 500 layers, 64 GiB a blob, 128 GiB and 2,000,000 files unpacked, and layers\n\
                            that unpack to more than 1 GiB and 200 times their size.\n\
                            Exit code: 0 all are here, 2 usage or I/O."
    )]
    Pull {
        /// What they are called in their registries.
        #[arg(
            required = true,
            value_name = "NAME",
            help = "Names: [docker://][HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]"
        )]
        names: Vec<String>,
        /// Do not unpack them yet
        #[arg(long)]
        packed: bool,
    },
    /// Take images from files and directories
    #[command(after_help = "Exit code: 0 all are here, 2 usage or I/O.")]
    Load {
        /// Files and directories.
        #[arg(
            required = true,
            value_name = "SOURCE",
            help = "Sources: oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME]"
        )]
        sources: Vec<String>,
        /// A further name for the image
        #[arg(long, short, value_name = "NAME")]
        tag: Option<String>,
        /// Do not unpack them yet
        #[arg(long)]
        packed: bool,
    },
    /// List the images that are here
    Ls {
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget names; `prune` removes what no name refers to any more
    #[command(after_help = "Exit code: 0 forgotten, 1 there was no such image, 2 usage or I/O.")]
    Rm {
        /// Names, as `ls` shows them or as they were pulled; an ID stands for all names of its image
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print what an image is, as JSON
    #[command(after_help = "Exit code: 0 printed, 1 there is no such image, 2 usage or I/O.")]
    Inspect {
        /// A name, as `ls` shows it or as it was pulled, or an ID
        name: String,
    },
    /// Remove what no name refers to and no bottle uses
    Prune {
        /// Print what was removed as JSON
        #[arg(long)]
        json: bool,
    },
}
