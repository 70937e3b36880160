/* The gate, checked.  Model of what engine/src does in memory: gate word, phase, entry, chunks whose tails are helped with,
 * cancels (drain, then a stronger one), cancel of one job under the mutex, a reader that settles what was claimed,
 * abandonment at the deadline, and the seal.  N jobs, R runners, chunks of K.  Sequentially consistent.
 *
 *   spin -a gate.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m400000 -w26
 */
