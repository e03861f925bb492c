-- Every name of ours begins with errand_: the schema may hold tables of the application's own.

-- One row: the store's own mark, by which a caller's transaction is known to be on it, and the version of its schema.
-- Its key is what a publication for all tables needs to let the row be updated.
create table errand.errand_meta (
    one      boolean primary key default true check (one),
    store    uuid not null default gen_random_uuid(),
    version  integer not null,              -- of the schema
    reader   integer not null,              -- the lowest engine version that may still read this schema
    writer   integer not null,              -- the lowest engine version that may still write to this schema
    vacuumed bigint not null default 0,     -- ms UTC: when a process last took the vacuum upon itself
    swept    bigint not null default 0,     -- ms UTC: when a process last looked for workers that do not respond
    resumed  bigint not null default 0      -- ms UTC: when such looks last resumed after a gap, in which nobody could be heard
);
insert into errand.errand_meta (version, reader, writer) values (0, 0, 0);

-- The time of every decision: the server's, in ms UTC. Tests give a time that stands for it.
create function errand.errand_now_ms(given bigint) returns bigint
language sql volatile
as $$ select coalesce(given, floor(extract(epoch from clock_timestamp()) * 1000)::bigint) $$;

-- Names of queues and of tasks, each stored once, and never removed.
create table errand.errand_names (
    id   integer generated always as identity primary key,
    text text not null unique
);

-- Ids come from blocks of a thousand, which a process takes from here.
create sequence errand.errand_task_ids as bigint start 1 increment 1000 maxvalue 9007199254740000;

-- Live tasks: columns of fixed width first.
create table errand.errand_tasks (
    id           bigint primary key,
    owner        bigint not null,          -- errand_workers.id, or 0 for nobody
    epoch        bigint not null,
    due          bigint not null,          -- ms UTC
    enqueued     bigint not null,          -- ms UTC
    started      bigint not null,          -- ms UTC of the last start; that of the enqueue before the first
    turn         bigint not null,          -- of the owner's backend: the one that started it, to find what a lost answer held
    timeout      bigint,                   -- ms
    expires      bigint,                   -- ms UTC
    attempt      integer not null,
    rank         integer not null,         -- ~priority, so that all of the order ascends
    queue        integer not null,         -- errand_names.id
    name         integer not null,         -- errand_names.id
    max_attempts integer not null,
    state        smallint not null,        -- 10 pending, 11 scheduled, 12 running
    parked       smallint,                 -- why a scheduled task waits: 1 no live worker knows its name
    cancelled    smallint,                 -- 1 when a running task is to be cancelled
    ties         smallint,                 -- 1 when rows of side tables belong to it; always null for now
    codec        smallint,                 -- how the payload is encoded; null for plain JSON, and always null for now
    unique_key   text,
    retry        text,                     -- delay ms, longest delay ms, factor, jitter; null for the default policy
    headers      text,                     -- JSON object of texts, the caller's trace context among them; null for none
    payload      bytea not null
);
create index errand_tasks_ready on errand.errand_tasks (queue, rank, due, id) where state = 10;
create index errand_tasks_scheduled on errand.errand_tasks (due) where state = 11;
create index errand_tasks_urgent on errand.errand_tasks (rank, due) where state = 11;
create index errand_tasks_running on errand.errand_tasks (owner) where state = 12;
create index errand_tasks_cancelled on errand.errand_tasks (owner) where cancelled is not null;
create index errand_tasks_expiring on errand.errand_tasks (expires) where expires is not null and state <> 12;
create unique index errand_tasks_unique on errand.errand_tasks (name, unique_key) where unique_key is not null;
alter table errand.errand_tasks set (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

-- Unique keys that stay taken for a time, whether their task lives or not. Beside errand_tasks_unique, which holds one while its
-- task lives.
create table errand.errand_unique_periods (
    name  integer not null,
    key   text not null,
    id    bigint not null,                 -- the task that was enqueued with it
    until bigint not null,                 -- ms UTC
    primary key (name, key)
);
create index errand_unique_periods_until on errand.errand_unique_periods (until);
create index errand_unique_periods_id on errand.errand_unique_periods (id);

-- Attempts that ended without ending their task: the last 20 of each, kept as long as the task.
create table errand.errand_attempts (
    task    bigint not null,
    epoch   bigint not null,
    started bigint not null,               -- ms UTC
    ended   bigint not null,               -- ms UTC
    worker  bigint not null,
    attempt integer not null,
    error   bytea not null,                -- UTF-8: a text may not hold NUL
    primary key (task, epoch)
);

-- What handlers report of their progress, and what they keep for their next attempt: as long as the task is kept.
create table errand.errand_progress (
    task       bigint primary key,
    fraction   double precision,
    message    text,
    reported   bigint,                     -- ms UTC
    checkpoint bytea
);

-- What handlers log, where a worker keeps it: the last 20 starts of each task, as long as the task is kept.
create table errand.errand_logs (
    task  bigint not null,
    epoch bigint not null,
    log   bytea not null,                  -- UTF-8: a text may not hold NUL
    primary key (task, epoch)
);

create table errand.errand_paused_queues (
    queue integer primary key              -- errand_names.id
);

-- Finished tasks. The columns from timeout to payload are kept for failed ones alone, so that they can be retried.
create table errand.errand_finished (
    id           bigint primary key,
    owner        bigint not null,
    epoch        bigint not null,
    due          bigint not null,
    enqueued     bigint not null,
    started      bigint not null,
    finished     bigint not null,          -- ms UTC
    attempt      integer not null,
    rank         integer not null,
    queue        integer not null,
    name         integer not null,
    state        smallint not null,        -- 20 succeeded, 21 failed, 22 cancelled, 23 expired
    result       bytea,
    error        bytea,                    -- UTF-8: a text may not hold NUL
    timeout      bigint,
    max_attempts integer,
    retry        text,
    unique_key   text,
    headers      text,
    payload      bytea,
    codec        smallint                  -- how the result and the payload are encoded; null for plain JSON, and always for now
);
create index errand_finished_by_state on errand.errand_finished (state, finished);

-- Worker incarnations, and the task names that each knows.
create table errand.errand_workers (
    id          bigint primary key,        -- random
    beat        bigint not null,           -- ms UTC, by the server's clock
    lease       bigint not null,           -- ms
    started     bigint not null,           -- ms UTC
    process     integer not null,
    concurrency integer not null,
    host        text not null,
    queues      text not null              -- its subscriptions, one a line: default, mail-*=6
);
create table errand.errand_worker_names (
    worker bigint not null references errand.errand_workers (id) on delete cascade,
    name   integer not null,
    primary key (worker, name)
);
create index errand_worker_names_name on errand.errand_worker_names (name);
