//! What an image name means: a root file system as a mount plan, mounting nothing.
