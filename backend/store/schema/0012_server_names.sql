-- What operators see of a server in a list, and whether it said that it stops.
alter table servers add column name text not null default '';
alter table servers add column version text not null default '';
alter table servers add column stopped boolean not null default false;
