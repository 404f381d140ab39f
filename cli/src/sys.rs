//! Which system calls have no safe wrapper? Every `unsafe` block of this crate, each with its reason.

/// Keeps the allocator to one arena: each further thread's own would hold memory that no other thread uses. And has it map
/// what is large, whatever was freed before: of that only those pages exist that are written to.
pub fn share_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes integers. A parameter that it refuses leaves all as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
    }
}

/// From here on a signal that asks a program to end ends this one, whoever heeded it before.
pub fn end_when_asked() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        // SAFETY: SIG_DFL installs no code of ours, and these numbers can all be set.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// From here on who writes where nobody reads is ended by a signal, as every program is begun. Rust's own startup has it
/// ignored, and what is ignored stays so through execve(2).
pub fn end_by_broken_pipes() {
    // SAFETY: SIG_DFL installs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
