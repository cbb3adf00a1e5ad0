//! The memory of one engine: counted, bounded, and closed for large pieces once the run is interrupted.
//!
//! Closing is what makes an interruption reach loops whose body is one heavy operation (`[...a]`, `a + b`, a product
//! of huge integers). The engine asks whether it is interrupted once in ten thousand steps, which takes minutes if
//! every step copies megabytes. With nothing to copy to, each step fails at once.
#![expect(unsafe_code, reason = "an allocator for C: what is allocated here is freed here with the same layout")]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rquickjs::allocator::Allocator;

use crate::control::Control;

/// Room before each piece for its size; pieces are aligned as C expects.
const HEADER: usize = 16;
/// Pieces of this size are refused once the run is interrupted.
const LARGE: usize = 16 * 1_024;
/// What an interrupted run may still use in smaller pieces: its error has to be made, its stack unwound.
const RESERVE: usize = 256 * 1_024;
/// What the system's allocator is made to take ahead. For threads beside the first, glibc takes memory from the kernel
/// page by page, each with a call; a larger piece it takes at once, and keeps when it is given back. Less than what it
/// would map apart (128 KiB).
const AHEAD: usize = 112 * 1_024;

/// Bytes in use and at most in use, for who looks from outside.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    used: AtomicUsize,
    peak: AtomicUsize,
    refused: AtomicBool,
}

impl Meter {
    /// Was there ever no room for something?
    pub fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

/// What an engine may use, and by what its run is interrupted.
pub(crate) struct Bounds {
    pub limit: usize,
    pub control: Arc<Control>,
}

/// Allocates for one engine. Until it has bounds, no script is in it.
pub(crate) struct Memory {
    meter: Arc<Meter>,
    bounds: Arc<OnceLock<Bounds>>,
    used: usize,
    /// What was taken since something was taken ahead.
    taken: usize,
    /// What was in use when the run was found interrupted.
    closed_at: Option<usize>,
}

impl Memory {
    pub fn new(meter: Arc<Meter>, bounds: Arc<OnceLock<Bounds>>) -> Self {
        Self { meter, bounds, used: 0, taken: AHEAD, closed_at: None }
    }

    /// May so many bytes more be used, in one piece of that size?
    fn admits(&mut self, more: usize, piece: usize) -> bool {
        let Some(bounds) = self.bounds.get() else { return true };
        if self.used.saturating_add(more) > bounds.limit {
            self.meter.refused.store(true, Ordering::Relaxed);
            return false;
        }
        // smaller pieces come from the engine's own pages, so this is asked seldom
        if self.closed_at.is_none() && bounds.control.interrupted() {
            self.closed_at = Some(self.used);
        }
        match self.closed_at {
            None => true,
            Some(at) => piece < LARGE && self.used.saturating_sub(at) < RESERVE,
        }
    }

    fn count(&mut self, used: usize) {
        self.used = used;
        self.meter.used.store(used, Ordering::Relaxed);
        self.meter.peak.fetch_max(used, Ordering::Relaxed);
    }

    fn piece(&mut self, size: usize, make: unsafe fn(Layout) -> *mut u8) -> *mut u8 {
        let Some(layout) = layout(size) else { return ptr::null_mut() };
        if !self.admits(layout.size(), size) {
            return ptr::null_mut();
        }
        self.taken += layout.size();
        if self.taken > AHEAD {
            self.taken = 0;
            let mut ahead = Vec::<u8>::new();
            // what cannot be had is not needed yet
            let _ = black_box(ahead.try_reserve_exact(AHEAD));
            drop(black_box(ahead));
        }
        // SAFETY: the layout has at least the header's size
        let start = unsafe { make(layout) };
        if start.is_null() {
            return start;
        }
        self.count(self.used + layout.size());
        // SAFETY: the piece begins with room for the header and is aligned for it
        unsafe {
            start.cast::<usize>().write(layout.size());
            start.add(HEADER)
        }
    }
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(HEADER)?, HEADER).ok()
}

