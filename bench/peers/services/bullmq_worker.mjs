// A worker of the peer for BullMQ: a process with one Worker of concurrency 1 for each run.
import { setImmediate as turn } from 'node:timers/promises';
import { Relay, UnrecoverableError, Worker } from 'bullmq';
import { now, spin, work } from './service.mjs';

const KEPT = {lockDuration: 3_000, stalledInterval: 1_000}; // to find the jobs of a killed worker soon
const relays = new Map();

async function relay(connection) {
    if (!relays.has(connection.path))
        relays.set(connection.path, new Relay({connection, blockTimeout: 1_000}));
    await relays.get(connection.path).waitUntilReady();
    return relays.get(connection.path);
}

function poll(notes, {body_ns, poll_ns}) {
    return async (job, token, signal) => {
        const began = notes.enter(job.data);
        let time = began;
        for (const end = began + body_ns; time < end;) {
            if (signal.aborted) {
                notes.see();
                notes.leave(job.data, true, time === began ? began : undefined);
                throw new UnrecoverableError('cancelled');
            }
            const next = time + poll_ns;
            while ((time = now()) < next);
            await turn();
        }
        notes.leave(job.data, false);
        return job.data;
    };
}

const plain = ({body_ns}) => async (job) => {
    spin(body_ns);
    return job.data;
};

work(async (request, notes) => {
    const connection = {path: request.socket};
    const body = notes ? poll(notes, request) : plain(request);
    const worker = new Worker(request.name, body, {connection, ...request.kept ? KEPT : {}});
    worker.on('error', (error) => console.error(error));
    const subscription = notes && await (await relay(connection)).subscribe(
        `runs.${request.name}.cancel`, (message) => { worker.cancelJob(message.data.id); });
    await worker.waitUntilReady();
    return async () => {
        await subscription?.unsubscribe();
        await worker.close();
        notes?.close();
    };
});
