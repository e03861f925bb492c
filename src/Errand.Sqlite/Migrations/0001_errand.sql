-- The version of this schema, and the lowest versions of the engine that may still read it and write to it. One row.
create table errand_meta (
    version integer not null,
    reader  integer not null,
    writer  integer not null
) strict;
insert into errand_meta (version, reader, writer) values (0, 0, 0);

-- Names of queues and tasks, each stored once.
create table errand_names (
    id   integer primary key,
    text text not null unique
) strict;

-- One row: the first task id that no process has taken a block of, and a count that is written to carry a sync.
create table errand_counters (
    next_id integer not null,
    syncs   integer not null
) strict;
insert into errand_counters (next_id, syncs) values (1, 0);

-- Live tasks. Columns that change stand before the payload, and are stored with values of one size (states have two
-- digits, an owner that is nobody is as wide as one that is somebody), so that a row does not grow when it is started.
create table errand_tasks (
    id           integer primary key,
    state        integer not null,     -- 10 pending, 11 scheduled, 12 running
    owner        integer not null,     -- workers.id, or 2^40 for nobody
    epoch        integer not null,
    attempt      integer not null,
    priority     integer not null,     -- higher first
    due          integer not null,     -- ms UTC
    started      integer not null,     -- ms UTC of the last start; that of the enqueue before the first
    queue        integer not null,     -- names.id
    name         integer not null,     -- names.id
    max_attempts integer not null,
    enqueued     integer not null,     -- ms UTC
    timeout      integer,              -- ms
    parked       integer,              -- why a scheduled task waits: 1 no live worker knows its name
    cancelled    integer,              -- 1 when a running task is to be cancelled
    expires      integer,              -- ms UTC
    ties         integer,              -- 1 when rows of side tables belong to it; null for a plain task
    codec        integer,              -- how the payload is encoded; null for plain JSON
    unique_key   text,
    retry        text,                 -- delay ms, longest delay ms, factor, jitter; null for the default policy
    headers      text,                 -- JSON object of texts, the caller's trace context among them; null for none
    payload      blob not null
) strict;
create index errand_tasks_ready on errand_tasks (queue, name, priority desc, due) where state = 10;
create index errand_tasks_scheduled on errand_tasks (due, queue) where state = 11; -- The queue, so that counting reads the index alone.
create index errand_tasks_scheduled_by_priority on errand_tasks (priority desc, due) where state = 11;
create index errand_tasks_running on errand_tasks (owner) where state = 12;
create index errand_tasks_expiring on errand_tasks (expires) where expires is not null and state <> 12;
create unique index errand_tasks_unique on errand_tasks (name, unique_key) where unique_key is not null;

-- Unique keys that stay taken for a time, whether their task lives or not. Beside tasks_unique, which holds while it lives.
create table errand_unique_periods (
    name  integer not null,
    key   text not null,
    id    integer not null,            -- the task that was enqueued with it
    until integer not null,            -- ms UTC
    primary key (name, key)
) strict, without rowid;
create index errand_unique_periods_until on errand_unique_periods (until);

-- Attempts that ended without ending their task: the last 20 of each, kept as long as the task.
create table errand_attempts (
    task    integer not null,
    epoch   integer not null,
    attempt integer not null,
    started integer not null,          -- ms UTC
    ended   integer not null,          -- ms UTC
    worker  integer not null,
    error   text not null,
    primary key (task, epoch)
) strict, without rowid;

-- What handlers say of their progress, and what they keep for their next attempt: as long as the task is kept.
create table errand_progress (
    task       integer primary key,
    fraction   real,
    message    text,
    reported   integer,                -- ms UTC
    checkpoint blob
) strict;

-- What handlers log, where a worker keeps it: the last 20 starts of each task, as long as the task is kept.
create table errand_logs (
    task  integer not null,
    epoch integer not null,
    log   text not null,
    primary key (task, epoch)
) strict;

create table errand_paused_queues (
    queue integer primary key          -- names.id
) strict;

-- Finished tasks. The last six columns are kept for failed ones alone, so that they can be replayed.
create table errand_finished (
    id           integer primary key,
    state        integer not null,     -- 20 succeeded, 21 failed, 22 cancelled, 23 expired
    queue        integer not null,
    name         integer not null,
    priority     integer not null,
    attempt      integer not null,
    epoch        integer not null,
    enqueued     integer not null,
    due          integer not null,
    started      integer not null,
    finished     integer not null,
    codec        integer,              -- how result and payload are encoded; null for plain JSON
    result       blob,
    error        text,
    max_attempts integer,
    timeout      integer,
    retry        text,
    unique_key   text,
    headers      text,
    payload      blob
) strict;
create index errand_finished_by_state on errand_finished (state, finished);

-- Worker incarnations, and the task names that each knows.
create table errand_workers (
    id          integer primary key,   -- random
    beat        integer not null,      -- counts heartbeats
    lease       integer not null,      -- ms
    host        text not null,
    process     integer not null,
    started     integer not null,      -- ms UTC
    queues      text not null,         -- its subscriptions, one a line: default, mail-*=6
    concurrency integer not null
) strict;
create table errand_worker_names (
    worker integer not null,
    name   integer not null,
    primary key (worker, name)
) strict, without rowid;
create index errand_worker_names_name on errand_worker_names (name);
