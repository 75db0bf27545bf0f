package reconcile

import (
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novacron/backend/agent/agenttest"
	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// outage is how long the database is away in the middle of operations.
func outage() time.Duration {
	if testing.Short() {
		return 2 * time.Second
	}
	return 10 * time.Second
}

func TestOperations_outliveADatabaseThatIsLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	w, machine, _ := platformOn(t, storetest.Open(t, store.Options{Path: path}))
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	w.must(err)
	defer other.Close() //nolint:errcheck // it wrote nothing
	w.interrupt(machine, func() func() {
		tx, err := other.BeginTx(w.ctx, nil) // the write lock, as a backup program may hold it
		w.must(err)
		return func() { w.must(tx.Rollback()) }
	})
}

func TestOperations_outliveADatabaseThatIsGone(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(storetest.PostgresURL(t))
	if err != nil {
		t.Fatal("the address of the test database cannot be read") // the cause would print the password
	}
	w, machine, _ := platformOn(t, storetest.Open(t, store.Options{URL: u.String()}))
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	server := u.String()
	w.interrupt(machine, func() func() {
		storetest.Admin(t, server, "alter database "+name+" allow_connections false")
		storetest.Admin(t, server, "select pg_terminate_backend(pid) from pg_stat_activity where datname = '"+name+"'")
		return func() { storetest.Admin(t, server, "alter database "+name+" allow_connections true") }
	})
}

// interrupt takes the database away in the middle of a stream of creates and stops, and wants the end that an undisturbed one has.
func (w *world) interrupt(machine *agenttest.World, away func() (back func())) {
	w.t.Helper()
	var asked, unsure []string // what was acknowledged, and what got no clear answer
	create := func() {
		name := fmt.Sprintf("v-%d", len(asked)+len(unsure))
		_, err := w.app.CreateVM(w.ctx, w.admin, wire.CreateVM{Name: name, Image: "tiny", CPUs: 1, MemoryMiB: 64})
		if err == nil {
			asked = append(asked, name)
			return
		}
		if !fault.Is(err, fault.Unavailable) {
			w.t.Errorf("while the database is away a create is refused with %v", err)
		}
		unsure = append(unsure, name)
	}
	w.ok(w.app.CreateVM(w.ctx, w.admin, wire.CreateVM{Name: "stopping", Image: "tiny", CPUs: 1, MemoryMiB: 64}))
	stop, err := w.app.StopVM(w.ctx, w.admin, "stopping", wire.StopVM{})
	w.must(err)
	for range 20 {
		create()
	}
	back := away()
	for end := time.After(outage()); ; {
		select {
		case <-end:
		case <-time.After(200 * time.Millisecond):
			create()
			continue
		}
		break
	}
	back()
	w.eventuallyWithin(time.Minute, "every operation has ended", func() bool {
		open, err := w.app.ListOperations(w.ctx, w.admin, app.ListOperations{Status: "open"})
		return err == nil && open.Total == 0
	})
	w.done(stop.Operation)
	// While no lease could be renewed the node was not to be believed.
	w.eventuallyWithin(time.Minute, "the node is alive again", func() bool { return w.nodeRow().State.Answers() })
	w.whole(machine, asked, unsure)
}

// whole wants every VM that was acknowledged to run, those without a clear answer to run or not to be, and nothing else anywhere.
func (w *world) whole(machine *agenttest.World, asked, unsure []string) {
	w.t.Helper()
	page, err := w.app.ListVMs(w.ctx, w.admin, app.ListVMs{ListRequest: app.ListRequest{Limit: 1000}})
	w.must(err)
	known := map[string]vm.State{}
	for _, v := range page.Items {
		known[v.Name] = v.Status
	}
	running := 0
	for _, name := range asked {
		if known[name] != vm.StateRunning {
			w.t.Errorf("%s was acknowledged and is %q", name, known[name])
		}
	}
	for _, name := range append(asked, unsure...) {
		switch known[name] {
		case vm.StateRunning:
			running++
		case "":
		default:
			w.t.Errorf("%s is %s", name, known[name])
		}
	}
	w.t.Logf("%d acknowledged, %d without an answer, %d run", len(asked), len(unsure), running)
	if n := machine.Host.Guests(); n != running {
		w.t.Errorf("%d guests run, want %d", n, running)
	}
	volumes, err := machine.Pool.List(w.ctx)
	w.must(err)
	if len(volumes) != len(known) {
		w.t.Errorf("the node has %d disks for %d VMs", len(volumes), len(known))
	}
	w.addressesOnce(page.Items)
}

// addressesOnce wants one address per VM, and none twice.
func (w *world) addressesOnce(vms []wire.VMSummary) {
	w.t.Helper()
	given := map[string]id.VM{}
	for _, v := range vms {
		all, err := w.db.Addresses(w.ctx, v.ID)
		w.must(err)
		if len(all) != 1 {
			w.t.Errorf("%s has %d addresses", v.Name, len(all))
			continue
		}
		if other := given[all[0].Address]; other != "" {
			w.t.Errorf("%s and %s have the same address", v.Name, other)
		}
		given[all[0].Address] = v.ID
	}
}
