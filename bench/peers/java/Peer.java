// A peer of cancelbench: Java's ExecutorService.
//
// The form is that of the usage examples in the manual of ExecutorService: a fixed thread pool, a
// Callable for each job, whose Future could cancel it alone, and shutdownNow with awaitTermination
// to stop all. No other stop lets a caller wait for the bodies: a Future that is cancelled is done
// at once, though its body still runs. A body asks Thread.interrupted(), or is interrupted in
// Thread.sleep, and throws InterruptedException.
//
// What is told: the tasks in the list that shutdownNow returns never started; a Future whose get()
// throws was interrupted, one that gives a result has finished. A pool that was shut down is gone
// with its threads. So each run has a pool of its own, whose threads are there before its jobs, and
// another run is in another pool, which has one of the workers. `cpu_ns` is left out: Java counts the processor time of the
// process in steps of 10 ms.
//
//     javac -d DIRECTORY Peer.java && java -cp DIRECTORY Peer
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.IntFunction;
import java.util.function.ToLongFunction;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public final class Peer {
    static final int JOBS_MAX = 5_000_000;
    static final long HOUR = TimeUnit.HOURS.toNanos(1);

    /** A thread and what its bodies did; no other thread writes there. */
    static final class Worker extends Thread {
        /** While bodies run, others read these two. */
        private static final int STARTED = 16, ENDED = 17;
        private final AtomicLongArray counts = new AtomicLongArray(2 * 16 + 2); // no other's cache line
        long finished, interrupted, seen, left;

        Worker(Runnable task) { super(task); }

        void enter() { counts.setRelease(STARTED, counts.getPlain(STARTED) + 1); }

        void leave() {
            counts.setRelease(ENDED, counts.getPlain(ENDED) + 1);
            left = System.nanoTime();
        }

        long started() { return counts.getAcquire(STARTED); }

        long ended() { return counts.getAcquire(ENDED); }

        static Worker current() { return (Worker) Thread.currentThread(); }
    }

    /** Jobs that are cancelled together. */
    static final class Run {
        final Request request;
        final LongBuffer ledger; // two times a job; or null
        final List<Worker> workers = new CopyOnWriteArrayList<>();
        final ThreadPoolExecutor pool;
        final List<Future<Integer>> futures = new ArrayList<>();
        List<Runnable> neverStarted;

        Run(Request request, LongBuffer ledger) {
            this.request = request;
            this.ledger = ledger;
            pool = (ThreadPoolExecutor) Executors.newFixedThreadPool(request.workers(), task -> {
                var worker = new Worker(task);
                workers.add(worker);
                return worker;
            });
            pool.prestartAllCoreThreads();
        }

        Run submit(IntFunction<Callable<Integer>> job) {
            for (int index = 0; index != request.jobs(); ++index)
                futures.add(pool.submit(job.apply(index)));
            return this;
        }

        void cancel() { neverStarted = pool.shutdownNow(); }

        void await() throws InterruptedException {
            pool.awaitTermination(Long.MAX_VALUE, TimeUnit.NANOSECONDS);
        }

        void awaitInside() throws InterruptedException {
            long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
            while (true) {
                long started = sum(Worker::started); // first, so that none seems to be inside that is not
                long ended = sum(Worker::ended);
                if (started - ended >= request.running() || ended >= request.jobs())
                    return;
                if (System.nanoTime() > end) {
                    cancel();
                    await();
                    throw new IllegalArgumentException("there were not " + request.running()
                            + " bodies inside at once within a minute");
                }
                TimeUnit.MICROSECONDS.sleep(50);
            }
        }

        /** What the futures say, each of which that has finished gives its index. */
        Map<String, Object> told() throws InterruptedException {
            int finished = 0;
            int interrupted = 0;
            for (int index = 0; index != futures.size(); ++index)
                try {
                    var future = futures.get(index);
                    if (future.isDone() && future.get() == index)
                        ++finished;
                } catch (ExecutionException stopped) {
                    ++interrupted;
                }
            return Map.of("finished", finished, "interrupted", interrupted, "never_started",
                    neverStarted.size());
        }

        long sum(ToLongFunction<Worker> what) { return workers.stream().mapToLong(what).sum(); }

        long last(ToLongFunction<Worker> what) {
            return workers.stream().mapToLong(what).max().orElse(0);
        }

        // The bodies.

        Callable<Integer> body(int index) {
            return switch (request.body()) {
                case "poll" -> () -> poll(index);
                case "sleep" -> () -> sleep(index);
                default -> throw new IllegalArgumentException(
                        "there is no body '" + request.body() + "' here");
            };
        }

        int poll(int index) throws InterruptedException {
            long began = enter(index);
            long end = began + request.bodyNs();
            for (long time = began; time < end;) {
                if (Thread.interrupted())
                    throw interrupted(index, time == began ? began : 0, new InterruptedException());
                for (long next = time + request.pollNs(); time < next;)
                    time = System.nanoTime();
            }
            return finished(index);
        }

        int sleep(int index) throws InterruptedException {
            enter(index);
            try {
                TimeUnit.NANOSECONDS.sleep(HOUR);
            } catch (InterruptedException stop) {
                throw interrupted(index, 0, stop);
            }
            return finished(index);
        }

        long enter(int index) {
            long time = System.nanoTime();
            if (ledger != null)
                ledger.put(2 * index, time);
            Worker.current().enter();
            return time;
        }

        int finished(int index) {
            var worker = Worker.current();
            ++worker.finished;
            worker.leave();
            if (ledger != null)
                ledger.put(2 * index + 1, worker.left);
            return index;
        }

        /** If its first question told a body to stop, it has done nothing since it `began`. */
        InterruptedException interrupted(int index, long began, InterruptedException stop) {
            var worker = Worker.current();
            worker.seen = System.nanoTime();
            ++worker.interrupted;
            worker.leave();
            if (ledger != null)
                ledger.put(2 * index + 1, began != 0 ? -began : -worker.left);
            return stop;
        }

        /** The body for throughput. */
        Callable<Integer> spin(int index) {
            return () -> {
                if (request.bodyNs() > 0)
                    for (long end = System.nanoTime() + request.bodyNs(); System.nanoTime() < end;)
                        Thread.onSpinWait();
                return index;
            };
        }
    }

    static Map<String, Object> cancel(Request asked) throws Exception {
        Run other = null;
        var request = asked;
        if (asked.warm()) {
            if (asked.workers() < 2)
                throw new IllegalArgumentException("two runs want two workers");
            other = new Run(asked.endlessJob(), null);
            other.submit(other::body).awaitInside();
            request = asked.withWorkers(asked.workers() - 1);
        }
        var run = new Run(request, openLedger(request));
        System.gc(); // so that what earlier requests left is not taken for this one's
        long memory = residentBytes();
        run.submit(run::body).awaitInside();
        memory = residentBytes() - memory;
        TimeUnit.NANOSECONDS.sleep(request.pauseNs());

        if (other != null)
            other.cancel();
        long called = System.nanoTime();
        run.cancel();
        long returned = System.nanoTime();
        if (request.script().equals("crash"))
            return Map.of("called", called, "returned", returned, "told", run.told());
        run.await();
        long awake = System.nanoTime();

        if (other != null)
            other.await();
        var told = run.told();
        var found = new HashMap<String, Object>(Map.of("called", called, "returned", returned,
                "quiet", run.last(worker -> worker.left), "awake", awake,
                "started", run.sum(Worker::started),
                "finished", run.sum(worker -> worker.finished),
                "interrupted", run.sum(worker -> worker.interrupted), "bytes", memory,
                "told", told, "results", told.get("finished")));
        long seen = run.last(worker -> worker.seen);
        if (seen != 0)
            found.put("seen", seen);
        return found;
    }

    static Map<String, Object> throughput(Request request) throws Exception {
        var run = new Run(request, null);
        long called = System.nanoTime();
        run.submit(run::spin);
        int finished = 0;
        for (int index = 0; index != request.jobs(); ++index)
            if (run.futures.get(index).get() == index)
                ++finished;
        long awake = System.nanoTime();
        run.pool.shutdown();
        run.await();
        return Map.of("called", called, "awake", awake, "finished", finished);
    }

    static long residentBytes() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
    }

    static LongBuffer openLedger(Request request) throws IOException {
        if (request.ledger() == null)
            return null;
        try (var file = FileChannel.open(Path.of(request.ledger()), StandardOpenOption.READ,
                     StandardOpenOption.WRITE)) {
            if (file.size() != 16L * request.jobs())
                throw new IllegalArgumentException(
                        "'" + request.ledger() + "' is no ledger of " + request.jobs() + " jobs");
            return file.map(FileChannel.MapMode.READ_WRITE, 0, file.size())
                    .order(ByteOrder.nativeOrder())
                    .asLongBuffer();
        }
    }

    // The lines.

    /** A member of a flat object: its name, and a string or something else as its value. */
    static final Pattern MEMBER =
            Pattern.compile("\"(\\w+)\"\\s*:\\s*(?:\"((?:[^\"\\\\]++|\\\\.)*+)\"|([\\w.+-]+))");

    record Request(String script, int jobs, int workers, int running, String body, long bodyNs,
            long pollNs, long pauseNs, boolean warm, String ledger) {
        static Request parse(String line) {
            var members = new HashMap<String, String>();
            for (var found = MEMBER.matcher(line); found.find();)
                members.put(found.group(1), found.group(2) == null
                        ? found.group(3)
                        : found.group(2).replaceAll("\\\\(.)", "$1"));
            ToLongFunction<String> number = name -> Long.parseLong(members.getOrDefault(name, "0"));
            return new Request(members.get("script"), (int) number.applyAsLong("jobs"),
                    (int) number.applyAsLong("workers"), (int) number.applyAsLong("running"),
                    members.getOrDefault("body", "poll"), number.applyAsLong("body_ns"),
                    number.applyAsLong("poll_ns"), number.applyAsLong("pause_ns"),
                    Boolean.parseBoolean(members.get("warm")), members.get("ledger"));
        }

        Request withWorkers(int count) {
            return new Request(script, jobs, count, running, body, bodyNs, pollNs, pauseNs, warm,
                    ledger);
        }

        /** A single job, on one worker, that ends only when it is told to. */
        Request endlessJob() {
            return new Request(script, 1, 1, 1, body, HOUR, pollNs, pauseNs, false, null);
        }
    }

    static String json(Object value) {
        if (value instanceof Map<?, ?> members)
            return members.entrySet().stream()
                    .map(member -> json(member.getKey()) + ": " + json(member.getValue()))
                    .collect(Collectors.joining(", ", "{", "}"));
        if (value instanceof List<?> values)
            return values.stream().map(Peer::json).collect(Collectors.joining(", ", "[", "]"));
        if (value instanceof String text)
            return '"' + text.replaceAll("[\"\\\\]", "\\\\$0").replaceAll("\\p{Cntrl}", " ") + '"';
        return value.toString();
    }

    static Map<String, Object> perform(Request request) throws Exception {
        if (request.jobs() > JOBS_MAX)
            throw new IllegalArgumentException(request.jobs() + " jobs are more than " + JOBS_MAX);
        return switch (String.valueOf(request.script())) {
            case "cancel", "crash" -> cancel(request);
            case "throughput" -> throughput(request);
            case "recover" -> Map.of(); // nothing is kept
            default -> throw new IllegalArgumentException(
                    "there is no script '" + request.script() + "' here");
        };
    }

    public static void main(String[] arguments) throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        out.println(json(Map.of("cancelbench", 1, "peer", "Java ExecutorService", "version",
                System.getProperty("java.version"), "scripts",
                List.of("cancel", "throughput", "crash"), "bodies", List.of("poll", "sleep"),
                "jobs_max", JOBS_MAX)));
        for (String line; (line = in.readLine()) != null;)
            try {
                out.println(json(perform(Request.parse(line))));
            } catch (Exception error) {
                out.println(json(Map.of("error", String.valueOf(error.getMessage()))));
            }
        System.exit(0); // also if a crash was asked for and didn't come
    }
}
