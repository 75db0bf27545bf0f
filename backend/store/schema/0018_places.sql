-- Where the node's agent is, as agent.Place tells it; empty: it has not said.
alter table nodes add column place text not null default '';
