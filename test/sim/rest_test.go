package sim

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	simnet "novacron/backend/network/sim"
)

// heal mends everything, lets the platform come to rest, and compares the world with what the API says of it.
func (w *world) heal() {
	w.note("plan", "everything is mended")
	w.cables.mendAll()
	for _, h := range w.hosts {
		h.dieSoon(0, 0)
		h.mu.Lock()
		h.back, h.worse.refuse, h.worse.lose = time.Now(), 0, 0
		h.mu.Unlock()
	}
	for _, m := range w.machines {
		m.Pool.FillUp(machineDiskBytes)
		m.dieSoon(0, 0)
		m.mu.Lock()
		m.back, m.off = time.Now(), time.Now()
		m.mu.Unlock()
	}
	w.people.Wait()
	w.settle("everything comes to rest", w.unrest)
	if !w.sound() {
		return
	}
	time.Sleep(2 * time.Minute) // past a sweep: what is at rest stays at rest
	w.settle("everything stays at rest", w.unrest)
	if !w.sound() {
		return
	}
	w.worldIsAsTheAPISays()
	w.imagesAreAsTheAPISays()
	w.nothingAcknowledgedIsLost()
	if len(w.hosts) > 1 && w.passed == 0 {
		w.broken("no server passed anything on to another")
	}
}

// joining lists the nodes that are not alive yet.
func (w *world) joining() (left []string) {
	alive := 0
	w.witness.each("select count(*) from nodes where state = 'alive' and facts like '%memory_mib%'", func(r *sql.Rows) error { return r.Scan(&alive) })
	if alive < len(w.machines) {
		left = append(left, fmt.Sprintf("%d of %d nodes are alive", alive, len(w.machines)))
	}
	return left
}

// unrest lists what is still under way.
func (w *world) unrest() []string {
	left := w.joining()
	for _, h := range w.hosts {
		if !h.serves() {
			left = append(left, h.name+" does not serve")
		}
	}
	w.witness.each("select kind || ' ' || subject || ' ' || status || ': ' || sentence from operations where ended_at is null", func(r *sql.Rows) error {
		var what string
		err := r.Scan(&what)
		left = append(left, what)
		return err
	})
	for _, v := range w.witness.rows() {
		if v.wanted == "gone" || v.seenEpoch != v.epoch || v.seenGen < v.generation || slices.Contains([]string{"starting", "stopping", "creating", "unknown"}, v.status) {
			left = append(left, fmt.Sprintf("%s %s on %s: wanted %s, status %s, epoch %d.%d, seen %s at %d.%d", v.id, v.name, w.nameOf(v.node), v.wanted, v.status, v.epoch, v.generation, v.seenState, v.seenEpoch, v.seenGen))
		}
	}
	return left
}

// get reads from the API.
func (w *world) get(path string, into any) {
	status, raw, err := w.call(context.Background(), "s1", http.MethodGet, path, "", nil)
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(raw, into)
	}
	if err != nil || status != http.StatusOK {
		w.broken("GET %s: %d %v %s", path, status, err, raw)
	}
}

// inventory is what there is of VMs, one line per thing.
type inventory map[string]bool

func (i inventory) add(format string, a ...any) { i[fmt.Sprintf(format, a...)] = true }

// less lists what is in i and not in other.
func (i inventory) less(other inventory) (list []string) {
	for line := range i {
		if !other[line] {
			list = append(list, line)
		}
	}
	slices.Sort(list)
	return list
}

func (w *world) worldIsAsTheAPISays() {
	said, there := w.said(), w.there()
	if list := said.less(there); len(list) > 0 {
		w.broken("the API says it, and it is not there:\n  %s", strings.Join(list, "\n  "))
	}
	if list := there.less(said); len(list) > 0 {
		w.broken("it is there, and the API does not say it:\n  %s", strings.Join(list, "\n  "))
	}
}

