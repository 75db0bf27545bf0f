-- Servers that share this database, and which of them holds the connection of a node: empty, none. The epoch counts the claims of a
-- node and never begins anew.
create table servers (
    id         text primary key,
    address    text not null,
    started_at timestamp not null,
    seen_at    timestamp not null
);
create table holders (
    node   text primary key references nodes (id) on delete cascade,
    server text not null,
    epoch  bigint not null
);
create index holders_server on holders (server);
-- The server whose disk has the bytes. Empty: there are none yet.
alter table uploads add column server text not null default '';
