-- Every create sums up what the VMs of its tenant take, and every placement what those of each node take. Read from an index
-- alone, the sums do not touch the wide rows.
create index vms_node_usage on vms (node, cpus, memory_mib, disk_gib);
create index vms_tenant_usage on vms (tenant, cpus, memory_mib, disk_gib);
