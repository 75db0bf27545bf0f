-- Invitations to make an account, which were one-use secrets without a name: those that are pending end with this.
create table invites (
    id         text primary key,
    hash       text not null unique,
    email      text not null,
    role       text not null,
    tenant     text not null references tenants (id) on delete cascade,
    invited_by text not null,
    created_at timestamp not null,
    expires_at timestamp not null
);
create index invites_created on invites (created_at, id);
create index invites_expires on invites (expires_at);
create index invites_tenant on invites (tenant);
create index invites_role on invites (role);
delete from one_use where purpose = 'invite';
