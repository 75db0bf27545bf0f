-- Roles that administrators made. users.role holds the name of one, or of a built-in role.
create table roles (
    name        text primary key,
    description text not null,
    actions     text not null,
    reach       text not null,
    tenants     text not null,
    version     bigint not null,
    created_at  timestamp not null,
    updated_at  timestamp not null
);
create index users_role on users (role);
