package storetest

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/store"
)

// testTotals: whatever is done to VMs, the totals are the sums over the rows.
func testTotals(t *testing.T, s *suite) {
	nodes := []id.Node{"", "node-a", "node-b"}
	random := rand.New(rand.NewPCG(1, 2))
	var all []store.VM
	var snapshots []id.Snapshot
	for i := range 120 {
		s.tx(func(x *store.Tx) error {
			if len(all) < 3 || random.IntN(4) == 0 {
				v := newVM(s.tenant, "vm-"+strconv.Itoa(i))
				v.Spec.CPUs, v.Node = 1+random.IntN(8), nodes[random.IntN(3)]
				all = append(all, v)
				return x.InsertVM(s.ctx, &all[len(all)-1])
			}
			at := random.IntN(len(all))
			v := &all[at]
			switch random.IntN(5) {
			case 0:
				for _, p := range snapshots {
					if err := x.DeleteSnapshot(s.ctx, p); err != nil {
						return err
					}
				}
				snapshots = nil
				gone := v.ID
				all = append(all[:at], all[at+1:]...)
				return x.DeleteVM(s.ctx, gone)
			case 1:
				p := store.Snapshot{ID: id.NewSnapshot(), VM: v.ID, Tenant: s.tenant, Name: strconv.Itoa(i)}
				snapshots = append(snapshots, p.ID)
				return x.InsertSnapshot(s.ctx, &p)
			case 2:
				v.Spec.MemoryMiB = 16 * (1 + random.IntN(100))
				v.Spec.Disks = append(v.Spec.Disks, vm.Disk{ID: id.NewVolume(), SizeGiB: 1 + random.IntN(9)})
				v.Spec.NICs = append(v.Spec.NICs, vm.NIC{ID: id.NewNIC()})
				return x.UpdateVM(s.ctx, v)
			}
			v.Node = nodes[random.IntN(3)]
			return x.SaveVM(s.ctx, v)
		})
		tenant, usage := sums(all, len(snapshots))
		same(t, "what the tenant has after "+strconv.Itoa(i), must[store.VMTotals](t)(s.db.CountVMs(s.ctx, s.tenant)), tenant)
		same(t, "what the nodes have after "+strconv.Itoa(i), must[map[id.Node]store.VMTotals](t)(s.db.NodeUsage(s.ctx)), usage)
	}
}

func sums(all []store.VM, snapshots int) (tenant store.VMTotals, usage map[id.Node]store.VMTotals) {
	usage = map[id.Node]store.VMTotals{}
	for _, v := range all {
		disks := 0
		for _, d := range v.Spec.Disks {
			disks += d.SizeGiB
		}
		for _, to := range []string{"tenant", string(v.Node)} {
			sum := usage[id.Node(to)]
			sum.VMs, sum.CPUs, sum.MemoryMiB, sum.DiskGiB = sum.VMs+1, sum.CPUs+v.Spec.CPUs, sum.MemoryMiB+v.Spec.MemoryMiB, sum.DiskGiB+disks
			sum.Addresses += len(v.Spec.NICs)
			usage[id.Node(to)] = sum
		}
	}
	tenant = usage["tenant"]
	tenant.Snapshots = snapshots
	delete(usage, "tenant")
	delete(usage, "")
	return tenant, usage
}
