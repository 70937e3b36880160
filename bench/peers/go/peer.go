// A peer of cancelbench: Go's package context with errgroup-like workers.
//
// The form is that of the example "Pipeline" of package errgroup and of the article "Go
// Concurrency Patterns: Pipelines and cancellation" (bounded parallelism): one goroutine sends the
// indices, a fixed number of workers receive them, all heed one context, and the results lie in a
// slice. Each job has a context of its own from the beginning, so that it can be cancelled alone;
// with the argument `late` only from when a worker takes it, which is more usual, but then a job
// that is pending can't be cancelled alone. As package context asks, a job's cancel is called as
// soon as the job is over. A worker looks at the context before it begins a job. A `coroutine` is a
// goroutine that waits, as many as there are jobs.
//
// A context says only that it was cancelled, not what became of a job: so nothing is `told`.
//
//	go build -o peer && ./peer [late]
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

const (
	jobsMax       = 1_000_000
	coroutinesMax = 300_000
)

// Whether a job's context is made when a worker takes it.
var late = len(os.Args) == 2 && os.Args[1] == "late"

type request struct {
	Script  string
	Jobs    int
	Workers int
	Running int64
	Body    string
	BodyNs  int64 `json:"body_ns"`
	PollNs  int64 `json:"poll_ns"`
	PauseNs int64 `json:"pause_ns"`
	Warm    bool
	Ledger  string
}

type answer map[string]any

type job struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// A number of jobs that are cancelled together.
type run struct {
	request
	cancel  context.CancelFunc
	group   sync.WaitGroup
	results []int // a job's index where it has finished
	notes   []notes
	ledger  ledger
}

type body func(*run, context.Context, int, *notes) error

var bodies = map[string]body{"poll": (*run).poll, "sleep": (*run).sleep, "coroutine": (*run).sleep}

func (r *run) poll(ctx context.Context, i int, n *notes) error {
	began := r.enter(i, n)
	for time, end := began, began+r.BodyNs; time < end; {
		if err := ctx.Err(); err != nil {
			if time != began {
				began = 0
			}
			return r.interrupt(i, n, began, err)
		}
		for next := time + r.PollNs; time < next; {
			time = now()
		}
	}
	return r.finish(i, n)
}

func (r *run) sleep(ctx context.Context, i int, n *notes) error {
	r.enter(i, n)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return r.interrupt(i, n, 0, ctx.Err())
	case <-timer.C:
		return r.finish(i, n)
	}
}

// spin is the body for throughput.
func (r *run) spin(_ context.Context, _ int, n *notes) error {
	if r.BodyNs > 0 {
		for end := now() + r.BodyNs; now() < end; {
		}
	}
	n.finished++
	return nil
}

