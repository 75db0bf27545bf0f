-- A clone needs its source: for ever when it is linked, else until the copy is done. The reference without cascade keeps a
-- source from being deleted, whatever the code above it forgets.
create table clones (
    vm     text primary key references vms (id) on delete cascade,
    source text not null references vms (id),
    linked boolean not null,
    done   boolean not null
);
create index clones_source on clones (source);
