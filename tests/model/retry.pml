/* Attempts, checked.  Model of what engine/src/batch/retry.cpp does: two jobs that may fail once each, two runners, a job that
 * failed waits until it is due or is entered again at once, a timer that posts runners, a cancel, and a cancel of job 0 alone.
 * Claims are of one job; chunks and their tails are in gate.pml.  Sequentially consistent; a job is due when the timer says so,
 * the earliest first, each at a time of its own.
 *
 *   spin -a retry.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m1000000
 *
 * All its states are visited, and none breaks an assertion or hangs.  These deliberately wrong variants fail:
 *   -DBADLETIN     a retry that does not ask the gate: an attempt is let in after the closing (G1);
 *   -DBADARM       a runner that leaves without arming the timer for what is due later: the batch never ends;
 *   -DBADLEAVE     a runner that leaves without a look at what is due: the same;
 *   -DBADSTOP      an attempt entered at once without a look at who is to stop alone: a job told to stop is entered anew;
 *   -DBADASKED     a back-off that forgets a stop which came while the end was being written: the same;
 *   -DBADMEANWHILE a cancel of one job that does not look again after it has told it to stop: the same.
 */
#define N 2
#define R 2

#define PENDING 0
#define RUNNING 1
#define ENDING 2
#define ENDED 3
#define NOTSTARTED 4
#define BACKINGOFF 5
#define NONE 255

byte next; bool closed, done;            /* the gate word; every use is one atomic step */
bool stopping;                           /* phase */
byte st[N];
byte failed[N];                          /* attempts that failed and were followed by another */
byte ended;                              /* ledger */
bool mutex;                              /* the batch's mutex, and what it guards: */
bool life_closed, sealed, completed;
byte inside;
bool posted[R], queued[R];
bool waiting[N], due[N];                 /* the heap of retries */
bool armed;                              /* the timer */
bool alone[N];                           /* entries of job_stops */
byte stop_index[R] = NONE;               /* the slots */
byte cur[R] = NONE;

/* for the assertions only */
byte slips[R]; bool told[N]; byte seals;

#define LOCK   atomic { !mutex -> mutex = true }
#define UNLOCK mutex = false
#define DUE(j) (waiting[j] && due[j])
#define ANY_DUE (DUE(0) || DUE(1))
#define ANY_WAITING (waiting[0] || waiting[1])

inline ledger_add() {
  atomic { ended++; if :: ended == N -> last = true :: else -> last = false fi };
  if :: last -> done = true :: else fi
}

/* what follows wants the mutex */
inline seal_if_quiet() {
  if :: inside == 0 && !sealed && (life_closed || done) ->
        atomic { seals++; assert(seals == 1); sealed = true; completed = !life_closed; waiting[0] = false; waiting[1] = false }
     :: else fi
}
inline post_idle() {
  if :: !stopping -> if :: !posted[0] -> posted[0] = true; queued[0] = true
                        :: posted[0] && !posted[1] -> posted[1] = true; queued[1] = true
                        :: else fi
     :: else fi
}
/* the end of an attempt that another is to follow */
inline schedule(j) {
  keep = true;
  if
  :: alone[j] ->
     alone[j] = false;
#ifndef BADASKED
     atomic { won = (st[j] == BACKINGOFF); if :: won -> st[j] = NOTSTARTED :: else fi };
     if :: won -> ledger_add(); keep = false :: else fi
#endif
  :: else
  fi;
  if
  :: keep ->
     if :: stop_index[0] == j -> stop_index[0] = NONE :: else fi;
     if :: stop_index[1] == j -> stop_index[1] = NONE :: else fi;
     waiting[j] = true;
     if :: due[j] = true; post_idle()        /* no back-off */
        :: due[j] = false; armed = true
     fi
  :: else
  fi
}

