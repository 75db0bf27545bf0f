-- What the VMs of a tenant ("tenant/<id>") and on a node ("node/<id>") take together. Every create and every placement asks for it, and
-- summing up 25,000 VMs each time takes longer than the rest of the create. Whatever changes a VM's row changes this beside it.
create table totals (
    owner      text primary key,
    vms        bigint not null,
    cpus       bigint not null,
    memory_mib bigint not null,
    disk_gib   bigint not null,
    snapshots  bigint not null
);
insert into totals (owner, vms, cpus, memory_mib, disk_gib, snapshots)
    select 'node/' || node, count(*), cast(sum(cpus) as bigint), cast(sum(memory_mib) as bigint), cast(sum(disk_gib) as bigint), 0
    from vms where node <> '' group by node;
insert into totals (owner, vms, cpus, memory_mib, disk_gib, snapshots)
    select 'tenant/' || t.id, count(*), cast(sum(v.cpus) as bigint), cast(sum(v.memory_mib) as bigint), cast(sum(v.disk_gib) as bigint),
        (select count(*) from snapshots s where s.tenant = t.id)
    from tenants t join vms v on v.tenant = t.id group by t.id;
drop index vms_node_usage;
drop index vms_tenant_usage;
