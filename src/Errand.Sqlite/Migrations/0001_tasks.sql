-- Names of queues and of tasks, each stored once.
create table names (
    id   integer primary key,
    text text not null unique
) strict;

-- One row: the first task id that no process has taken a block of, and a count that is written to carry a sync.
create table counters (
    next_id integer not null,
    syncs   integer not null
) strict;
insert into counters (next_id, syncs) values (1, 0);

-- Live tasks. Columns that change stand before the payload, and are stored with values of one size (states have two
-- digits, an owner that is nobody is as wide as one that is somebody), so that a row does not grow when it is started.
create table tasks (
    id           integer primary key,
    state        integer not null,     -- 10 pending, 11 scheduled, 12 running
    owner        integer not null,     -- workers.id, or 2^40 for nobody
    epoch        integer not null,
    attempt      integer not null,
    priority     integer not null,     -- higher first
    due          integer not null,     -- ms UTC
    queue        integer not null,     -- names.id
    name         integer not null,     -- names.id
    max_attempts integer not null,
    enqueued     integer not null,     -- ms UTC
    timeout      integer,              -- ms
    parked       integer,              -- why a scheduled task waits: 1 no live worker knows its name
    retry        text,                 -- delay ms, longest delay ms, factor, jitter; null for the default policy
    trace        text,                 -- W3C traceparent, and tracestate after a space
    payload      blob not null
) strict;
create index tasks_ready on tasks (queue, priority desc, due) where state = 10;
create index tasks_scheduled on tasks (due, queue) where state = 11; -- The queue, so that counting reads the index alone.
create index tasks_running on tasks (owner) where state = 12;

-- Finished tasks. The last four columns are kept for failed ones alone, so that they can be replayed.
create table finished (
    id           integer primary key,
    state        integer not null,     -- 20 succeeded, 21 failed, 22 cancelled, 23 expired
    queue        integer not null,
    name         integer not null,
    priority     integer not null,
    attempt      integer not null,
    epoch        integer not null,
    enqueued     integer not null,
    due          integer not null,
    finished     integer not null,
    result       blob,
    error        text,
    max_attempts integer,
    timeout      integer,
    retry        text,
    payload      blob
) strict;
create index finished_prunable on finished (finished) where state <> 21;

-- Worker incarnations, and the task names that each knows.
create table workers (
    id      integer primary key,       -- random
    beat    integer not null,          -- counts heartbeats
    lease   integer not null,          -- ms
    host    text not null,
    process integer not null,
    started integer not null           -- ms UTC
) strict;
create table worker_names (
    worker integer not null,
    name   integer not null,
    primary key (worker, name)
) strict, without rowid;
