//! A peer of cancelbench: tokio's multi-thread runtime with tokio_util's CancellationToken.
//!
//! The form is that of the manuals of CancellationToken and JoinSet: a task for each job, with a
//! child token of its own from the beginning, by which it could be cancelled alone; with the
//! argument `late` only from when it is first polled, and then a task that is pending can't be
//! cancelled alone. A body asks `is_cancelled()`, or waits in `select!` for `cancelled()`. The
//! caller waits in `join_next` until all tasks are over. Each task is polled in the end, whether it
//! is cancelled or not: so it asks its token before its body starts. Sleeping bodies wait for a
//! permit of a Semaphore, so that as many are inside as there are workers; for a `coroutine` there
//! is no limit.
//!
//! To the library a task that heeds its token has ended like any other: so nothing is `told`.
//!
//!     cargo build --release --offline && target/release/tokio-peer [late]

mod measure;

use measure::{now, processor, resident, take_place, threads, Failure, Notes, THREADS_MAX};
use serde::Deserialize;
use serde_json::{json, Value};
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const JOBS_MAX: usize = 1_000_000;
const HOUR: Duration = Duration::from_secs(3600);

/// Whether a job's token is made when it is first polled.
fn late() -> bool {
    std::env::args().nth(1).as_deref() == Some("late")
}

/// What the driver asks for.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Request {
    script: String,
    jobs: usize,
    workers: usize,
    running: i64,
    body: String,
    body_ns: i64,
    poll_ns: i64,
    pause_ns: u64,
    warm: bool,
    ledger: String,
}

/// What the jobs of one run share.
struct Shared {
    request: Request,
    notes: Notes,
    permits: Semaphore,
    late: bool,
}

impl Shared {
    /// A job's first act; its token, if it is to begin.
    fn begin(&self, token: CancellationToken) -> Option<CancellationToken> {
        let token = if self.late {
            token.child_token()
        } else {
            token
        };
        (!token.is_cancelled()).then(|| token)
    }
}

// The jobs. Each gives its index unless it is interrupted.

async fn poll(run: Arc<Shared>, token: CancellationToken, index: usize) -> Option<usize> {
    let token = run.begin(token)?;
    let began = run.notes.enter(index);
    let end = began + run.request.body_ns;
    let mut time = began;
    while time < end {
        if token.is_cancelled() {
            return run.notes.interrupt(index, (time == began).then(|| began));
        }
        let next = time + run.request.poll_ns;
        while time < next {
            time = now();
        }
    }
    run.notes.finish(index)
}

async fn coroutine(run: Arc<Shared>, token: CancellationToken, index: usize) -> Option<usize> {
    let token = run.begin(token)?;
    run.notes.enter(index);
    tokio::select! {
        _ = token.cancelled() => run.notes.interrupt(index, None),
        _ = tokio::time::sleep(HOUR) => run.notes.finish(index),
    }
}

async fn sleep(run: Arc<Shared>, token: CancellationToken, index: usize) -> Option<usize> {
    let _permit = tokio::select! {
        biased;
        _ = token.cancelled() => return None,
        permit = run.permits.acquire() => permit,
    };
    coroutine(run.clone(), token, index).await
}

/// The job for throughput.
async fn spin(run: Arc<Shared>, token: CancellationToken, index: usize) -> Option<usize> {
    run.begin(token)?;
    if run.request.body_ns > 0 {
        let end = now() + run.request.body_ns;
        while now() < end {}
    }
    Some(index)
}

/// Jobs that are cancelled together.
struct Run<'a> {
    runtime: &'a Runtime,
    stop: CancellationToken,
    tokens: Vec<CancellationToken>, // by which a caller could cancel one alone
    tasks: JoinSet<Option<usize>>,
    shared: Arc<Shared>,
}

