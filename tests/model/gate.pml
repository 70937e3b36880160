/* The gate, checked.  Model of what engine/src/batch does in memory, where nothing is recorded, so that a closing is final: gate word,
 * phase, claims, entry, help with a chunk's tail, cancel (drain, then a stronger one), abandonment, and the seal; with -DSINGLE
 * also a cancel of one job under the mutex, with -DREADER a reader that settles what was claimed.  Attempts are in retry.pml.
 * N jobs, R runners and one more for a replacement, chunks of K; job 0 is long: it ends when the others have, or with its stop,
 * or is abandoned.  Sequentially consistent.
 *
 *   spin -a gate.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m1000000 -w28
 *
 * All its states are visited, 31 million, and none breaks an assertion or hangs.  With -DSINGLE or -DREADER there are more than
 * fit in a visit: 66 million were visited with both.  These deliberately wrong variants fail, each with -DCANCELS=1:
 *   -DBADPHASE     entry without a look at the phase: a runner enters more than one job after the closing (G1);
 *   -DBADEND       a body's end written without a compare-exchange: an abandoned job changes after the seal (G4);
 *   -DBADSEAL      a seal that does not wait until nobody is inside: a job changes afterwards (G4);
 *   -DBADINSIDE    an abandonment that leaves its runner counted as inside: the seal never comes (G5);
 *   -DBADRUNNING   an abandonment that reads who runs a job before it reads that it runs: it takes the wrong runner;
 *   -DBADCLOSE     a cancel that does not look whether the gate was done: cancelled although every job had ended first;
 *   -DBADHELP      a helper that takes a claim it can't see yet for none: the tail behind a long body is never run;
 *   -DBADSETTLE    (-DREADER) a reader that does not settle shows jobs as never started that are entered later (G3);
 *   -DBADCOUNT     (-DREADER) a reader that forgets who has won a job and not yet counted it: never-started jobs become fewer.
 * Not seen to fail: -DBADSINGLE (-DSINGLE), a cancel of one job without the mutex, undecided after 150 seconds; and -DBADLEDGER,
 * an abandonment that does not add what its runner had not yet told the ledger, since job 0 is the first of its chunk.
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
#ifndef CANCELS
#define CANCELS 2
#endif
#define S (R + 1)

#define OPEN 0
#define DRAINING 1
#define STOPPING 2

#define PENDING 0
#define RUNNING 1
#define ENDED 2
#define NOTSTARTED 3
#define ABANDONED 4
#define ENDING 5
#define NONE 255

byte next; bool closed, done;            /* the gate word; every use is one atomic step */
byte phase = OPEN;
byte st[N];                              /* state bytes */
byte ended;                              /* ledger */
bool mutex;                              /* the batch's mutex, and what it guards: */
bool life_closed, sealed, completed, changed;
byte inside, posted = R;                 /* runners in a turn; slots made */
bool alone[N];                           /* jobs that were told to stop alone */
bool single_over;

/* slots */
bool queued[S];
byte cur[S] = NONE;                      /* the job it is entering or running */
bool body[S];                            /* entered != ended */
byte count[S];                           /* ended */
byte flushed[S];                         /* of these, how many the ledger knows */
byte begin[S], end[S]; bool claiming[S];
bool gone[S];                            /* abandoned */

/* for the assertions only */
byte owner[N] = NONE; bool twice[N]; byte slips[S]; bool shown[N]; byte least; byte seals; bool done_first;

#define LOCK   atomic { !mutex -> mutex = true }
#define UNLOCK mutex = false
#define IS_RUNNING(j) (st[j] == RUNNING || st[j] == ENDING)
#define OVER(j) (st[j] != PENDING && !IS_RUNNING(j))

#if N == 3
#define OTHERS (OVER(1) && OVER(2))
#elif N == 4
#define OTHERS (OVER(1) && OVER(2) && OVER(3))
#endif
#define OVERDUE(s) (cur[s] == NONE || gone[s] -> false : st[cur[s]] == RUNNING && (phase == STOPPING || alone[cur[s]]))
#if R == 2
#define ANY_OVERDUE (OVERDUE(0) || OVERDUE(1) || OVERDUE(2))
#elif R == 1
#define ANY_OVERDUE (OVERDUE(0) || OVERDUE(1))
#endif

/* ledger_add: two steps */
inline ledger_add(n) {
  if :: n > 0 -> atomic { ended = ended + n; last = (ended == N) };
                 if :: last -> atomic { done = true; done_first = !closed } :: else fi
     :: else fi
}

/* with the mutex held */
inline seal_if_quiet() {
#ifdef BADSEAL
  if :: !sealed && (life_closed || done) ->
#else
  if :: inside == 0 && !sealed && (life_closed || done) ->
#endif
        atomic { seals++; assert(seals == 1); sealed = true;
                 completed = (!life_closed); assert(!(done_first && changed)) }
     :: else fi
}

