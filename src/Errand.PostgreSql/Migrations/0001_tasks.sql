-- The store's own mark, by which a caller's transaction is known to be on it, and the version of its schema.
create table errand.meta (
    store    uuid not null default gen_random_uuid(),
    version  integer not null,
    vacuumed bigint not null default 0      -- ms UTC: when a process last took the vacuum upon itself
);
insert into errand.meta (version) values (0);

-- The time of every decision: the server's, in ms UTC. A time that is given stands for it in tests.
create function errand.now_ms(given bigint) returns bigint
language sql volatile
as $$ select coalesce(given, floor(extract(epoch from clock_timestamp()) * 1000)::bigint) $$;

-- Names of queues and of tasks, each stored once, and never removed.
create table errand.names (
    id   integer generated always as identity primary key,
    text text not null unique
);

-- Ids are handed out from blocks of a thousand that a process takes from here.
create sequence errand.task_ids as bigint start 1 increment 1000 maxvalue 9007199254740000;

-- Live tasks: columns of fixed width first.
create table errand.tasks (
    id           bigint primary key,
    owner        bigint not null,          -- workers.id, or 0 for nobody
    epoch        bigint not null,
    due          bigint not null,          -- ms UTC
    enqueued     bigint not null,          -- ms UTC
    started      bigint not null,          -- ms UTC of the last start; that of the enqueue before the first
    turn         bigint not null,          -- of the owner's backend: the turn that started it, to find what a lost answer held
    timeout      bigint,                   -- ms
    expires      bigint,                   -- ms UTC
    attempt      integer not null,
    rank         integer not null,         -- ~priority, so that all of the order ascends
    queue        integer not null,         -- names.id
    name         integer not null,         -- names.id
    max_attempts integer not null,
    state        smallint not null,        -- 10 pending, 11 scheduled, 12 running
    parked       smallint,                 -- why a scheduled task waits: 1 no live worker knows its name
    cancelled    smallint,                 -- 1 when a running task is to be cancelled
    unique_key   text,
    retry        text,                     -- delay ms, longest delay ms, factor, jitter; null for the default policy
    trace        text,                     -- W3C traceparent, and tracestate after a space
    payload      bytea not null
);
create index tasks_ready on errand.tasks (queue, rank, due, id) where state = 10;
create index tasks_scheduled on errand.tasks (due) where state = 11;
create index tasks_running on errand.tasks (owner) where state = 12;
create index tasks_expiring on errand.tasks (expires) where expires is not null and state <> 12;
create unique index tasks_unique on errand.tasks (name, unique_key) where unique_key is not null;
alter table errand.tasks set (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

-- Unique keys that stay taken for a time, whether their task lives or not. Beside tasks_unique, which holds while it lives.
create table errand.unique_periods (
    name  integer not null,
    key   text not null,
    id    bigint not null,                 -- the task that was enqueued with it
    until bigint not null,                 -- ms UTC
    primary key (name, key)
);
create index unique_periods_until on errand.unique_periods (until);
create index unique_periods_id on errand.unique_periods (id);

-- Attempts that ended without ending their task: the last 20 of each, kept as long as the task.
create table errand.attempts (
    task    bigint not null,
    epoch   bigint not null,
    started bigint not null,               -- ms UTC
    ended   bigint not null,               -- ms UTC
    worker  bigint not null,
    attempt integer not null,
    error   bytea not null,                -- UTF-8: a text may not hold NUL
    primary key (task, epoch)
);

-- What handlers say of their progress, and what they keep for their next attempt: as long as the task is kept.
create table errand.progress (
    task       bigint primary key,
    fraction   double precision,
    message    text,
    reported   bigint,                     -- ms UTC
    checkpoint bytea
);

create table errand.paused_queues (
    queue integer primary key              -- names.id
);

-- Finished tasks. The last five columns are kept for failed ones alone, so that they can be replayed.
create table errand.finished (
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
    payload      bytea
);
create index finished_by_state on errand.finished (state, finished);

-- Worker incarnations, and the task names that each knows.
create table errand.workers (
    id          bigint primary key,        -- random
    beat        bigint not null,           -- ms UTC, by the server's clock
    lease       bigint not null,           -- ms
    started     bigint not null,           -- ms UTC
    process     integer not null,
    concurrency integer not null,
    host        text not null,
    queues      text not null              -- its subscriptions, one a line: default, mail-*=6
);
create table errand.worker_names (
    worker bigint not null references errand.workers (id) on delete cascade,
    name   integer not null,
    primary key (worker, name)
);
create index worker_names_name on errand.worker_names (name);
