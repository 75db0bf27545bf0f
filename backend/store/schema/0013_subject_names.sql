-- What an operation acted on may be gone when somebody reads of it.
alter table operations add column subject_name text not null default '';
