-- One text for SQLite and PostgreSQL. Times are "timestamp", UTC, microseconds; JSON is text; an empty text means "none"
-- unless the column is nullable. Applied once, in order of the file names, inside one transaction.

create table settings (
    key        text primary key,
    value      bytea not null,
    updated_at timestamp not null
);

-- The one row of event_log gives every event its number. The row stays locked from the moment that a transaction takes its
-- numbers until it has committed, so numbers become visible in their order and without a gap.
create table event_log (
    one     bigint primary key check (one = 1),
    log     text not null,
    last    bigint not null,
    trimmed bigint not null
);

create table events (
    seq     bigint primary key,
    type    text not null,
    time    timestamp not null,
    tenant  text not null,
    subject text not null,
    data    text not null
);
create index events_time on events (time);
create index events_subject on events (subject, seq);

create table tenants (
    id          text primary key,
    name        text not null,
    name_folded text not null unique,
    quota       text not null,
    version     bigint not null,
    created_at  timestamp not null,
    updated_at  timestamp not null
);

create table users (
    id              text primary key,
    tenant          text not null references tenants (id),
    username        text not null,
    username_folded text not null unique,
    email           text not null,
    email_folded    text not null unique,
    password_hash   text not null,
    role            text not null,
    disabled        boolean not null,
    version         bigint not null,
    created_at      timestamp not null,
    updated_at      timestamp not null
);
create index users_tenant on users (tenant, username_folded);

create table sessions (
    id         text primary key,
    user_id    text not null references users (id) on delete cascade,
    address    text not null,
    agent      text not null,
    created_at timestamp not null,
    seen_at    timestamp not null,
    expires_at timestamp not null,
    ended_at   timestamp
);
create index sessions_user on sessions (user_id, created_at);
create index sessions_expires on sessions (expires_at);

create table revoked_tokens (
    jti        text primary key,
    expires_at timestamp not null
);
create index revoked_tokens_expires on revoked_tokens (expires_at);

create table tickets (
    hash       text primary key,
    user_id    text not null,
    session    text not null,
    vm         text not null,
    kind       text not null,
    mode       text not null,
    expires_at timestamp not null
);
create index tickets_expires on tickets (expires_at);

create table signing_keys (
    kid        text primary key,
    sealed     bytea not null,
    created_at timestamp not null,
    retired_at timestamp
);

create table idempotency_keys (
    tenant       text not null,
    user_id      text not null,
    key          text not null,
    request_hash text not null,
    status       bigint not null,
    header       text not null,
    body         bytea not null,
    expires_at   timestamp not null,
    primary key (tenant, user_id, key)
);
create index idempotency_keys_expires on idempotency_keys (expires_at);

create table nodes (
    id            text primary key,
    name          text not null,
    name_folded   text not null unique,
    state         text not null,
    state_reason  text not null,
    facts         text not null,
    labels        text not null,
    cordoned      boolean not null,
    cert_serial   text not null,
    lease_seq     bigint not null,
    lease_granted timestamp,
    lease_ends    timestamp,
    last_seen     timestamp,
    version       bigint not null,
    created_at    timestamp not null,
    updated_at    timestamp not null
);

create table join_tokens (
    hash       text primary key,
    created_by text not null,
    created_at timestamp not null,
    expires_at timestamp not null,
    used_by    text not null,
    used_at    timestamp
);
create index join_tokens_expires on join_tokens (expires_at);

create table images (
    id             text primary key,
    tenant         text not null,
    name           text not null,
    name_folded    text not null,
    digest         text not null,
    os             text not null,
    arch           text not null,
    format         text not null,
    firmware       text not null,
    cmdline        text not null,
    bytes          bigint not null,
    virtual_bytes  bigint not null,
    min_memory_mib bigint not null,
    min_disk_gib   bigint not null,
    source         text not null,
    state          text not null,
    state_reason   text not null,
    version        bigint not null,
    created_at     timestamp not null,
    updated_at     timestamp not null,
    unique (tenant, name_folded)
);
create index images_digest on images (digest);

create table uploads (
    id         text primary key,
    image      text not null references images (id) on delete cascade,
    tenant     text not null,
    offset_at  bigint not null,
    bytes      bigint not null,
    digest     text not null,
    staging    text not null,
    created_at timestamp not null,
    expires_at timestamp not null
);
create index uploads_expires on uploads (expires_at);

create table networks (
    id          text primary key,
    tenant      text not null,
    name        text not null,
    name_folded text not null,
    bridge      text not null,
    subnet      text not null,
    gateway     text not null,
    dns         text not null,
    mtu         bigint not null,
    version     bigint not null,
    created_at  timestamp not null,
    updated_at  timestamp not null,
    unique (tenant, name_folded)
);

create table vms (
    id             text primary key,
    tenant         text not null references tenants (id),
    name           text not null,
    name_folded    text not null,
    description    text not null,
    spec           text not null,
    wanted_power   text not null,
    boot           bigint not null,
    force          boolean not null,
    grace_s        bigint not null,
    generation     bigint not null,
    epoch          bigint not null,
    node           text not null,
    role           text not null,
    uid            bigint not null,
    machine_type   text not null,
    cpu_model      text not null,
    status         text not null,
    status_reason  text not null,
    cpus           bigint not null,
    memory_mib     bigint not null,
    disk_gib       bigint not null,
    image          text not null,
    protected      boolean not null,
    version        bigint not null,
    created_at     timestamp not null,
    updated_at     timestamp not null,
    unique (tenant, name_folded)
);
create index vms_name on vms (name_folded, id);
create index vms_created on vms (created_at, id);
create index vms_status on vms (status, id);
create index vms_node on vms (node, id);

create table vm_seen (
    vm          text not null references vms (id) on delete cascade,
    node        text not null,
    epoch       bigint not null,
    generation  bigint not null,
    boot        bigint not null,
    seq         bigint not null,
    state       text not null,
    reason      text not null,
    addresses   text not null,
    report      text not null,
    reported_at timestamp not null,
    primary key (vm, node)
);

create table addresses (
    network text not null references networks (id),
    number  bigint not null,
    address text not null,
    nic     text not null unique,
    vm      text not null references vms (id),
    mac     text not null unique,
    primary key (network, number)
);
create index addresses_vm on addresses (vm);

create table uids (
    uid bigint primary key,
    vm  text not null unique references vms (id)
);

create table snapshots (
    id           text primary key,
    vm           text not null references vms (id),
    tenant       text not null,
    name         text not null,
    name_folded  text not null,
    description  text not null,
    memory       boolean not null,
    state        text not null,
    state_reason text not null,
    version      bigint not null,
    created_at   timestamp not null,
    updated_at   timestamp not null,
    unique (vm, name_folded)
);

create table operations (
    id         text primary key,
    kind       text not null,
    tenant     text not null,
    subject    text not null,
    caller     text not null,
    request    text not null,
    state      text not null,
    status     text not null,
    step       bigint not null,
    names      text not null,
    progress   double precision not null,
    sentence   text not null,
    problem    text not null,
    cancel     boolean not null,
    attempts   bigint not null,
    not_before timestamp not null,
    holder     text not null,
    fence      bigint not null,
    lease_ends timestamp not null,
    created_at timestamp not null,
    updated_at timestamp not null,
    ended_at   timestamp
);
-- At most one unended operation acts on a subject.
create unique index operations_busy on operations (subject) where ended_at is null;
create index operations_open on operations (created_at, id) where ended_at is null;
create index operations_created on operations (created_at, id);
create index operations_subject on operations (subject, created_at);
create index operations_ended on operations (ended_at);
