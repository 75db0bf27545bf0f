-- In which tenants an account acts beside its own one, which stands in users with the role there.
create table memberships (
    user_id    text not null references users (id) on delete cascade,
    tenant     text not null references tenants (id),
    role       text not null,
    created_at timestamp not null,
    primary key (user_id, tenant)
);
create index memberships_tenant on memberships (tenant);
create index memberships_role on memberships (role);
-- Where a token acts; empty: in the own tenant of its account.
alter table api_tokens add column tenant text not null default '';
