-- Words that people give a VM, each with a comma before and behind it; empty: none.
alter table vms add column tags text not null default '';
