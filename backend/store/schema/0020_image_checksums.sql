-- The checksum that the bytes of an image were held against as they came; empty: none was given.
alter table images add column checksum text not null default '';
