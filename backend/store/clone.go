package store

import (
	"context"

	"novacron/backend/core/id"
)

// Clone says that a VM was copied from another and needs it: for ever when it is linked, else until the copy is done.
type Clone struct {
	VM     id.VM
	Name   string // of VM
	Source id.VM
	Linked bool
	Done   bool // the copy is made
}

// InsertClone adds the bond between two VMs whose rows are there.
func (t *Tx) InsertClone(ctx context.Context, c Clone) error {
	_, err := t.exec(ctx, "insert into clones (vm, source, linked, done) values ($1, $2, $3, $4)", c.VM, c.Source, c.Linked, c.Done)
	return err
}

// FinishClone says that the copy is made: the bond of a full clone ends, that of a linked one stays. None is success.
func (t *Tx) FinishClone(ctx context.Context, vm id.VM) error {
	if _, err := t.exec(ctx, "delete from clones where vm = $1 and linked = $2", vm, false); err != nil {
		return err
	}
	_, err := t.exec(ctx, "update clones set done = $2 where vm = $1", vm, true)
	return err
}

// Clones reads the VMs that need the source, by name.
func (r *Reader) Clones(ctx context.Context, source id.VM) ([]Clone, error) {
	return many(ctx, r, func(row row) (c Clone, err error) {
		return c, row.Scan(&c.VM, &c.Name, &c.Source, &c.Linked, &c.Done)
	}, "select c.vm, v.name, c.source, c.linked, c.done from clones c join vms v on v.id = c.vm where c.source = $1 order by v.name_folded", source)
}
