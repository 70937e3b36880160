// What the peers for services in JavaScript have in common: the lines, the servers, the processes of the workers, what
// bodies note, and the scripts. docs/benchmarks/cancelbench.md says what the lines mean.
//
// A service's bodies run in processes of their own, one for each worker, so that they note what they do in
// files that the peer reads: each process the sums of its bodies in a file of the run's, and each body its
// times in the ledger, if there is one. All of these processes end with the peer, also if it is killed.
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync,
         rmSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Nanoseconds of CLOCK_MONOTONIC. */
export const now = () => Number(process.hrtime.bigint());
export const sleepNs = (nanoseconds) => sleep(nanoseconds / 1e6);

export function spin(nanoseconds) {
    if (nanoseconds === 0)
        return;
    const end = now() + nanoseconds;
    while (now() < end);
}

export async function waitUntil(what, condition, pauseMs = 1, seconds = 120) {
    const end = now() + seconds * 1e9;
    while (!await condition()) {
        if (now() > end)
            throw new Error(`${what}: not within ${seconds} seconds`);
        await sleep(pauseMs);
    }
}

const HOUR_NS = 3.6e12;
const SUMS = ['inside', 'started', 'finished', 'interrupted', 'seen', 'left'];
const PLACE_BYTES = 8 * SUMS.length;

/** What the bodies in one process do; each process has a place of its own in the file. */
export class Notes {
    constructor(path, place, ledger) {
        this.file = openSync(path, 'r+');
        this.ledger = ledger && openSync(ledger, 'r+');
        this.offset = place * PLACE_BYTES;
        this.bytes = Buffer.alloc(PLACE_BYTES);
        this.values = new BigInt64Array(this.bytes.buffer, this.bytes.byteOffset, SUMS.length);
        this.time = new BigInt64Array(1);
        this.sums = Object.fromEntries(SUMS.map((name) => [name, 0]));
    }
    enter(index) {
        const time = now();
        this.#log(16 * index, time);
        this.sums.started += 1;
        this.sums.inside += 1;
        this.#write();
        return time;
    }
    see() { this.sums.seen = now(); }
    /** A body that was interrupted by its first question gives when it `began`, since when it has done nothing. */
    leave(index, interrupted, began) {
        this.sums[interrupted ? 'interrupted' : 'finished'] += 1;
        this.sums.inside -= 1;
        this.sums.left = now();
        this.#log(16 * index + 8, interrupted ? -(began ?? this.sums.left) : this.sums.left);
        this.#write();
    }
    close() {
        closeSync(this.file);
        if (this.ledger)
            closeSync(this.ledger);
    }
    #log(position, time) {
        this.time[0] = BigInt(time);
        if (this.ledger)
            writeSync(this.ledger, this.time, 0, 8, position);
    }
    #write() {
        SUMS.forEach((name, i) => { this.values[i] = BigInt(this.sums[name]); });
        writeSync(this.file, this.bytes, 0, PLACE_BYTES, this.offset);
    }
}

/** What the bodies in all processes have noted in the file. */
function readNotes(path) {
    const bytes = readFileSync(path);
    const places = [];
    for (let at = 0; at < bytes.length; at += PLACE_BYTES)
        places.push(Object.fromEntries(SUMS.map((name, i) => [name, Number(bytes.readBigInt64LE(at + 8 * i))])));
    const sum = (name) => places.reduce((all, place) => all + place[name], 0);
    const last = (name) => Math.max(0, ...places.map((place) => place[name])) || undefined;
    return {begun: places.filter((place) => place.started > 0).length, started: sum('started'),
            finished: sum('finished'), interrupted: sum('interrupted'), seen: last('seen'), left: last('left')};
}

/** Processes that this one started, and theirs. */
function descendants(pid) {
    try {
        const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
            readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean));
        return [pid, ...children.flatMap(descendants)];
    } catch {
        return [pid];
    }
}

const readable = (read) => { try { return read(); } catch { return undefined; } }; // it may have just ended

/** Resident memory of the peer, its workers and its server, what they share counted once. */
const residentBytes = () => descendants(process.pid).reduce((all, pid) => all + 1024 * (readable(() =>
    Number(/^Pss: *(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1])) ?? 0), 0);

/** Processor time of each of their threads. */
const processorNs = () => new Map(descendants(process.pid).flatMap((pid) =>
    readable(() => readdirSync(`/proc/${pid}/task`).map((task) => [task,
        Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])])) ?? []));

/** Starts a program that ends when this one does. */
function start(command, options, identity = []) {
    return spawn('setpriv', [...identity, '--pdeathsig', 'KILL', '--', ...command],
                 {stdio: ['ignore', process.stderr, process.stderr], ...options});
}

async function stop(child, signal) {
    if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill(signal);
        await ended;
    }
}

/** Starts a server, which says what it has to say in a file, and waits until it `accepts`. */
async function serve(name, command, {directory, accepts, cwd, identity}) {
    const path = join(directory, `${name}.log`);
    const log = openSync(path, 'a');
    const server = start(command, {cwd, stdio: ['ignore', log, log]}, identity);
    closeSync(log);
    await waitUntil(name, async () => {
        if (server.exitCode !== null)
            throw new Error(`${name}: ${readFileSync(path, 'utf8').slice(-2000)}`);
        return accepts();
    }, 10);
    return server;
}

