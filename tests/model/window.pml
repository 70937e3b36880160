/* The window, checked: between the closing of the gate and the record of that, which may fail and is then withdrawn.  Model of gate
 * word, phase, slots with their ranges, help, ends that are kept, withdrawal, and the end that has to be recorded, too; as in
 * engine/src/batch (gate, core, record).  N jobs, R runners, chunks of K, a caller who cancels up to T times.  What happens in
 * memory alone is in gate.pml.  Sequentially consistent.
 *
 *   spin -a window.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m1000000 -w26
 *
 * These deliberately wrong variants fail:
 *   -DCLEARBIT   a withdrawal that clears the bit instead of exchanging the word back loses jobs;
 *   -DBADLEAVE   a runner that leaves without another look under the mutex lets a reopened batch hang;
 *   -DBADFORGET  a runner that gives up a range that it was cut short in, since the gate is open by then, loses the rest;
 *   -DBADKEEP    a job that ends in the window and is not kept is late although the cancel was withdrawn;
 *   -DBADSEAL    a batch that ends while its cancel is being recorded is completed and cancelled.
 */
#ifndef N
#define N 3
#endif
#ifndef R
#define R 2
#endif
#ifndef K
#define K 2
#endif
#ifndef T
#define T 2
#endif

#define OPEN 0
#define HELD 1
#define STOPPING 2

#define PENDING 0
#define RUNNING 1
#define ENDING 2
#define ENDED 3
#define LATE 4

byte next; bool closed, done;            /* the gate word; every use is one atomic step */
byte phase = OPEN;
byte st[N];                              /* state bytes */
byte entered[N];
byte ended;                              /* ledger */
bool mutex;                              /* the batch's mutex, and what it guards: */
bool window, life_closed, end_requested;
bool kept[N];                            /* ended in the window */
byte inside;
bool queued[R], posted[R];
byte first[R], last[R];                  /* what a slot has claimed */
bool recorded;                           /* a cancel is on disk */
bool completed, cancelled;               /* the end is on disk */

#define LOCK atomic { !mutex -> mutex = true }
#define UNLOCK mutex = false

inline ledger() {
  atomic { ended++; if :: ended == N -> done = true :: else fi }
}

inline seal_if_quiet() {
#ifdef BADSEAL
  if :: inside == 0 && (life_closed || done) && !end_requested -> end_requested = true :: else fi
#else
  if :: inside == 0 && !window && (life_closed || done) && !end_requested -> end_requested = true :: else fi
#endif
}

/* What was kept, once it is known what becomes of the cancel. */
inline decide(how) {
  k = 0;
  do
  :: k < N -> if :: kept[k] -> kept[k] = false; st[k] = how; ledger() :: else fi; k++
  :: else -> break
  od
}

