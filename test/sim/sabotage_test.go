package sim

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"novacron/backend/agent/agenttest"
	"novacron/backend/core/id"
	"novacron/backend/storage"
)

// A witness that sees nothing proves nothing: each of these breaks one thing that must never be broken, in a world that is at rest.
func TestWitness_seesWhatMustNeverBe(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(w *world, v row)
		want string // part of what it says
	}{
		"a VM on two nodes": {func(w *world, v row) {
			m := agenttest.Machine(v.name)
			m.ID, m.Epoch = v.id, v.epoch+1
			_, err := w.machines[1].life.agent.Ensure(context.Background(), m)
			w.must(err)
		}, "runs on n1 and on n2"},
		"a guest whose row is gone": {func(w *world, v row) {
			m := agenttest.Machine("stray")
			_, err := w.machines[0].life.agent.Ensure(context.Background(), m)
			w.must(err)
		}, "is not in the database"},
		"an epoch that falls":          {change("update vms set epoch = 0"), "back to 0"},
		"a report that is older":       {change("update vm_seen set seq = 1"), "back to 1"},
		"an event that is missing":     {change("delete from events where seq = (select max(seq) from events)"), "the log of events says"},
		"a status that no event tells": {change("update vms set status = 'paused'"), "events say"},
		"an operation that never ends": {change("update operations set ended_at = null, holder = 'x', lease_ends = '2099-01-01 00:00:00'"), "is leased to x"},
		"an end that is taken back":    {change("update operations set status = 'failed'"), "and is failed"},
		"a holder whose fence is not its": {func(w *world, v row) {
			change("update operations set holder = 'x'")(w, v)
			w.witness.look()
			change("update operations set holder = 'y'")(w, v)
		}, "with the same fence"},
		"a fence that falls":       {change("update operations set fence = 0"), "back to 0"},
		"an account that is wrong": {change("update totals set memory_mib = memory_mib + 1"), "the account says"},
		"a lease that outlives":    {change("update nodes set state = 'lost'"), "holds a lease"},
		"an address of nobody":     {change("update vms set id = 'vm-0000000000000000000a'"), "which is not there"},
		"a disk of nobody":         {stray, "it is there, and the API does not say it"},
		"a process that is not there": {func(w *world, v row) {
			w.machines[0].kill() // nobody sees it
			w.must(w.machines[0].Host.Crash(v.id))
		}, "the API says it, and it is not there"},
		"bytes of no image": {func(w *world, _ row) { w.must(os.Mkdir(w.imageDir("1111"), 0o700)) }, "no image is listed with it"},
		"an image without bytes": {func(w *world, _ row) {
			w.upload(request{key: "u"}, "image-1")
			w.people.Wait()
			w.settle("the image is there", w.unrest)
			all, err := filepath.Glob(w.imageDir("*"))
			w.must(err)
			for _, dir := range all {
				w.must(os.RemoveAll(dir))
			}
		}, "no server has its bytes"},
		"a VM that is lost": {change("update operations set id = 'op-0000000000000000000a'"), "operation_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, 2)
				w.settle("the nodes join", w.joining)
				w.send(request{key: "k", verb: "create", method: "POST", path: "/api/v1/vms", body: map[string]any{"name": "web-1", "cpus": 1, "memory_mib": 64, "disk_gib": 1}})
				w.people.Wait()
				w.settle("the VM runs", w.unrest)
				rows := w.witness.rows()
				if len(rows) != 1 || !w.sound() {
					t.Fatalf("%d VMs, and %v, before anything is broken", len(rows), w.faults)
				}
				for _, v := range rows {
					c.harm(w, v)
				}
				synctest.Wait()
				w.witness.look()
				if w.sound() {
					w.worldIsAsTheAPISays()
					w.imagesAreAsTheAPISays()
					w.nothingAcknowledgedIsLost()
				}
				if !slices.ContainsFunc(w.faults, func(f string) bool { return strings.Contains(f, c.want) }) {
					t.Errorf("it says %q, want %q", w.faults, c.want)
				}
			})
		})
	}
}

// change breaks the database.
func change(statement string) func(*world, row) {
	return func(w *world, _ row) {
		db, err := sql.Open("sqlite", "file:"+w.witness.file)
		w.must(err)
		defer db.Close()
		_, err = db.ExecContext(context.Background(), statement)
		w.must(err)
	}
}

// imageDir is where the first server keeps an image.
func (w *world) imageDir(digest string) string {
	return filepath.Join(w.hosts[0].dir, "images", digest)
}

// stray makes a disk that belongs to nothing.
func stray(w *world, _ row) {
	_, err := w.machines[0].Pool.Ensure(context.Background(), storage.Volume{ID: id.NewVolume(), SizeBytes: 1 << 30})
	w.must(err)
}

// A schedule that differed between two runs of one seed would repeat nothing.
func TestPlan_isTheSameForOneSeed(t *testing.T) {
	text := func(seed uint64) string {
		var b strings.Builder
		for _, e := range plan(seed, long) {
			b.WriteString(e.at.String() + " " + e.text + "\n")
		}
		return b.String()
	}
	if first, again := text(7), text(7); first != again {
		t.Error("two schedules of one seed differ")
	}
	if text(7) == text(8) {
		t.Error("the schedules of two seeds are the same")
	}
}