const connects = (socket) => new Promise((resolve) => {
    const connection = connect(socket, () => resolve(true) || connection.destroy());
    connection.once('error', () => resolve(false));
});

/** A Redis server that keeps what it has as the manuals recommend: appending, with a sync each second. */
export async function redis(directory) {
    const socket = join(directory, 'redis.socket');
    const server = await serve('redis-server', ['redis-server', '--port', '0', '--unixsocket', socket, '--dir',
        directory, '--save', '', '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'],
        {directory, cwd: directory, accepts: () => connects(socket)});
    return {socket, end: () => stop(server, 'SIGTERM')};
}

/** Sees to it that a segment of shared memory is gone after this process, also where its owner was killed and
 *  could not remove it: by a process in a session of its own, whose input ends with this one. */
function removeSegment(id, identity) {
    const remover = spawn('setpriv', [...identity, '--', 'sh', '-c', 'read -r end; exec ipcrm -m "$1"', 'sh', id],
                          {cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore']});
    remover.unref();
    remover.stdin.unref();
}

/** Where clients find the server below. */
export const database = (socket) => `postgres://postgres@${encodeURIComponent(socket)}/postgres`;

/** A PostgreSQL server as Debian has it. It doesn't run as root, who starts it as the user postgres; because that
 *  user may not see `directory`, its data is in a folder of its own, to which a file there points. */
export async function postgres(directory) {
    const versions = '/usr/lib/postgresql';
    const program = (name, version = newest) => join(versions, String(version), 'bin', name);
    const newest = Math.max(...readdirSync(versions).map(Number).filter((version) =>
        existsSync(program('postgres', version))));
    const root = process.getuid() === 0;
    const identity = root ? ['--reuid', 'postgres', '--regid', 'postgres', '--init-groups'] : [];
    const pointer = join(directory, 'postgres');
    const data = existsSync(pointer) ? readFileSync(pointer, 'utf8') : mkdtempSync(join(tmpdir(), 'cancelbench-'));
    if (existsSync(pointer)) {
        // The processes of a killed server end soon. Its locks seem to be held while nobody has waited for it.
        await waitUntil('the end of the last postgres', () => !readdirSync('/proc').some((pid) =>
            /^\d+$/.test(pid) && readable(() => readlinkSync(`/proc/${pid}/cwd`)) === data), 10);
        for (const lock of ['postmaster.pid', '.s.PGSQL.5432.lock'])
            rmSync(join(data, lock), {force: true});
    } else {
        if (root) {
            const id = (flag) => Number(spawnSync('id', [flag, 'postgres'], {encoding: 'utf8'}).stdout);
            chownSync(data, id('-u'), id('-g'));
        }
        const made = spawnSync('setpriv', [...identity, '--', program('initdb'), '-D', data, '-U', 'postgres', '-A',
                                           'trust', '-E', 'UTF8', '--no-locale'], {cwd: '/', encoding: 'utf8'});
        if (made.status !== 0)
            throw new Error(`initdb: ${made.stderr}`);
        writeFileSync(pointer, data);
    }
    const ready = () => spawnSync(program('pg_isready'), ['-q', '-h', data, '-U', 'postgres']).status === 0;
    const server = await serve('postgres', [program('postgres'), '-D', data, '-c', 'listen_addresses=', '-c',
        `unix_socket_directories=${data}`, '-c', 'dynamic_shared_memory_type=mmap'],
        {directory, cwd: '/', identity, accepts: ready});
    removeSegment(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[6].trim().split(/ +/)[1], identity);
    return {socket: data, async end() {
        await stop(server, 'SIGINT');
        rmSync(data, {recursive: true, force: true});
    }};
}

/** The processes in which bodies run. */
class Workers {
    #processes = [];
    constructor(program) { this.program = program; }

    /** Has each of `count` processes, from the `first` on, do what `message` says, and waits until all have. */
    async all({first, count}, message) {
        while (this.#processes.length < first + count)
            this.#processes.push(start([process.execPath, fileURLToPath(this.program)],
                                       {stdio: ['ignore', process.stderr, process.stderr, 'ipc']}));
        await Promise.all(this.#processes.slice(first, first + count).map((child, place) => new Promise((resolve, reject) => {
            const ended = () => reject(new Error('a worker has ended'));
            child.once('exit', ended);
            child.once('message', (error) => {
                child.off('exit', ended);
                error ? reject(new Error(error)) : resolve();
            });
            child.send({...message, place});
        })));
    }
    end() { return Promise.all(this.#processes.map((child) => stop(child, 'SIGTERM'))); }
}

/** In a worker's process: `open` takes part in a run, and gives a function that ends that. */
export function work(open) {
    const runs = new Map();
    const act = async (message) => {
        if (message.close)
            return await runs.get(message.name)(), runs.delete(message.name);
        const notes = message.notes ? new Notes(message.notes, message.place, message.ledger) : undefined;
        runs.set(message.name, await open(message, notes));
    };
    process.on('message', (message) => act(message).then(() => process.send(null),
                                                         (error) => process.send(error.stack)));
    process.on('disconnect', () => process.exit());
}

/** Introduces a peer, then answers requests until there are no more. `connect` starts its library in a folder;
 *  where bodies can't be told to stop, those that take longer than `bodyNsMax` are refused. */
export async function speak(introduction, program, connect, bodyNsMax = Infinity) {
    const places = new Map(); // by the folder: what is connected
    const scratch = mkdtempSync(join(tmpdir(), 'cancelbench-'));
    const workers = new Workers(program);
    let runs = 0;

    const library = async (directory) => {
        if (!places.has(directory)) {
            mkdirSync(directory, {recursive: true});
            places.set(directory, await connect(directory));
        }
        return places.get(directory);
    };

    /** A run whose bodies can start in these processes, before it has jobs. */
    async function open(request, {name = `run-${++runs}`, directory = join(scratch, 'data'), noted = true, kept,
                                  processes = {first: 0, count: request.workers}} = {}) {
        const place = await library(directory);
        const notes = noted && join(scratch, `notes-${name}`);
        if (noted)
            writeFileSync(notes, Buffer.alloc(processes.count * PLACE_BYTES));
        const run = await place.run(name, kept);
        const {body_ns, poll_ns} = request;
        await workers.all(processes, {name, notes, ledger: noted && request.ledger, kept, body_ns, poll_ns,
                                  socket: place.socket});
        return Object.assign(run, {
            noted: () => readNotes(notes),
            async end() {
                await workers.all(processes, {name, close: true});
                await run.close();
                rmSync(notes || '', {force: true});
            },
        });
    }

    /** Bodies are inside for a fraction of the time that a service needs between two of them, so that it is enough
     *  here that `running` workers have begun with theirs. */
    async function begin(run, jobs, running) {
        await run.hand(jobs);
        await waitUntil(`${running} workers running`, () => run.noted().begun >= running, 0.2);
    }

    /** Two runs would have two bodies at once in each process, so that the other run has one to itself. */
    async function cancel(request) {
        const endless = {...request, body_ns: HOUR_NS, ledger: undefined};
        if ((request.warm ? endless : request).body_ns > bodyNsMax)
            throw new Error('a body can not be told to stop here, so that it must come to an end');
        const first = request.warm ? 1 : 0;
        if (request.workers <= first)
            throw new Error('two runs want two workers');
        const run = await open(request, {processes: {first, count: request.workers - first}});
        const other = request.warm ? await open(endless, {processes: {first: 0, count: 1}}) : undefined;
        if (other)
            await begin(other, 1, 1);
        const before = residentBytes();
        await begin(run, request.jobs, request.running);
        const bytes = residentBytes() - before;
        await sleepNs(request.pause_ns);
        const processor = processorNs();
        if (other)
            await other.cancel();
        const called = now();
        const closed = await run.cancel();
        const returned = now();
        await run.wait();
        const awake = now();
        const cpu_ns = [...processorNs()].reduce((all, [task, time]) => all + time - (processor.get(task) ?? 0), 0);
        const {started, finished, interrupted, seen, left} = run.noted();
        const answer = {called, closed, returned, seen, quiet: left, awake, started, finished, interrupted, bytes,
                        cpu_ns, ...await run.outcome(request.jobs)};
        await other?.wait();
        await other?.end();
        await run.end();
        return answer;
    }

    async function throughput(request) {
        const run = await open(request, {noted: false});
        const called = now();
        await run.hand(request.jobs);
        const finished = await run.complete(request.jobs);
        const awake = now();
        await run.end();
        return {called, awake, finished};
    }

    async function crash(request) {
        const run = await open(request, {name: 'kept', directory: request.directory, kept: true});
        await begin(run, request.jobs, request.running);
        await sleepNs(request.pause_ns);
        const called = now();
        await run.cancel();
        const returned = now();
        rmSync(scratch, {recursive: true, force: true}); // the notes stay open; the peer is about to be killed
        return {called, returned};
    }

    async function recover(request) {
        await (await library(request.directory)).recover?.();
        const run = await open(request, {name: 'kept', directory: request.directory, kept: true});
        const answer = await run.recovered();
        await run.end();
        return answer;
    }

    const scripts = {cancel, throughput, crash, recover};
    const say = (message) => process.stdout.write(JSON.stringify(message) + '\n');
    say({cancelbench: 1, ...introduction, scripts: ['cancel', 'throughput', 'crash'], bodies: ['poll'],
         jobs_max: 100_000});
    for await (const line of createInterface({input: process.stdin})) {
        try {
            const request = JSON.parse(line);
            say(await scripts[request.script](request));
        } catch (error) {
            say({error: error.message});
        }
    }
    await workers.end();
    for (const place of places.values())
        await place.end();
    rmSync(scratch, {recursive: true, force: true});
    process.exit(); // a run that failed may have left a connection that tries again for ever
}