impl<'a> Run<'a> {
    fn start(runtime: &'a Runtime, request: &Request) -> Result<Run<'a>, Failure> {
        let mut run = Run {
            runtime,
            stop: CancellationToken::new(),
            tokens: Vec::new(),
            tasks: JoinSet::new(),
            shared: Arc::new(Shared {
                request: request.clone(),
                notes: Notes::new(&request.ledger, request.jobs)?,
                permits: Semaphore::new(request.workers),
                late: late(),
            }),
        };
        match (request.script.as_str(), request.body.as_str()) {
            ("throughput", _) => run.spawn(spin),
            (_, "poll" | "") => run.spawn(poll),
            (_, "sleep") => run.spawn(sleep),
            (_, "coroutine") => run.spawn(coroutine),
            (_, other) => return Err(format!("there is no body '{other}' here").into()),
        }
        Ok(run)
    }

    fn spawn<F>(&mut self, job: fn(Arc<Shared>, CancellationToken, usize) -> F)
    where
        F: std::future::Future<Output = Option<usize>> + Send + 'static,
    {
        for index in 0..self.shared.request.jobs {
            let mut token = self.stop.clone();
            if !self.shared.late {
                token = self.stop.child_token();
                self.tokens.push(token.clone());
            }
            let task = job(self.shared.clone(), token, index);
            self.tasks.spawn_on(task, self.runtime.handle());
        }
    }

    fn wait_until_inside(&mut self) -> Result<(), Failure> {
        let count = self.shared.request.running;
        let jobs = self.shared.request.jobs as i64;
        let notes = &self.shared.notes;
        let end = now() + 60_000_000_000;
        while notes.sum(|place| &place.inside) < count && notes.ended() < jobs {
            if now() > end {
                self.stop.cancel();
                self.wait();
                return Err(format!("{count} bodies were not inside at once for a minute").into());
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        Ok(())
    }

    /// How many tasks have given their index.
    fn wait(&mut self) -> usize {
        let tasks = &mut self.tasks;
        self.runtime.block_on(async {
            let mut results = 0;
            while let Some(result) = tasks.join_next().await {
                results += usize::from(matches!(result, Ok(Some(_))));
            }
            results
        })
    }
}

fn cancel(runtime: &Runtime, request: &Request) -> Result<Value, Failure> {
    let mut other = None;
    if request.warm {
        let mut endless = request.clone();
        (endless.jobs, endless.running, endless.ledger) = (1, 1, String::new());
        endless.body_ns = HOUR.as_nanos() as i64;
        let mut single = Run::start(runtime, &endless)?;
        single.wait_until_inside()?;
        other = Some(single);
    }
    unsafe { libc::malloc_trim(0) }; // what earlier requests left is not to be taken for this one's
    let memory = resident()?;
    let mut run = Run::start(runtime, request)?;
    run.wait_until_inside()?;
    let memory = resident()? - memory;
    let threads = threads()?;
    std::thread::sleep(Duration::from_nanos(request.pause_ns));

    let used = processor(&threads);
    if let Some(other) = &other {
        other.stop.cancel();
    }
    let called = now();
    run.stop.cancel();
    let returned = now();
    if request.script == "crash" {
        std::mem::forget(run); // its tasks go on
        return Ok(json!({"called": called, "returned": returned}));
    }
    let results = run.wait();
    let awake = now();
    let used = processor(&threads) - used;

    if let Some(other) = &mut other {
        other.wait();
    }
    let mut found = json!({
        "called": called, "returned": returned, "awake": awake,
        "started": run.shared.notes.sum(|place| &place.started),
        "finished": run.shared.notes.sum(|place| &place.finished),
        "interrupted": run.shared.notes.sum(|place| &place.interrupted),
        "bytes": memory, "cpu_ns": used, "results": results,
    });
    if let Some(seen) = run.shared.notes.last(|place| &place.seen) {
        found["seen"] = seen.into();
    }
    if let Some(left) = run.shared.notes.last(|place| &place.left) {
        found["quiet"] = left.into();
    }
    Ok(found)
}

fn throughput(runtime: &Runtime, request: &Request) -> Result<Value, Failure> {
    let called = now();
    let mut run = Run::start(runtime, request)?;
    let finished = run.wait();
    Ok(json!({"called": called, "awake": now(), "finished": finished}))
}

fn new_runtime(workers: usize) -> Result<Runtime, Failure> {
    let next = AtomicUsize::new(0);
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_time()
        .on_thread_start(move || take_place(next.fetch_add(1, Relaxed)))
        .build()?;
    Ok(runtime)
}

/// Answers a line. The runtime and its threads are kept until a request wants more or fewer.
fn perform(line: &str, kept: &mut Option<(usize, Runtime)>) -> Result<Value, Failure> {
    let request: Request = serde_json::from_str(line)?;
    let perform = match request.script.as_str() {
        "cancel" | "crash" => cancel,
        "throughput" => throughput,
        "recover" => return Ok(json!({})), // nothing is kept
        other => return Err(format!("there is no script '{other}' here").into()),
    };
    let Request { jobs, workers, .. } = request;
    if jobs > JOBS_MAX || !(1..=THREADS_MAX).contains(&workers) {
        return Err(format!("can't run {jobs} jobs on {workers} workers").into());
    }
    if !matches!(kept, Some((threads, _)) if *threads == workers) {
        *kept = Some((workers, new_runtime(workers)?));
    }
    perform(&kept.as_ref().unwrap().1, &request)
}

/// The version with which this was built.
fn version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let found = lock.split("name = \"tokio\"\nversion = \"").nth(1);
    found
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("unknown")
}

fn main() -> Result<(), Failure> {
    let peer = if late() {
        "tokio CancellationToken, late"
    } else {
        "tokio CancellationToken"
    };
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{}",
        json!({
            "cancelbench": 1, "peer": peer, "version": version(),
            "scripts": ["cancel", "throughput", "crash"],
            "bodies": ["poll", "sleep", "coroutine"], "jobs_max": JOBS_MAX,
        })
    )?;
    let mut kept = None;
    for line in std::io::stdin().lock().lines() {
        let answer = perform(&line?, &mut kept);
        writeln!(
            out,
            "{}",
            answer.unwrap_or_else(|error| json!({"error": error.to_string()}))
        )?;
    }
    Ok(())
}
