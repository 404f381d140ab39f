//! How much memory does this thread hold? A global allocator that counts, whose calls are unsafe by their nature.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counted for each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// What is held now, and the most that was. Below zero where another thread's memory was given back.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The most that an action held above what was held before it.
pub(crate) fn peak<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let (before, _) = HELD.get();
    HELD.set((before, before));
    let done = act();
    let (_, most) = HELD.get();
    (done, usize::try_from(most - before).unwrap_or(0))
}

fn count(bytes: isize) {
    // The last words of a thread that ends need not be counted.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now.wrapping_add(bytes);
        held.set((now, most.max(now)));
    });
}

fn size(layout: Layout) -> isize {
    // A layout is never larger than isize::MAX.
    layout.size().cast_signed()
}

// SAFETY: every call goes to the system's allocator as it came, and what it returns is returned; counting takes no memory,
// since the counter is made when the program is built and has nothing to drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: the caller keeps the promises of `alloc`, which are the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: the block came from the system's allocator with this layout, as all do here.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        count(new.cast_signed() - size(layout));
        // SAFETY: the block came from the system's allocator with this layout, and the caller vouches for the new size.
        unsafe { System.realloc(block, layout, new) }
    }
}
