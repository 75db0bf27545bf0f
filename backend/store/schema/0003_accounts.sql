-- "member" was the name of "developer".
update users set role = 'developer' where role = 'member';
alter table users add column unverified boolean not null default false;

-- Secrets that are good once: links in mails, invitations, the second step of a sign-in. Only their hashes are kept.
create table one_use (
    hash       text primary key,
    purpose    text not null,
    user_id    text not null,
    content    text not null,
    attempts   bigint not null,
    expires_at timestamp not null
);
create index one_use_user on one_use (user_id, purpose);
create index one_use_expires on one_use (expires_at);

create table second_factors (
    user_id    text primary key references users (id) on delete cascade,
    sealed     bytea not null,
    enabled    boolean not null,
    last_step  bigint not null,
    created_at timestamp not null
);

create table backup_codes (
    user_id text not null references users (id) on delete cascade,
    hash    text not null,
    primary key (user_id, hash)
);

create table api_tokens (
    id         text primary key,
    user_id    text not null references users (id) on delete cascade,
    name       text not null,
    scopes     text not null,
    hash       text not null unique,
    created_at timestamp not null,
    expires_at timestamp,
    used_at    timestamp,
    unique (user_id, name)
);

-- Where an account has signed in from, as hashes.
create table devices (
    user_id text not null references users (id) on delete cascade,
    network text not null,
    agent   text not null,
    seen_at timestamp not null,
    primary key (user_id, network, agent)
);

create table signin_failures (
    key        text primary key,
    failures   bigint not null,
    until      timestamp not null,
    expires_at timestamp not null
);
create index signin_failures_expires on signin_failures (expires_at);

-- A mail is written in the transaction of what it tells. Its content is sealed, and dropped once it is sent.
create table mails (
    id         text primary key,
    event      text not null unique,
    kind       text not null,
    recipient  text not null,
    sealed     bytea not null,
    state      text not null,
    attempts   bigint not null,
    reason     text not null,
    not_before timestamp not null,
    created_at timestamp not null,
    ended_at   timestamp
);
create index mails_due on mails (not_before) where ended_at is null;
create index mails_created on mails (created_at, id);

-- Each entry carries the hash of itself and of the entry before it; the head holds the last.
create table audit_head (
    one  bigint primary key check (one = 1),
    last bigint not null,
    hash text not null
);
insert into audit_head (one, last, hash) values (1, 0, '');

create table audit (
    seq     bigint primary key,
    time    timestamp not null,
    tenant  text not null,
    user_id text not null,
    actor   text not null,
    action  text not null,
    subject text not null,
    address text not null,
    result  text not null,
    request text not null,
    detail  text not null,
    hash    text not null
);
create index audit_subject on audit (subject, seq);
create index audit_user on audit (user_id, seq);
