// The peer for Graphile Worker, on a PostgreSQL server of its own: `node graphile.mjs`.
//
// Graphile Worker has no stop for a batch: the caller keeps the ids of its jobs and has them failed for good by
// permanentlyFailJobs(), which passes over those that a worker has locked. A body can't be told of that: the
// AbortSignal that it gets is for the shutdown of its runner, which is to be kept here. So bodies come to
// their end. A job that ended well is deleted, and its result isn't kept, so that no results are answered.
import { readFileSync } from 'node:fs';
import { Logger, makeWorkerUtils } from 'graphile-worker';
import { database, postgres, speak, waitUntil } from './service.mjs';

const CHUNK = 10_000;
const REASON = 'cancelled';
const BODY_NS_MAX = 1e9;
const logger = new Logger(() => (level, message) => level === 'error' && console.error(message));

const query = (utils, text, values) =>
    utils.withPgClient(async (client) => (await client.query(text, values)).rows);

class Run {
    constructor(name, utils) {
        Object.assign(this, {name, utils, ids: []});
    }
    async hand(jobs) {
        for (let first = 0; first < jobs; first += CHUNK) {
            const specs = Array.from({length: Math.min(CHUNK, jobs - first)},
                                     (_, i) => ({identifier: this.name, payload: {index: first + i}}));
            this.ids.push(...(await this.utils.addJobs(specs)).map((job) => job.id));
        }
    }
    async cancel() {
        await this.utils.permanentlyFailJobs(this.ids, REASON);
    }
    wait(seconds) {
        return waitUntil('no job locked', async () => await this.#count('locked_at is not null') === 0, 1, seconds);
    }
    async #told(jobs) {
        const [failed, left] = [await this.#count('last_error = $2', REASON), await this.#count('true')];
        return {finished: jobs - left, interrupted: left - failed, never_started: failed};
    }
    async outcome(jobs) { return {told: await this.#told(jobs)}; }
    async complete(jobs) {
        await waitUntil('all jobs', async () => await this.#count('true') === 0, 20, 600);
        return jobs;
    }
    /** Jobs that failed for good are still there, with the reason. How many there have been is not kept. */
    async recovered() {
        const pending = 'locked_at is not null or attempts < max_attempts';
        await waitUntil('no job pending', async () => await this.#count(pending) === 0, 20);
        return {cancelled: await this.#count('last_error = $2', REASON) > 0};
    }
    async close() {
        const jobs = 'select id from graphile_worker.jobs where task_identifier = $1';
        const left = await query(this.utils, jobs, [this.name]);
        await this.utils.completeJobs(left.map((row) => row.id));
    }
    async #count(condition, ...values) {
        const [{count}] = await query(this.utils, 'select count(*)::int from graphile_worker.jobs ' +
                                      `where task_identifier = $1 and (${condition})`, [this.name, ...values]);
        return count;
    }
}

async function connect(directory) {
    const server = await postgres(directory);
    const utils = await makeWorkerUtils({connectionString: database(server.socket), logger});
    await utils.migrate();
    return {
        socket: server.socket,
        run: (name) => new Run(name, utils),
        /** The workers that held jobs were killed with the peer, which the manual wants to be said. */
        async recover() {
            const workers = 'select distinct locked_by from graphile_worker.jobs where locked_by is not null';
            await utils.forceUnlockWorkers((await query(utils, workers)).map((row) => row.locked_by));
        },
        async end() {
            await utils.release();
            await server.end();
        },
    };
}

const {version} = JSON.parse(readFileSync(new URL('node_modules/graphile-worker/package.json', import.meta.url)));
await speak({peer: 'Graphile Worker, PostgreSQL', version}, new URL('graphile_worker.mjs', import.meta.url), connect,
            BODY_NS_MAX);
