-- Times are Unix microseconds: they are only ever compared, in both engines alike. "ends" is when a row may be removed.
-- "refresh" and "previous" are what a chain holds (chain.go).
create table if not exists session_logins (
	id text primary key,
	account text not null,
	created bigint not null,
	seen bigint not null,
	ends bigint not null,
	address text not null,
	agent text not null,
	refresh text not null,
	previous text not null,
	rotated bigint not null
);
create index if not exists session_logins_account on session_logins (account, created);
create table if not exists session_revoked (jti text primary key, ends bigint not null);
create table if not exists session_windows (key text primary key, events text not null, ends bigint not null);
create table if not exists session_tickets (hash text primary key, content text not null, ends bigint not null);
