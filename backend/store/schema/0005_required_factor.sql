-- A tenant can require a second factor of its accounts.
alter table tenants add column require_factor boolean not null default false;