proctype runner(byte s) {
  byte j; bool won, last, keep, again, open;
  do
  :: atomic { queued[s] -> queued[s] = false };
     LOCK;
     if :: stopping || sealed -> posted[s] = false; UNLOCK; goto next_turn :: else fi;
     inside++;
     UNLOCK;
     do
     :: stopping -> break
     :: !stopping ->
        j = NONE;
        if                                                                       /* claim_retry */
        :: ANY_DUE ->
           LOCK;
#ifdef BADLETIN
           open = true;
#else
           open = !closed && !done;
#endif
           if
           :: open && ANY_DUE ->
              if :: DUE(0) -> j = 0 :: DUE(1) -> j = 1 fi;
              waiting[j] = false;
              atomic { won = (st[j] == BACKINGOFF); if :: won -> st[j] = PENDING; assert(!closed) :: else fi };
              if :: !won -> j = NONE :: else fi
           :: else
           fi;
           UNLOCK
        :: else
        fi;
        if
        :: j == NONE ->                                                          /* claim */
           atomic { if :: !closed && !done && next < N -> j = next; next++ :: else fi }
        :: else
        fi;
        if :: j == NONE -> break :: else fi;
        if :: stopping -> break :: else fi;
        cur[s] = j;
        atomic { won = (st[j] == PENDING);
                 if :: won -> assert(!sealed && !told[j]); st[j] = RUNNING;
                              if :: closed -> slips[s]++; assert(slips[s] <= 1) :: else fi
                    :: else fi };
        if
        :: won ->
           /* the body: returns, or throws while it may be tried again and was not told to stop */
attempt:   keep = false;
           if :: true :: !stopping && stop_index[s] != j && failed[j] == 0 -> keep = true fi;
           st[j] = ENDING;
           won = (stop_index[s] == j);
           if
           :: keep && !stopping ->
              failed[j]++;
              st[j] = BACKINGOFF;
              if
              :: !stopping ->                                                    /* enter_at_once */
                 open = !closed && !done;
#ifdef BADSTOP
                 keep = open;
#else
                 keep = open && stop_index[s] != j;
#endif
                 if
                 :: keep ->
                    atomic { won = (st[j] == BACKINGOFF);
                             if :: won -> assert(!sealed && !told[j]); st[j] = RUNNING;
                                          if :: closed -> slips[s]++; assert(slips[s] <= 1) :: else fi
                                :: else fi };
                    if :: won -> goto attempt :: else fi
                 :: else
                 fi
              :: true
              fi;
              LOCK; schedule(j); UNLOCK
           :: else -> st[j] = ENDED; ledger_add();
              if :: stop_index[s] == j -> LOCK; alone[j] = false; UNLOCK :: else fi
           fi
        :: else
        fi
     od;
     LOCK;                                                                       /* leave */
     inside--; posted[s] = false;
     if
     :: !stopping && !done ->
        if
#ifndef BADLEAVE
        :: ANY_DUE -> posted[s] = true; queued[s] = true
#endif
#ifndef BADARM
        :: !ANY_DUE && ANY_WAITING -> armed = true
#endif
        :: else
        fi
     :: else
     fi;
     seal_if_quiet();
     UNLOCK;
next_turn: skip
  :: sealed && !queued[s] -> break
  od
}

/* the control thread: the earliest of those that wait has become due */
proctype timer() {
  do
  :: sealed -> break
  :: atomic { armed -> armed = false };
     LOCK;
     if
     :: waiting[0] && !due[0] -> due[0] = true
     :: waiting[1] && !due[1] -> due[1] = true
     :: else
     fi;
     if :: ANY_DUE -> post_idle() :: else -> if :: ANY_WAITING -> armed = true :: else fi fi;
     UNLOCK
  od
}

proctype canceller() {
  bool was_done;
  if
  :: true ->
     LOCK;
     if
     :: !life_closed ->
        atomic { was_done = done; closed = true };
        if :: !was_done -> stopping = true; life_closed = true; seal_if_quiet() :: else fi
     :: else
     fi;
     UNLOCK
  :: true
  fi
}

/* cancel of job 0 */
proctype single() {
  bool won, last;
  if
  :: true ->
     LOCK;
     if
     :: !life_closed && !sealed ->
look:   atomic { won = (st[0] == PENDING || st[0] == BACKINGOFF); if :: won -> st[0] = NOTSTARTED; told[0] = true :: else fi };
        if
        :: won -> ledger_add(); seal_if_quiet()
        :: else ->
           if
           :: st[0] == RUNNING || st[0] == ENDING ->
              alone[0] = true;
              if :: cur[0] == 0 -> stop_index[0] = 0 :: else fi;
              if :: cur[1] == 0 -> stop_index[1] = 0 :: else fi;
              if
#ifdef BADMEANWHILE
              :: atomic { st[0] != RUNNING && st[0] != ENDING -> told[0] = true }; alone[0] = false
#else
              :: atomic { st[0] == PENDING || st[0] == BACKINGOFF -> st[0] = NOTSTARTED; told[0] = true };
                 alone[0] = false; ledger_add(); seal_if_quiet()
              :: atomic { st[0] == ENDED || st[0] == NOTSTARTED -> told[0] = true }; alone[0] = false
#endif
              :: atomic { st[0] == RUNNING || st[0] == ENDING -> told[0] = (st[0] == ENDING) }
              fi
           :: st[0] == PENDING || st[0] == BACKINGOFF -> goto look        /* it was entered meanwhile, and failed */
           :: else
           fi
        fi
     :: else
     fi;
     UNLOCK
  :: true
  fi
}

init {
  atomic {
    posted[0] = true; posted[1] = true; queued[0] = true; queued[1] = true;
    run runner(0); run runner(1); run timer(); run canceller(); run single()
  }
  (sealed);
  (_nr_pr == 1);
  byte x = 0;
  do :: x < N -> assert(st[x] != RUNNING && st[x] != ENDING);
                 if :: completed -> assert(st[x] == ENDED || st[x] == NOTSTARTED) :: else fi; x++ :: else -> break od;
  assert(seals == 1 && completed != life_closed)
}