/* run_range [j, e): leaves `lost` if its body was abandoned */
inline run_range() {
  do
  :: j < e ->
     if
     :: st[j] != PENDING -> j++
     :: else ->
#ifndef BADPHASE
        if :: phase != OPEN -> break :: else fi;
#endif
        cur[s] = j;
        atomic { won = (st[j] == PENDING);
                 if :: won -> assert(!sealed && !shown[j] && !twice[j]); st[j] = RUNNING; owner[j] = s; twice[j] = true;
                              if :: closed -> slips[s]++; assert(slips[s] <= 1) :: else fi
                    :: else fi };
        if
        :: !won -> cur[s] = NONE; j++
        :: else ->
           body[s] = true;
           if :: j == 0 -> (phase != OPEN || alone[0] || st[0] != RUNNING || OTHERS) :: else fi;
#ifdef BADEND
           atomic { won = true; assert(!sealed); st[j] = ENDED };
#else
           atomic { won = (st[j] == RUNNING); if :: won -> assert(!sealed); st[j] = ENDING :: else fi };
           if :: !won -> lost = true; break :: else fi;
           assert(!sealed && st[j] == ENDING); st[j] = ENDED;
#endif
           atomic { count[s]++; body[s] = false };
           j++
        fi
     fi
  :: else -> break
  od
}

proctype runner(byte s) {
  byte j, e, i, o, n; bool won, lost, last, mine, found, again, look;
  do
  :: atomic { queued[s] -> queued[s] = false };
     LOCK;
     if :: phase != OPEN || sealed -> UNLOCK; goto next_turn :: else fi;
     atomic { inside++; mutex = false; again = false };
     do
     :: phase != OPEN -> break
     :: phase == OPEN ->
        mine = true; found = true;
        if
        :: begin[s] < end[s] -> atomic { j = begin[s]; e = end[s] }            /* what an abandoned runner left */
        :: else ->
           claiming[s] = true;
           atomic { i = next; found = !(closed || done || next >= N);             /* fetch_add(K) */
                    if :: found -> next = (next + K > N -> N : next + K) :: else fi };
           if :: found -> atomic { j = i; e = (i + K > N -> N : i + K) }; begin[s] = j; end[s] = e :: else fi;
           claiming[s] = false;
           if
           :: !found ->                                                          /* help */
              mine = false; again = false; o = 0;
              LOCK;
              do
              :: o < S && !found ->
                 if
                 :: o == s -> skip
                 :: else ->
                    look = claiming[o];
                    if
#ifdef BADHELP
                    :: false -> skip
#else
                    :: look -> again = true
#endif
                    :: else ->
                       j = begin[o]; e = end[o];
                       do :: j < e && st[j] != PENDING -> j++ :: j < e && st[j] == PENDING -> found = true; break
                          :: else -> break od
                    fi
                 fi;
                 o++
              :: else -> break
              od;
              UNLOCK;
              if :: !found -> break :: else fi
           :: else fi
        fi;
        if
        :: phase == OPEN ->
           run_range();
           if :: lost -> goto abandoned :: else fi;
           atomic { n = count[s] - flushed[s]; flushed[s] = count[s] };
           ledger_add(n)
        :: else fi;
        if :: mine && phase == OPEN -> end[s] = 0; begin[s] = 0 :: else fi
     od;
     LOCK;                                                                       /* leave */
     inside--;
     if :: again && phase == OPEN && !done -> queued[s] = true :: else fi;
     seal_if_quiet();
     UNLOCK;
next_turn: skip
  :: sealed && !queued[s] -> break
  od;
abandoned: skip
}

proctype canceller() {
  byte t = 0; bool was_done;
  do
  :: t < CANCELS -> t++;
     LOCK;
     if
     :: life_closed -> if :: !sealed -> phase = STOPPING :: else fi
     :: else ->
        atomic { was_done = done; closed = true };                               /* fetch_or(closed) */
        if
#ifdef BADCLOSE
        :: sealed -> skip
#else
        :: was_done -> skip
#endif
        :: else ->
           if :: phase = DRAINING :: phase = STOPPING fi;
           life_closed = true; changed = true;
           seal_if_quiet()
        fi
     fi;
     UNLOCK
  :: break
  od
}

