package qemu

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite" // the platform's database is looked at behind its back

	"novacron/backend/client"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// process is a QEMU of this instance.
type process struct {
	pid int
	vm  id.VM
}

// guests finds the QEMU processes of the instance: as root by the users that only this instance gives to guests, else by the files
// that they hold. A guest whose VM nobody knows any more is found all the same.
func (w *world) guests() []process {
	var found []process
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		line, err := os.ReadFile(filepath.Join(d, "cmdline"))
		if err != nil || !strings.Contains(string(line[:min(len(line), 100)]), "qemu-system-") || !w.owns(d) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(d))
		found = append(found, process{pid, vmOf(string(line))})
	}
	return found
}

func vmOf(cmdline string) id.VM {
	_, after, _ := strings.Cut(cmdline, "guest=vm-")
	name, _, _ := strings.Cut(after, ",")
	return id.VM("vm-" + name)
}

func (w *world) owns(proc string) bool {
	fi, err := os.Stat(proc)
	if err != nil {
		return false
	}
	if os.Geteuid() == 0 && len(w.wrap) == 0 {
		uid := int(fi.Sys().(*syscall.Stat_t).Uid)
		return uid >= w.paths.FirstUID() && uid < w.paths.FirstUID()+1<<16
	}
	fds, _ := filepath.Glob(filepath.Join(proc, "fd", "*"))
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, w.data) {
			return true
		}
	}
	return false
}

// leftovers says what of the instance is on the machine that should not be after down.
func (w *world) leftovers() []string {
	var left []string
	for _, p := range w.guests() {
		left = append(left, fmt.Sprintf("process %d of %s", p.pid, p.vm))
	}
	if _, err := os.Stat(w.paths.Run); err == nil {
		left = append(left, fmt.Sprintf("the run folder with %v", names(w.paths.Run)))
	}
	for _, l := range links(w.t) {
		if l.name == w.bridge() || l.master == w.bridge() {
			left = append(left, "network device "+l.name)
		}
	}
	if os.Geteuid() == 0 {
		tables, err := exec.Command("nft", "list", "tables").Output()
		if err == nil && strings.Contains(string(tables), "novacron_"+w.paths.Tag) {
			left = append(left, "firewall table novacron_"+w.paths.Tag)
		}
	}
	return left
}

// bridge is the device of the default network.
func (w *world) bridge() string { return "nc" + w.paths.Tag }

type link struct{ name, master string }

func links(t testing.TB) []link {
	t.Helper()
	out, err := exec.Command("ip", "-j", "link").Output()
	if err != nil {
		t.Fatalf("ip link: %v", err)
	}
	var raw []struct{ Ifname, Master string }
	if err := json.Unmarshal(out, &raw); err != nil {
		t.Fatalf("ip link: %v", err)
	}
	var all []link
	for _, l := range raw {
		all = append(all, link{l.Ifname, l.Master})
	}
	return all
}

// names lists a folder; one that is not there is empty.
func names(dir string) []string {
	entries, _ := os.ReadDir(dir)
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// settle waits until no operation is under way.
func (w *world) settle() {
	w.t.Helper()
	until(w.t, late, "all operations have ended", func() (bool, string) {
		open, err := w.Operations(w.ctx(), client.ListOptions{Limit: 100, Filter: map[string]string{"status": "open"}})
		if err != nil {
			return false, err.Error()
		}
		var seen []string
		for _, o := range open.Items {
			if !o.Ended() {
				seen = append(seen, fmt.Sprintf("%s %s %s %+v", o.Kind, o.Status, o.Sentence, o.Error))
			}
		}
		return len(seen) == 0, strings.Join(seen, "\n")
	})
}

// all reads every VM whole.
func (w *world) all() []wire.VM {
	w.t.Helper()
	list, err := client.All(func(l client.ListOptions) (wire.List[wire.VMSummary], error) { return w.VMs(w.ctx(), l) }, client.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []wire.VM
	for _, s := range list {
		v, err := w.VM(w.ctx(), string(s.ID))
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// equalsAPI waits until the operations have ended and then for the machine to be what the API says: every process, device, folder and row
// belongs to a VM of the API, and every VM has what it must have.
func (w *world) equalsAPI() {
	w.t.Helper()
	w.settle()
	until(w.t, late, "the world equals the API", func() (bool, string) {
		diff := w.differences(w.all())
		return len(diff) == 0, strings.Join(diff, "\n")
	})
}

func (w *world) differences(all []wire.VM) []string {
	var diff []string
	compare := func(what string, got, want []string) {
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			diff = append(diff, fmt.Sprintf("%s: the machine has %v, the API says %v", what, got, want))
		}
	}
	var every, live, volumes, taps, nics []string
	for _, v := range all {
		every = append(every, string(v.ID))
		for _, d := range v.Disks {
			if !d.CDROM {
				volumes = append(volumes, string(d.ID))
			}
		}
		for _, n := range v.NICs {
			nics = append(nics, string(n.ID)+" "+n.Address)
		}
		switch v.Status {
		case vm.StateRunning, vm.StatePaused:
			live = append(live, string(v.ID))
			for _, n := range v.NICs {
				taps = append(taps, "nct"+string(n.ID[len(n.ID)-12:]))
			}
		case vm.StateStopped, vm.StateSuspended, vm.StateError:
		default:
			diff = append(diff, fmt.Sprintf("%s is still %s (%s)", v.Name, v.Status, v.StatusReason))
		}
	}
	var processes, devices []string
	for _, p := range w.guests() {
		processes = append(processes, string(p.vm))
	}
	for _, l := range links(w.t) {
		if l.master == w.bridge() {
			devices = append(devices, l.name)
		}
	}
	compare("processes", processes, slices.Clone(live))
	compare("run folders", names(filepath.Join(w.paths.Run, "vm")), slices.Clone(live))
	compare("network devices", devices, taps)
	compare("volumes", names(filepath.Join(w.data, "volumes")), volumes)
	for _, folder := range names(filepath.Join(w.data, "vms")) { // made at the first start
		if !slices.Contains(every, folder) {
			diff = append(diff, "a folder of the VM "+folder+", which the API does not know")
		}
	}
	compare("the node's journal", trim(names(filepath.Join(w.data, "agent", "vms")), ".json"), slices.Clone(every))
	compare("network records", trim(names(filepath.Join(w.data, "network")), ".json"), slices.Clone(live))
	compare("staging", names(filepath.Join(w.data, "staging")), nil)
	compare("address rows", w.rows("select nic || ' ' || address from addresses"), nics)
	compare("user rows", w.rows("select vm from uids"), slices.Clone(every))
	compare("rows of VMs that are not there", w.rows("select vm from snapshots where vm not in (select id from vms) union select vm from vm_seen where vm not in (select id from vms)"), nil)
	compare("leases of operations that have ended", w.rows("select id from operations where ended_at is not null and holder <> ''"), nil)
	return diff
}

func trim(list []string, suffix string) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, strings.TrimSuffix(s, suffix))
	}
	return out
}

// rows reads one column out of the platform's database.
func (w *world) rows(query string) []string {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.data, "novacron.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(context.Background(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer found.Close()
	out := []string{}
	for found.Next() {
		var s string
		if err := found.Scan(&s); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := found.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}