proctype runner(byte s) {
  byte i, e, j, o; bool ok, again, own, refused, whole; byte ph;
  do
  :: atomic { queued[s] -> queued[s] = false };
     LOCK;
     if
     :: phase != OPEN || completed || cancelled -> posted[s] = false; UNLOCK
     :: else ->
        inside++; UNLOCK;
        again = false;
        do
        :: phase != OPEN -> again = true; break
        :: else ->
           own = true; whole = true;
           if
           :: first[s] < last[s] -> i = first[s]; e = last[s]
           :: else ->
              atomic { j = next; refused = closed || done; next = (next + K > 60 -> 60 : next + K) };
              if
              :: !refused && j < N ->
                 i = j; e = (j + K > N -> N : j + K);
                 atomic { first[s] = i; last[s] = e }
              :: else ->
                 own = false; e = 0;
                 LOCK;
                 o = 0;
                 do
                 :: o < R && e == 0 ->
                    i = first[o];
                    do
                    :: i < last[o] && e == 0 -> if :: st[i] == PENDING -> e = last[o] :: else -> i++ fi
                    :: else -> break
                    od;
                    o++
                 :: else -> break
                 od;
                 UNLOCK;
                 if :: e == 0 -> break :: else fi
              fi
           fi;
           j = i;
           do
           :: j < e ->
              if
              :: st[j] != PENDING -> j++
              :: else ->
                 ph = phase;                                          /* the look */
                 if :: ph != OPEN -> whole = false; break :: else fi;
                 atomic { ok = (st[j] == PENDING);
                          if :: ok -> st[j] = RUNNING; entered[j]++; assert(!cancelled && !completed) :: else fi };
                 if :: !ok -> j++; goto next_job :: else fi;
                 st[j] = ENDING;
                 if
                 :: phase == OPEN -> st[j] = ENDED; ledger()
                 :: else ->
#ifdef BADKEEP
                    st[j] = LATE; ledger()
#else
                    LOCK;
                    if
                    :: window -> kept[j] = true; UNLOCK; whole = false; break
                    :: else -> st[j] = (phase == OPEN -> ENDED : LATE); UNLOCK; ledger()
                    fi
#endif
                 fi;
                 j++
              fi;
next_job:     skip
           :: else -> break
           od;
#ifdef BADFORGET
           if :: own && phase == OPEN -> atomic { first[s] = 0; last[s] = 0 } :: else fi;
#else
           if :: own && whole && phase == OPEN -> atomic { first[s] = 0; last[s] = 0 } :: else fi;
           if :: !whole -> again = true; break :: else fi
#endif
        od;
        LOCK;
        inside--; posted[s] = false;
#ifndef BADLEAVE
        if
        :: phase == OPEN && !done && (again || next < N) -> posted[s] = true; queued[s] = true
        :: else
        fi;
#endif
        seal_if_quiet();
        UNLOCK
     fi
  :: (completed || cancelled) && !queued[s] -> break
  od
}

proctype canceller() {
  byte t, k, word; bool was_done, straight;
  do
  :: t < T && !completed && !cancelled ->
     t++;
     LOCK;
     if
     :: life_closed -> UNLOCK; break
     :: else ->
        atomic { was_done = done; word = next; closed = true };
        if :: was_done -> UNLOCK; break :: else fi;
        phase = HELD; window = true; straight = (inside == 0);
        UNLOCK;
        if
        :: true ->                                                     /* it is recorded */
           recorded = true;
           if :: straight -> assert(!completed); cancelled = true :: else fi;
           LOCK;
           window = false; phase = STOPPING;
           decide(LATE);
           life_closed = true;
           if :: straight -> end_requested = true :: else -> seal_if_quiet() fi;
           UNLOCK;
           break
        :: true ->                                            /* it is withdrawn */
           LOCK;
           window = false;
#ifdef CLEARBIT
           atomic { closed = false };
#else
           atomic { next = word; closed = false };
#endif
           phase = OPEN;
           decide(ENDED);
           k = 0;
           do
           :: k < R -> if :: !posted[k] -> posted[k] = true; queued[k] = true :: else fi; k++
           :: else -> break
           od;
           seal_if_quiet();
           UNLOCK
        fi
     fi
  :: else -> break
  od
}

/* The store takes the end. */
proctype store() {
  do
  :: atomic { end_requested && !completed && !cancelled ->
              if :: life_closed -> cancelled = true :: else -> assert(!recorded); completed = true fi };
     break
  :: cancelled -> break
  od
}

init {
  byte x;
  atomic {
    do :: x < R -> posted[x] = true; queued[x] = true; run runner(x); x++ :: else -> break od;
    run canceller(); run store()
  }
  (_nr_pr == 1) ->
  x = 0;
  do
  :: x < N ->
     assert(entered[x] <= 1);
     assert(st[x] == PENDING || st[x] == ENDED || st[x] == LATE);
     if :: completed -> assert(st[x] == ENDED) :: else fi;
     assert(st[x] != LATE || recorded);
     x++
  :: else -> break
  od;
  assert(completed != cancelled)
}
