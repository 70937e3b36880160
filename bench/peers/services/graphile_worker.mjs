// A worker of the peer for Graphile Worker: a process with one runner of concurrency 1 for each run.
import { Logger, run } from 'graphile-worker';
import { database, now, spin, work } from './service.mjs';

const logger = new Logger(() => (level, message) => level === 'error' && console.error(message));

function poll(notes, {body_ns, poll_ns}) {
    return async ({index}, {abortSignal}) => {
        const began = notes.enter(index);
        let time = began;
        for (const end = began + body_ns; time < end;) {
            if (abortSignal.aborted) {
                notes.see();
                notes.leave(index, true, time === began ? began : undefined);
                throw new Error('cancelled');
            }
            const next = time + poll_ns;
            while ((time = now()) < next);
        }
        notes.leave(index, false);
    };
}

work(async (request, notes) => {
    const body = notes ? poll(notes, request) : async () => spin(request.body_ns);
    const runner = await run({
        connectionString: database(request.socket), concurrency: 1, noHandleSignals: true, logger,
        taskList: {[request.name]: body},
    });
    return async () => {
        await runner.stop();
        notes?.close();
    };
});