/// Where a piece of [`Memory::piece`] really begins, and how long it is.
///
/// # Safety
/// `of` is such a piece.
unsafe fn whole(of: *mut u8) -> (*mut u8, usize) {
    // SAFETY: every piece has a header before it, written when it was made
    unsafe {
        let start = of.sub(HEADER);
        (start, start.cast::<usize>().read())
    }
}

// SAFETY: pieces are at least as large as asked for and aligned to 16; `usable_size` tells exactly what was asked
unsafe impl Allocator for Memory {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        self.piece(size, alloc)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        match count.checked_mul(size) {
            Some(size) => self.piece(size, alloc_zeroed),
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&mut self, of: *mut u8) {
        // SAFETY: the engine gives back what it got from here
        unsafe {
            let (start, size) = whole(of);
            self.count(self.used - size);
            dealloc(start, Layout::from_size_align_unchecked(size, HEADER));
        }
    }

    unsafe fn realloc(&mut self, of: *mut u8, size: usize) -> *mut u8 {
        if of.is_null() {
            return self.alloc(size);
        }
        let Some(wanted) = layout(size) else { return ptr::null_mut() };
        // SAFETY: the engine gives back what it got from here
        let (start, before) = unsafe { whole(of) };
        if wanted.size() > before && !self.admits(wanted.size() - before, size) {
            return ptr::null_mut();
        }
        // SAFETY: as above, and the new size is that of a valid layout
        unsafe {
            let moved = realloc(start, Layout::from_size_align_unchecked(before, HEADER), wanted.size());
            if moved.is_null() {
                return moved;
            }
            self.count(self.used - before + wanted.size());
            moved.cast::<usize>().write(wanted.size());
            moved.add(HEADER)
        }
    }

    unsafe fn usable_size(of: *mut u8) -> usize {
        // SAFETY: the engine asks about what it got from here
        unsafe { whole(of).1 - HEADER }
    }
}

#[cfg(test)]
mod tests {
    use orrery_workers::Stop;
    use tokio::sync::oneshot;

    use super::*;
    use crate::control::Reason;

    fn memory(limit: usize) -> (Memory, Arc<Meter>, Arc<Control>) {
        let (meter, control) = (Arc::default(), Arc::new(Control::new(Stop::new(), oneshot::channel().0)));
        let bounds = OnceLock::from(Bounds { limit, control: Arc::clone(&control) });
        (Memory::new(Arc::clone(&meter), Arc::new(bounds)), meter, control)
    }

    #[test]
    fn what_is_used_is_counted_and_bounded() {
        let (mut memory, meter, _) = memory(1_000);
        let piece = memory.calloc(10, 10);
        assert!(!piece.is_null());
        assert_eq!(meter.used(), 116);
        // SAFETY: `piece` is this allocator's and is not used after it is given back
        unsafe {
            assert_eq!(Memory::usable_size(piece), 100);
            let piece = memory.realloc(piece, 900);
            assert!(!piece.is_null());
            assert_eq!(*piece.add(99), 0, "what was there moves along");
            assert!(memory.alloc(900).is_null());
            assert!(memory.realloc(piece, 2_000).is_null(), "it stays as it was");
            memory.dealloc(piece);
        }
        assert_eq!((meter.used(), meter.peak()), (0, 916));
        assert!(memory.calloc(usize::MAX, 2).is_null());
    }

    #[test]
    fn an_interrupted_run_gets_no_large_pieces_and_few_small_ones() {
        let (mut memory, _, control) = memory(usize::MAX);
        control.raise(Reason::Slice);
        assert!(memory.alloc(LARGE).is_null());
        let small: Vec<_> =
            std::iter::repeat_with(|| memory.alloc(1_000)).take_while(|piece| !piece.is_null()).take(1_000).collect();
        assert!((200..300).contains(&small.len()), "{}", small.len());
        for piece in small {
            // SAFETY: each is this allocator's and is given back once
            unsafe { memory.dealloc(piece) };
        }
        assert!(!memory.alloc(1_000).is_null());
    }
}
