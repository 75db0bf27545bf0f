-- When the owner was told that an API token will end; each is told of once.
alter table api_tokens add column told_at timestamp;
create index api_tokens_ends on api_tokens (expires_at);
