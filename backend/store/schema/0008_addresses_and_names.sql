-- How many addresses a VM has or gets, for quotas: one for each NIC.
alter table vms add column nics bigint not null default 0;
update vms set nics = (select count(*) from addresses a where a.vm = vms.id);
alter table totals add column addresses bigint not null default 0;
update totals set addresses = coalesce((select cast(sum(v.nics) as bigint) from vms v where 'tenant/' || v.tenant = totals.owner or 'node/' || v.node = totals.owner), 0);

-- What a user name looks like (auth.Skeleton). Empty: made before this column; Prepare fills it in.
alter table users add column username_skeleton text not null default '';
create index users_skeleton on users (username_skeleton);