/* cancel of one job */
proctype single() {
  byte j; bool won, last;
  if :: j = 0 :: j = N - 1 fi;
#ifndef BADSINGLE
  LOCK;
#endif
  if
  :: !life_closed && !sealed ->
     atomic { won = (st[j] == PENDING); if :: won -> assert(!sealed); st[j] = NOTSTARTED :: else fi };
     if
     :: won -> ledger_add(1);
#ifndef BADSINGLE
        seal_if_quiet()
#endif
     :: else -> if :: IS_RUNNING(j) -> alone[j] = true :: else fi
     fi
  :: else -> if :: st[j] == RUNNING -> alone[j] = true :: else fi
  fi;
#ifdef BADSINGLE
  LOCK; seal_if_quiet();
#endif
  UNLOCK;
  single_over = true
}

/* the control thread, at a time when what has been told to stop is overdue */
proctype control() {
  byte s, j, o, who, several; bool ran, last, won, all; byte n, idle;
  do
  :: sealed -> break
  :: !sealed && (ANY_OVERDUE || (phase == STOPPING && idle < 2)) ->
     if :: ANY_OVERDUE -> skip :: else -> idle++ fi;
     LOCK;
     all = (phase == STOPPING); s = 0;
     do
     :: s < S && !sealed ->
        j = cur[s];
        if
        :: j == NONE || gone[s] -> skip
        :: else ->
           if
           :: !all && !alone[j] -> skip
           :: else ->
#ifdef BADRUNNING
              ran = true;
#else
              ran = (st[j] == RUNNING);
#endif
              who = NONE; several = 0; o = 0;                                    /* running_in */
              do
              :: o < S && ran ->
                 if
                 :: cur[o] != j || gone[o] -> o++
                 :: else ->
                    if :: body[o] -> if :: cur[o] == j -> who = o; several = 1; break :: else -> o++ fi
                       :: else -> who = o; several++; o++ fi
                 fi
              :: else -> break
              od;
              if
              :: ran && who == s && several == 1 ->
                 atomic { won = (st[j] == RUNNING);
                          if :: won -> assert(!sealed && owner[j] == s); st[j] = ABANDONED :: else fi };
                 if
                 :: won ->
                    gone[s] = true;
#ifndef BADINSIDE
                    inside--;
#endif
                    alone[j] = false;
                    if
                    :: phase == OPEN && posted < S ->                            /* replace */
                       begin[posted] = begin[s]; end[posted] = end[s]; queued[posted] = true; posted++
                    :: else fi;
#ifdef BADLEDGER
                    ledger_add(1)
#else
                    n = count[s] - flushed[s] + 1; ledger_add(n)
#endif
                 :: else fi
              :: else fi
           fi
        fi;
        s++
     :: else -> break
     od;
     seal_if_quiet();
     UNLOCK
  od
}

/* what a reader is shown; twice */
proctype reader() {
  byte s, i, e, n, t, j; bool entering[N]; bool look;
  do
  :: t < 2 -> t++;
     LOCK;
     if
     :: life_closed && !sealed ->
#ifndef BADSETTLE
        s = 0;                                                                   /* settle_claimed */
        do :: s < S && inside != 0 ->
              look = claiming[s];
              if :: look -> skip
                 :: else -> i = begin[s]; e = end[s];
                            do :: i < e -> atomic { if :: st[i] == PENDING -> st[i] = NOTSTARTED :: else fi }; i++
                               :: else -> break od
              fi; s++
           :: else -> break od;
#endif
        /* job by job: what is pending is shown as never started */
        atomic { i = 0; do :: i < N -> if :: st[i] == PENDING || st[i] == NOTSTARTED -> shown[i] = true :: else fi; i++
                           :: else -> break od };
        /* the counts: what is in no slot's books is shown as never started */
        n = N; s = 0;
        do :: s < S -> atomic { n = n - count[s];
                                if :: body[s] -> n--; if :: !gone[s] -> entering[cur[s]] = true :: else fi :: else fi }; s++
           :: else -> break od;
#ifndef BADCOUNT
        s = 0;
        do :: s < S -> j = cur[s];
              if :: j != NONE -> atomic { if :: IS_RUNNING(j) && !entering[j] -> entering[j] = true; n-- :: else fi }
                 :: else fi; s++
           :: else -> break od;
#endif
        assert(n >= least); least = n;
        atomic { i = 0; do :: i < N -> entering[i] = false; i++ :: else -> break od }
     :: else fi;
     UNLOCK
  :: break
  od
}

init {
  atomic {
    byte r = 0;
    do :: r < S -> if :: r < R -> queued[r] = true :: else fi; run runner(r); r++ :: else -> break od;
    run canceller(); run control();
#ifdef SINGLE
    run single();
#endif
#ifdef READER
    run reader();
#endif
  }
  (sealed);
  (_nr_pr == 1);
  /* at the end: everything accounted for, nothing lost */
  byte x = 0;
  do :: x < N -> assert(!IS_RUNNING(x));
                 if :: completed -> assert(st[x] != PENDING) :: else fi; x++ :: else -> break od;
  assert(seals == 1 && completed != changed)
}
