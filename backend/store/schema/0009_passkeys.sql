-- Passkeys (WebAuthn). The credential is JSON: public key, flags, sign counter.
create table passkeys (
    id         text primary key,
    user_id    text not null references users (id) on delete cascade,
    name       text not null,
    credential text not null,
    created_at timestamp not null,
    used_at    timestamp
);
create index passkeys_user on passkeys (user_id, created_at);
