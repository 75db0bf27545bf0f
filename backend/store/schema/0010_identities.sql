-- Accounts that sign in at an OpenID provider. An empty password hash lets no password in.
create table identities (
    issuer     text not null,
    subject    text not null,
    user_id    text not null references users (id) on delete cascade,
    created_at timestamp not null,
    primary key (issuer, subject)
);
create index identities_user on identities (user_id);
