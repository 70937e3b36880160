//! What bodies did and when: each thread notes it in memory of its own, so that measuring costs
//! little and the same for every library.

use std::cell::Cell;
use std::error::Error;
use std::os::unix::io::AsRawFd;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

pub type Failure = Box<dyn Error>;

pub const THREADS_MAX: usize = 64;

fn clock(id: libc::clockid_t) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(id, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub fn now() -> i64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// The clocks of the threads that there are.
pub fn threads() -> Result<Vec<libc::clockid_t>, Failure> {
    let mut clocks = vec![];
    for thread in std::fs::read_dir("/proc/self/task")? {
        let id: i32 = thread?.file_name().to_string_lossy().parse()?;
        clocks.push(!id << 3 | 6);
    }
    Ok(clocks)
}

/// The processor time of the process. The kernel accounts for a thread that is running only at its
/// ticks, or when that thread's own clock is read: so these are read first.
pub fn processor(threads: &[libc::clockid_t]) -> i64 {
    for &thread in threads {
        clock(thread);
    }
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Bytes of resident memory.
pub fn resident() -> Result<i64, Failure> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: i64 = text.split(' ').nth(1).ok_or("statm is short")?.parse()?;
    Ok(pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
}

/// Two times a job, in a file that the driver maps, too.
struct Ledger {
    times: *mut libc::c_void,
    bytes: usize,
}

unsafe impl Send for Ledger {}
unsafe impl Sync for Ledger {}

impl Ledger {
    fn open(name: &str, jobs: usize) -> Result<Ledger, Failure> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)?;
        let bytes = 16 * jobs;
        if file.metadata()?.len() != bytes as u64 {
            return Err(format!("'{name}' is no ledger of {jobs} jobs").into());
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let null = std::ptr::null_mut();
        let times =
            unsafe { libc::mmap(null, bytes, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if times == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error().into());
        }
        Ok(Ledger { times, bytes })
    }

    fn note(&self, place: usize, time: i64) {
        let times = self.times as *const AtomicI64;
        unsafe { &*times.add(place) }.store(time, Relaxed);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.times, self.bytes) };
    }
}

/// What bodies did on one thread; on no other's cache line.
#[derive(Default)]
#[repr(align(128))]
pub struct Place {
    pub inside: AtomicI64,
    pub started: AtomicI64,
    pub finished: AtomicI64,
    pub interrupted: AtomicI64,
    pub seen: AtomicI64,
    pub left: AtomicI64,
}

thread_local! {
    static PLACE: Cell<usize> = Cell::new(0);
}

/// Says which place is this thread's, below THREADS_MAX.
pub fn take_place(number: usize) {
    PLACE.with(|place| place.set(number));
}

/// What the bodies of one run did.
pub struct Notes {
    places: Vec<Place>,
    ledger: Option<Ledger>,
}

impl Notes {
    /// The bodies note their times in the ledger of this name, too, unless it is empty.
    pub fn new(ledger: &str, jobs: usize) -> Result<Notes, Failure> {
        let ledger = if ledger.is_empty() {
            None
        } else {
            Some(Ledger::open(ledger, jobs)?)
        };
        let places = (0..THREADS_MAX).map(|_| Place::default()).collect();
        Ok(Notes { places, ledger })
    }

    fn mine(&self) -> &Place {
        &self.places[PLACE.with(Cell::get)]
    }

    /// A body's first act; the time.
    pub fn enter(&self, index: usize) -> i64 {
        let time = now();
        self.note(2 * index, time);
        self.mine().started.fetch_add(1, Relaxed);
        self.mine().inside.fetch_add(1, Relaxed);
        time
    }

    /// The last act of a body that came to its end; its result.
    pub fn finish(&self, index: usize) -> Option<usize> {
        self.mine().finished.fetch_add(1, Relaxed);
        let left = self.leave();
        self.note(2 * index + 1, left);
        Some(index)
    }

    /// The last act of a body that has just seen the stop. If its first question told it so, it has
    /// done nothing since it began: the ledger gets that time.
    pub fn interrupt(&self, index: usize, began: Option<i64>) -> Option<usize> {
        self.mine().seen.store(now(), Relaxed);
        self.mine().interrupted.fetch_add(1, Relaxed);
        let left = self.leave();
        self.note(2 * index + 1, -began.unwrap_or(left));
        None
    }

    fn leave(&self) -> i64 {
        self.mine().inside.fetch_sub(1, Relaxed);
        let time = now();
        self.mine().left.store(time, Relaxed);
        time
    }

    fn note(&self, place: usize, time: i64) {
        if let Some(ledger) = &self.ledger {
            ledger.note(place, time);
        }
    }

    /// How many bodies have left.
    pub fn ended(&self) -> i64 {
        self.sum(|place| &place.finished) + self.sum(|place| &place.interrupted)
    }

    pub fn sum(&self, what: fn(&Place) -> &AtomicI64) -> i64 {
        self.places
            .iter()
            .map(|place| what(place).load(Relaxed))
            .sum()
    }

    /// The latest of some times; nothing if there is none.
    pub fn last(&self, what: fn(&Place) -> &AtomicI64) -> Option<i64> {
        let times = self.places.iter().map(|place| what(place).load(Relaxed));
        times.max().filter(|&time| time != 0)
    }
}
