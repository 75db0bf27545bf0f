package store

import (
	"context"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// PutSeen stores a node's report of a VM unless a report of this node with a greater or equal (epoch, seq) is stored, and
// says whether it was stored. A report of a VM that is not there is not stored.
func (t *Tx) PutSeen(ctx context.Context, s vm.Seen) (newer bool, err error) {
	n, err := t.exec(ctx, `insert into vm_seen (vm, node, epoch, generation, boot, seq, state, reason, addresses, report, reported_at)
		select id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 from vms where id = $1
		on conflict (vm, node) do update set epoch = excluded.epoch, generation = excluded.generation, boot = excluded.boot,
		seq = excluded.seq, state = excluded.state, reason = excluded.reason, addresses = excluded.addresses,
		report = excluded.report, reported_at = excluded.reported_at
		where (vm_seen.epoch, vm_seen.seq) < (excluded.epoch, excluded.seq)`,
		s.VM, s.Node, s.Epoch, s.Generation, s.Boot, s.Seq, clean(string(s.State), 32), clean(s.Reason, maxSentence), encode(s.Addresses), encode(s), stamp(now()))
	return n > 0, err
}

// Seen gives the last report of every node that reported the VM.
func (r *Reader) Seen(ctx context.Context, vmID id.VM) ([]vm.Seen, error) {
	return many(ctx, r, scanSeen, "select report from vm_seen where vm = $1 order by node", vmID)
}

func scanSeen(r row) (s vm.Seen, err error) { return s, r.Scan(decoded{&s}) }

// DeleteSeen forgets a node's report of a VM, once nothing of the VM is left there.
func (t *Tx) DeleteSeen(ctx context.Context, vm id.VM, node id.Node) error {
	_, err := t.exec(ctx, "delete from vm_seen where vm = $1 and node = $2", vm, node)
	return err
}
