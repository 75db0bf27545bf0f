-- Sign-ins, revoked tokens and console tickets are the session store's, which has tables of its own.
drop table sessions;
drop table revoked_tokens;
drop table tickets;
