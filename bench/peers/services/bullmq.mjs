// The peer for BullMQ, on a redis-server of its own: `node bullmq.mjs [drain|clean]`.
//
// BullMQ has no stop for a batch, so that each run has a queue of its own. Its stop is: pause the queue, after which
// nothing more is begun; remove the jobs that wait, by drain(), or by clean(), which gives back their ids; and
// tell the workers by the Relay which of their jobs are cancelled, which they hand on to worker.cancelJob().
// The body asks the AbortSignal that it gets. That is set by a callback of the event loop, so that
// the body has to give way to that loop each time before it asks. It fails with an UnrecoverableError then.
import { readFileSync } from 'node:fs';
import { Queue, QueueEvents, Relay } from 'bullmq';
import { redis, speak, waitUntil } from './service.mjs';

const CHUNK = 5_000;
const removal = process.argv[2] ?? 'drain';
const REMOVALS = {
    drain: (queue) => queue.drain().then(() => undefined),
    clean: (queue) => queue.clean(0, 0, 'wait').then((ids) => ids.length),
};

class Run {
    constructor(name, connection, relay) {
        this.name = name;
        this.relay = relay;
        this.queue = new Queue(name, {connection});
        this.events = new QueueEvents(name, {connection});
    }
    async ready() {
        await Promise.all([this.queue.waitUntilReady(), this.events.waitUntilReady()]);
        return this;
    }
    async hand(jobs) {
        for (let first = 0; first < jobs; first += CHUNK)
            await this.queue.addBulk(Array.from({length: Math.min(CHUNK, jobs - first)},
                                                (_, i) => ({name: 'job', data: first + i})));
    }
    async cancel() {
        await this.queue.pause();
        const closed = Number(process.hrtime.bigint());
        this.active = await this.queue.getActive();
        await Promise.all(this.active.map((job) => this.relay.publish(`runs.${this.name}.cancel`, {id: job.id})));
        this.removed = await REMOVALS[removal](this.queue);
        return closed;
    }
    wait() {
        return Promise.allSettled(this.active.map((job) => job.waitUntilFinished(this.events)));
    }
    async results() {
        let count = 0;
        for (let first = 0, jobs = [0]; jobs.length > 0; first += CHUNK) {
            jobs = await this.queue.getCompleted(first, first + CHUNK - 1);
            count += jobs.filter((job) => job.returnvalue === job.data).length;
        }
        return count;
    }
    async outcome() {
        const {completed, failed, wait} = await this.queue.getJobCounts('completed', 'failed', 'wait');
        const told = {finished: completed, interrupted: failed, never_started: wait + this.removed};
        return {told: this.removed === undefined ? undefined : told, results: await this.results()};
    }
    async complete(jobs) {
        let finished = 0;
        await waitUntil('all jobs', async () => (finished = await this.queue.getCompletedCount()) >= jobs, 5, 600);
        return finished;
    }
    /** Jobs that were active are found to be stalled, and wait again. That the queue is paused is all that tells of the
     *  stop; the jobs that were removed have left no trace, so that nothing is told of them. */
    async recovered() {
        await waitUntil('no job active', async () => await this.queue.getActiveCount() === 0, 50);
        return {cancelled: await this.queue.isPaused(), results: await this.results()};
    }
    async close() {
        await this.events.close();
        await this.queue.obliterate({force: true});
        await this.queue.close();
    }
}

async function connect(directory) {
    const server = await redis(directory);
    const connection = {path: server.socket};
    const relay = new Relay({connection});
    await relay.waitUntilReady();
    return {
        socket: server.socket,
        run: (name) => new Run(name, connection, relay).ready(),
        async end() {
            await relay.close();
            await server.end();
        },
    };
}

if (!(removal in REMOVALS)) {
    console.error(`usage: bullmq.mjs [${Object.keys(REMOVALS).join('|')}]`);
    process.exit(1);
}
const {version} = JSON.parse(readFileSync(new URL('node_modules/bullmq/package.json', import.meta.url)));
await speak({peer: `BullMQ, ${removal}`, version}, new URL('bullmq_worker.mjs', import.meta.url), connect);