// start hands over the jobs.
func start(req request, ledger ledger, body body) *run {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{request: req, cancel: cancel, ledger: ledger, results: make([]int, req.Jobs)}
	jobs := make([]job, req.Jobs)
	for i := range jobs {
		r.results[i] = -1
		if !late {
			jobs[i].ctx, jobs[i].cancel = context.WithCancel(ctx)
		}
	}
	do := func(i int, n *notes) {
		job := &jobs[i]
		if late {
			job.ctx, job.cancel = context.WithCancel(ctx)
		}
		defer job.cancel()
		if job.ctx.Err() == nil && body(r, job.ctx, i, n) == nil {
			r.results[i] = i
		}
	}
	if req.Body == "coroutine" {
		r.notes = make([]notes, req.Jobs)
		for i := range jobs {
			r.spawn(func(i int) func() { return func() { do(i, &r.notes[i]) } }(i))
		}
		return r
	}
	r.notes = make([]notes, req.Workers)
	indices := make(chan int)
	r.spawn(func() {
		defer close(indices)
		for i := range jobs {
			select {
			case indices <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	for w := range r.notes {
		n := &r.notes[w]
		r.spawn(func() {
			for i := range indices {
				do(i, n)
			}
		})
	}
	return r
}

func (r *run) spawn(f func()) {
	r.group.Add(1)
	go func() {
		defer r.group.Done()
		f()
	}()
}

// await waits until as many bodies are inside as were asked for, or all jobs have ended.
func (r *run) await() error {
	end := now() + int64(time.Minute)
	for {
		inside, ended := r.counts()
		if inside >= r.Running || ended >= int64(r.Jobs) {
			return nil
		}
		if now() > end {
			r.cancel()
			r.group.Wait()
			return fmt.Errorf("there were not %d bodies inside at once within a minute", r.Running)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func cancel(req request, ledger ledger) (answer, error) {
	body, known := bodies[req.Body]
	if !known {
		return nil, fmt.Errorf("there is no body '%s' here", req.Body)
	}
	var other *run
	if req.Warm {
		if req.Workers < 2 {
			return nil, fmt.Errorf("two runs want two workers")
		}
		endless := req
		endless.Jobs, endless.Running, endless.Workers, endless.BodyNs = 1, 1, 1, int64(time.Hour)
		req.Workers-- // goroutines that share the threads, and as many as workers in all
		other = start(endless, nil, body)
		if err := other.await(); err != nil {
			return nil, err
		}
	}
	debug.FreeOSMemory() // so that what earlier requests left is not taken for this one's
	memory := resident()
	r := start(req, ledger, body)
	if err := r.await(); err != nil {
		if other != nil {
			other.cancel()
		}
		return nil, err
	}
	memory = resident() - memory
	threads := threads()
	time.Sleep(time.Duration(req.PauseNs))

	used := processor(threads)
	if other != nil {
		other.cancel()
	}
	called := now()
	r.cancel()
	returned := now()
	if req.Script == "crash" {
		return answer{"called": called, "returned": returned}, nil
	}
	r.group.Wait()
	awake := now()
	used = processor(threads) - used

	if other != nil {
		other.group.Wait()
	}
	var sum notes
	for i := range r.notes {
		sum.add(&r.notes[i])
	}
	found := answer{"called": called, "returned": returned, "quiet": sum.left, "awake": awake,
		"started": sum.started.Load(), "finished": sum.finished, "interrupted": sum.interrupted,
		"bytes": memory, "cpu_ns": used, "results": r.count()}
	if sum.seen != 0 {
		found["seen"] = sum.seen
	}
	return found, nil
}

// count says how many jobs have given their index.
func (r *run) count() (sum int) {
	for i, result := range r.results {
		if result == i {
			sum++
		}
	}
	return
}

func throughput(req request) answer {
	called := now()
	r := start(req, nil, (*run).spin)
	r.group.Wait()
	return answer{"called": called, "awake": now(), "finished": r.count()}
}

func perform(req request) (answer, error) {
	if req.Script == "recover" {
		return answer{}, nil // nothing is kept
	}
	if req.Script != "cancel" && req.Script != "crash" && req.Script != "throughput" {
		return nil, fmt.Errorf("there is no script '%s' here", req.Script)
	}
	if req.Jobs < 1 || req.Jobs > jobsMax || req.Workers < 1 {
		return nil, fmt.Errorf("can't run %d jobs on %d workers", req.Jobs, req.Workers)
	}
	if req.Body == "coroutine" && req.Jobs > coroutinesMax {
		return nil, fmt.Errorf("can't run %d coroutines, which take 5 KB each", req.Jobs)
	}
	runtime.GOMAXPROCS(req.Workers + 1) // the caller has a thread of its own, as elsewhere
	if req.Script == "throughput" {
		return throughput(req), nil
	}
	ledger, err := openLedger(req.Ledger, req.Jobs)
	if err != nil {
		return nil, err
	}
	if req.Script == "cancel" { // after a crash bodies still write
		defer ledger.close()
	}
	return cancel(req, ledger)
}

func main() {
	name := "Go context, errgroup-like workers"
	if late {
		name += ", late"
	}
	out := json.NewEncoder(os.Stdout)
	out.Encode(answer{"cancelbench": 1, "peer": name, "version": runtime.Version(),
		"scripts": []string{"cancel", "throughput", "crash"},
		"bodies":  []string{"poll", "sleep", "coroutine"}, "jobs_max": jobsMax})
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 128<<10)
	for in.Scan() {
		req := request{Body: "poll"}
		err := json.Unmarshal(in.Bytes(), &req)
		var found answer
		if err == nil {
			found, err = perform(req)
		}
		if err != nil {
			found = answer{"error": err.Error()}
		}
		out.Encode(found)
	}
}
