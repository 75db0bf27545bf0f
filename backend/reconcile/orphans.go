package reconcile

import (
	"context"

	"novacron/backend/core/vm"
)

// maxStrays bounds what is remembered of VMs that operators were told of.
const maxStrays = 10_000

// strays takes VMs off a node that it does not own, as far as that is safe; see app.Disown. What the platform does not know at all
// is told to the operators, once per life of this server, and left alone.
func (f *follower) strays(ctx context.Context, reports []vm.Seen) {
	for _, s := range reports {
		if s.State == vm.SeenAbsent || !f.begin(s.VM) {
			continue
		}
		f.tells.Go(func() {
			defer f.end(s.VM)
			select {
			case f.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			defer func() { <-f.slots }()
			call, cancel := context.WithTimeout(ctx, tellTimeout)
			defer cancel()
			stray, err := f.l.o.App.Disown(call, f.node, s.VM)
			if err == nil && stray && f.l.firstStray(s) {
				f.l.o.Log.Warn("a node has a VM that the platform does not know; it is left alone", "node", f.node, "vm", s.VM, "state", s.State)
				err = f.l.o.App.ReportStray(call, f.node, s)
			}
			if err != nil && ctx.Err() == nil {
				f.l.o.Log.Warn("take a VM off a node that does not own it", "node", f.node, "vm", s.VM, "err", err)
			}
		})
	}
}

func (l *Loops) firstStray(s vm.Seen) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.strays[s.VM] || len(l.strays) >= maxStrays {
		return false
	}
	l.strays[s.VM] = true
	return true
}