// said is what follows from the API's answers.
func (w *world) said() inventory {
	all := inventory{}
	var nodes wire.List[wire.Node]
	w.get("/api/v1/nodes", &nodes)
	used := map[id.Node]wire.Node{}
	var vms wire.List[wire.VMSummary]
	w.get("/api/v1/vms?limit=1000", &vms)
	for _, s := range vms.Items {
		var v wire.VM
		w.get("/api/v1/vms/"+string(s.ID), &v)
		on := w.nameOf(v.NodeID)
		sum := used[v.NodeID]
		sum.VMs, sum.CPUsUsed, sum.MemoryUsed = sum.VMs+1, sum.CPUsUsed+v.CPUs, sum.MemoryUsed+v.MemoryMiB
		used[v.NodeID] = sum
		if v.Status == "running" || v.Status == "paused" {
			all.add("%s: process of %s", on, v.ID)
			if len(v.NICs) > 0 {
				all.add("%s: ports of %s", on, v.ID)
			}
		}
		for _, d := range v.Disks {
			all.add("%s: disk %s", on, d.ID)
		}
		all.add("%s: journal of %s", on, v.ID)
		if v.OperationID != "" {
			w.broken("%s is at rest, and operation %s acts on it", v.Name, v.OperationID)
		}
	}
	for _, n := range nodes.Items {
		if sum := used[n.ID]; n.VMs != sum.VMs || n.CPUsUsed != sum.CPUsUsed || n.MemoryUsed != sum.MemoryUsed {
			w.broken("%s has %d VMs with %d CPUs and %d MiB, its account says %d, %d and %d", w.nameOf(n.ID), sum.VMs, sum.CPUsUsed, sum.MemoryUsed, n.VMs, n.CPUsUsed, n.MemoryUsed)
		}
	}
	return all
}

// there is what the machines have.
func (w *world) there() inventory {
	all := inventory{}
	ctx := context.Background()
	for _, m := range w.machines {
		for _, v := range m.guests() {
			all.add("%s: process of %s", m.name, v)
		}
		attached, err := simnet.New(m.Net).Attached(ctx)
		w.must(err)
		for _, v := range attached {
			all.add("%s: ports of %s", m.name, v)
		}
		disks, err := m.Pool.List(ctx)
		w.must(err)
		for _, d := range disks {
			all.add("%s: disk %s", m.name, d.ID)
		}
		files, err := os.ReadDir(filepath.Join(m.Dir, "agent", "vms"))
		w.must(err)
		for _, f := range files {
			all.add("%s: journal of %s", m.name, strings.TrimSuffix(f.Name(), ".json"))
		}
	}
	return all
}

// nothingAcknowledgedIsLost: what people were told of is there, with an end, and the same for everybody who asked with one key.
func (w *world) nothingAcknowledgedIsLost() {
	byKey := map[string]answer{}
	deleted := map[id.VM]bool{}
	made := map[id.VM]answer{}
	for _, a := range w.answers {
		if !a.acknowledged() {
			continue
		}
		if a.operation == "" {
			if a.verb == "resize" {
				continue // it had that size
			}
			w.broken("%s was answered %d without an operation", a.request, a.status)
			continue
		}
		if first, ok := byKey[a.key]; ok && a.method == http.MethodPost && first.operation != a.operation {
			w.broken("%s was done twice, as %s and as %s", a.request, first.operation, a.operation)
		}
		byKey[a.key] = a
		var o wire.Operation
		w.get("/api/v1/operations/"+string(a.operation), &o)
		switch {
		case !o.Ended():
			w.broken("%s was acknowledged, and its operation is %s", a.request, o.Status)
		case o.Status == "stuck":
			w.broken("%s is stuck: %s", a.request, o.Sentence)
		case a.status == http.StatusOK && !o.Succeeded():
			w.broken("%s was answered as done, and its operation is %s", a.request, o.Status)
		case o.Succeeded() && o.Kind == "vm.delete":
			deleted[a.vm] = true
		case o.Succeeded() && (o.Kind == "vm.create" || o.Kind == "vm.clone"):
			made[a.vm] = a
		}
	}
	rows := w.witness.rows()
	for v, a := range made {
		if _, ok := rows[v]; !ok && w.witness.status["vm/"+string(v)] != "" {
			w.broken("%s was acknowledged and done, and %s is lost", a.request, v)
		}
	}
	for v := range deleted {
		if r, ok := rows[v]; ok {
			w.broken("%s was deleted, and is there", r.name)
		}
	}
}
