package main

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Clocks of the kernel. That of a thread's processor time is ^thread<<3 | threadTime.
const (
	monotonic   = 1
	processTime = 2
	threadTime  = 6
)

func kernelClock(id int) int64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

// threads gives the clocks of the threads that there are.
func threads() (clocks []int) {
	entries, _ := os.ReadDir("/proc/self/task")
	for _, entry := range entries {
		if id, err := strconv.Atoi(entry.Name()); err == nil {
			clocks = append(clocks, ^id<<3|threadTime)
		}
	}
	return
}

// processor gives the processor time of the process. A thread that is running is accounted for only
// at the kernel's ticks, or when its own clock is read: so these are read first.
func processor(threads []int) int64 {
	for _, clock := range threads {
		kernelClock(clock)
	}
	return kernelClock(processTime)
}

// The time package reads CLOCK_MONOTONIC, too, but tells only differences.
var (
	origin   = time.Now()
	originNs = kernelClock(monotonic)
)

// now gives nanoseconds of CLOCK_MONOTONIC.
func now() int64 { return originNs + int64(time.Since(origin)) }

// resident gives the bytes of resident memory.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	var size, pages int64
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &pages)
	}
	if err != nil {
		panic(err)
	}
	return pages * int64(os.Getpagesize())
}

// Two times a job, in a file that the driver maps, too; or nil.
type ledger []int64

func openLedger(name string, jobs int) (ledger, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() != 16*int64(jobs) {
		return nil, fmt.Errorf("'%s' is no ledger of %d jobs", name, jobs)
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, 16*jobs, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*int64)(unsafe.Pointer(&bytes[0])), 2*jobs), nil
}

func (l ledger) close() {
	if l != nil {
		syscall.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&l[0])), 8*len(l)))
	}
}

func (l ledger) note(place int, time int64) {
	if l != nil {
		atomic.StoreInt64(&l[place], time)
	}
}

// What the bodies of one worker did, or the body of one coroutine. Nobody else writes there, and
// while bodies run, others read only how many have started and ended.
type notes struct {
	started, ended        atomic.Int64
	finished, interrupted int64
	seen, left            int64
	_                     [128 - 48]byte // no other's cache line
}

// add sums up; no body runs any more.
func (n *notes) add(m *notes) {
	n.started.Add(m.started.Load())
	n.finished += m.finished
	n.interrupted += m.interrupted
	if m.seen > n.seen {
		n.seen = m.seen
	}
	if m.left > n.left {
		n.left = m.left
	}
}

// A body's first act; the time.
func (r *run) enter(i int, n *notes) int64 {
	time := now()
	r.ledger.note(2*i, time)
	n.started.Store(n.started.Load() + 1)
	return time
}

// finish is the last act of a body that came to its end.
func (r *run) finish(i int, n *notes) error {
	n.finished++
	n.leave()
	r.ledger.note(2*i+1, n.left)
	return nil
}

// interrupt is the last act of a body that has just seen the stop. If its first question told it
// so, it has done nothing since it began: the ledger gets that time, otherwise 0 is given here.
func (r *run) interrupt(i int, n *notes, began int64, err error) error {
	n.seen = now()
	n.interrupted++
	n.leave()
	if began == 0 {
		began = n.left
	}
	r.ledger.note(2*i+1, -began)
	return err
}

func (n *notes) leave() {
	n.ended.Store(n.ended.Load() + 1)
	n.left = now()
}

// counts says how many bodies are inside, and how many have left.
func (r *run) counts() (inside, ended int64) {
	// First, so that none seems to be inside that is not.
	for i := range r.notes {
		inside += r.notes[i].started.Load()
	}
	for i := range r.notes {
		ended += r.notes[i].ended.Load()
	}
	return inside - ended, ended
}
