package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op/optest"
	"novacron/backend/store"
)

func TestCreateVM_endsRunningWithAnAddress(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	r, err := w.app.CreateVM(w.ctx, w.admin, tiny("web-1"))
	if err == nil && (r.VM.Status != vm.StateCreating || r.Operation == nil) {
		t.Errorf("the answer is %s with operation %v, want creating with one", r.VM.Status, r.Operation)
	}
	v := w.ok(r, err)
	if v.Status != vm.StateRunning || len(v.Addresses) != 1 || v.Node != "thor" || v.MachineType != "pc-q35-7.2" || v.DiskGiB != 1 {
		t.Errorf("got %+v", v)
	}
	if v.Version != 1 {
		t.Errorf("version %d, though no user edited it", v.Version)
	}
}

func TestCreateVM_withoutStartEndsStopped(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	r := tiny("web-1")
	no := false
	r.Start = &no
	if v := w.ok(w.app.CreateVM(w.ctx, w.admin, r)); v.Status != vm.StateStopped {
		t.Errorf("got %s", v.Status)
	}
}

func TestCreateVM_refusesAndChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	before := w.look()
	for name, c := range map[string]struct {
		spoil func(*wire.CreateVM)
		kind  fault.Kind
	}{
		"a bad name":             {func(r *wire.CreateVM) { r.Name = "Web_1" }, fault.Invalid},
		"no such image":          {func(r *wire.CreateVM) { r.Image = "windows" }, fault.Invalid},
		"no such network":        {func(r *wire.CreateVM) { r.Networks = &[]string{"dmz"} }, fault.Invalid},
		"too many CPUs":          {func(r *wire.CreateVM) { r.CPUs = 1000 }, fault.Invalid},
		"a disk that is smaller": {func(r *wire.CreateVM) { r.Disks = []wire.NewDisk{{SizeGiB: 0}} }, fault.Invalid},
		"no disk at all":         {func(r *wire.CreateVM) { r.Image = "" }, fault.Invalid},
		"another architecture":   {func(r *wire.CreateVM) { r.Arch = vm.AArch64 }, fault.Invalid},
		"restart elsewhere":      {func(r *wire.CreateVM) { r.Restart = vm.Elsewhere }, fault.Unsupported},
	} {
		r := tiny("web-1")
		c.spoil(&r)
		if _, err := w.app.CreateVM(w.ctx, w.admin, r); !fault.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %s", name, err, c.kind)
		}
	}
	if after := w.look(); after != before {
		t.Errorf("something is left:\n%s", after)
	}
}

func TestCreateVM_twoOfOneNameAtOnceGiveOne(t *testing.T) {
	w := newWorld(t, nil)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		wg.Go(func() { _, errs[i] = w.app.CreateVM(w.ctx, w.admin, tiny("web-1")) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("got %v and %v, want one of them", errs[0], errs[1])
	}
	for _, err := range errs {
		if err != nil {
			kind(t, err, fault.Conflict)
		}
	}
}

func TestCreateVM_manyAtOnce(t *testing.T) {
	many := 200
	if optest.Slow() {
		many = 50
	}
	w := newWorld(t, nil)
	w.run()
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			r, err := w.app.CreateVM(w.ctx, w.admin, tiny(fmt.Sprintf("vm-%d", i)))
			if err != nil {
				t.Errorf("create %d: %v", i, err)
				return
			}
			if end := w.done(r.Operation); !end.Succeeded() {
				t.Errorf("create %d ended %s: %+v", i, end.Status, end.Error)
			}
		})
	}
	wg.Wait()
	all, err := w.db.ListVMs(w.ctx, store.VMFilter{Status: vm.StateRunning}, store.Page{Limit: 1000})
	w.must(err)
	seen := map[string]bool{}
	for _, v := range all.Items {
		for _, a := range w.vm(string(v.ID)).Addresses {
			if seen[a] {
				t.Errorf("address %s was given twice", a)
			}
			seen[a] = true
		}
	}
	if len(all.Items) != many || len(seen) != many {
		t.Errorf("%d VMs run with %d addresses, want %d", len(all.Items), len(seen), many)
	}
}

func TestPower_goesThroughAllStates(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	step := func(what string, v wire.VM, want vm.State) {
		t.Helper()
		if v.Status != want {
			t.Fatalf("after %s it is %s (%s), want %s", what, v.Status, v.StatusReason, want)
		}
	}
	step("pause", w.ok(w.app.PauseVM(w.ctx, w.admin, "web-1")), vm.StatePaused)
	step("resume", w.ok(w.app.ResumeVM(w.ctx, w.admin, "web-1")), vm.StateRunning)
	step("suspend", w.ok(w.app.SuspendVM(w.ctx, w.admin, "web-1")), vm.StateSuspended)
	step("resume", w.ok(w.app.ResumeVM(w.ctx, w.admin, "web-1")), vm.StateRunning)
	step("restart", w.ok(w.app.RestartVM(w.ctx, w.admin, "web-1", wire.StopVM{})), vm.StateRunning)
	step("stop", w.ok(w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{})), vm.StateStopped)
	step("start", w.ok(w.app.StartVM(w.ctx, w.admin, "web-1")), vm.StateRunning)
	step("forced stop", w.ok(w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{Force: true})), vm.StateStopped)
	_, err := w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{})
	kind(t, err, fault.Conflict)
}

func TestStopVM_byForceEndsAStopThatTheGuestIgnores(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	v := w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	w.node.Stuck[v.ID] = true
	soft, err := w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{})
	w.must(err)
	w.eventually("the guest is asked", func() bool { return w.vm("web-1").Status == vm.StateStopping })
	_, err = w.app.StartVM(w.ctx, w.admin, "web-1")
	kind(t, err, fault.Conflict)
	hard := w.ok(w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{Force: true}))
	if hard.Status != vm.StateStopped || hard.Wanted != vm.Off {
		t.Errorf("after the forced stop it is %s, wanted %s", hard.Status, hard.Wanted)
	}
	if end := w.done(soft.Operation); end.Succeeded() {
		t.Errorf("the stop that was ignored ended %s", end.Status)
	}
	if v := w.ok(w.app.StartVM(w.ctx, w.admin, "web-1")); v.Status != vm.StateRunning {
		t.Errorf("afterwards it cannot be started: %s", v.Status)
	}
}

func TestUpdateVM_needsTheVersionThatWasRead(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	v := w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	two := 2
	changed := w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{CPUs: &two}, v.Version))
	if changed.CPUs != 2 || changed.Version != v.Version+1 {
		t.Errorf("got %d CPUs at version %d", changed.CPUs, changed.Version)
	}
	_, err := w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{CPUs: &two}, v.Version)
	kind(t, err, fault.Precondition)
}

func TestUpdateVM_recordsWhatItWasAndWhatItIs(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	v := w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	more, note, tags := v.MemoryMiB*2, "the shop", []string{"shop"}
	w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{MemoryMiB: &more}, 0)) // an operation
	_, err := w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{Description: &note}, 0)
	w.must(err)
	_, err = w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{Tags: &tags}, 0)
	w.must(err)
	log, err := w.app.Audit(w.ctx, w.admin, app.ListAudit{Action: "vm.update"})
	w.must(err)
	if len(log.Items) != 3 {
		t.Fatalf("got %d entries, want one for each change", len(log.Items))
	}
	for i, field := range []string{"tags", "description", "memory_mib"} { // the newest first
		var told struct{ Before, After map[string]any }
		w.must(json.Unmarshal(log.Items[i].Detail, &told))
		for name, was := range told.Before {
			if got := reflect.DeepEqual(was, told.After[name]); got == (name == field) {
				t.Errorf("the change of %s: %s was %v and is %v", field, name, was, told.After[name])
			}
		}
	}
}

func TestVMAudit_tellsWhoeverMaySeeTheVMWhoDidWhat(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	v := w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-2")))
	changer := w.admin
	changer.Address, changer.Request = "192.0.2.7", "request-7"
	note := "the shop"
	_, err := w.app.UpdateVM(w.ctx, changer, "web-1", wire.UpdateVM{Description: &note}, 0)
	w.must(err)
	looker := w.admin
	looker.User, looker.Name, looker.Role = id.NewUser(), "looker", auth.Viewer
	log, err := w.app.VMAudit(w.ctx, looker, string(v.ID), app.ListRequest{})
	w.must(err)
	var actions []string
	for _, e := range log.Items {
		actions = append(actions, e.Action)
	}
	if !slices.Equal(actions, []string{"vm.update", "vm.create"}) || log.Items[0].RequestID != "request-7" || log.Items[0].Actor != changer.Name ||
		!strings.Contains(string(log.Items[0].Detail), note) {
		t.Errorf("got %+v, want the update and the create of this VM with what changed and the request", log.Items)
	}
	if raw, err := json.Marshal(log); err != nil || strings.Contains(string(raw), changer.Address) {
		t.Errorf("it tells from where: %s, %v", raw, err)
	}
	_, err = w.app.VMAudit(w.ctx, w.stranger(auth.Developer), string(v.ID), app.ListRequest{})
	kind(t, err, fault.NotFound)
}

func TestUpdateVM_ofWordsNeedsNoOperation(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	words, yes, tags := "the shop", true, []string{"shop", "prod"}
	r, err := w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{Description: &words, Protected: &yes, Tags: &tags}, 0)
	w.must(err)
	if r.Operation != nil || r.VM.Description != words || !r.VM.Protected || !slices.Equal(r.VM.Tags, []string{"prod", "shop"}) {
		t.Errorf("got %+v with operation %v", r.VM, r.Operation)
	}
	_, err = w.app.DeleteVM(w.ctx, w.admin, "web-1", 0)
	kind(t, err, fault.Conflict)
}

func TestUpdateVM_plugsDisksAndInterfaces(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	v := w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{AddDisks: []wire.NewDisk{{SizeGiB: 3}}, AddNICs: []string{"default"}}, 0))
	if len(v.Disks) != 2 || len(v.NICs) != 2 || v.DiskGiB != 4 || v.NICs[1].Address == v.NICs[0].Address {
		t.Fatalf("got %d disks, nics %+v", len(v.Disks), v.NICs)
	}
	one, five := 1, 5
	_, err := w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{Disks: []wire.DiskChange{{ID: v.Disks[1].ID, SizeGiB: &one}}}, 0)
	kind(t, err, fault.Invalid)
	v = w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{Disks: []wire.DiskChange{{ID: v.Disks[1].ID, SizeGiB: &five}}}, 0))
	if v.Disks[1].SizeGiB != 5 {
		t.Errorf("the disk has %d GiB", v.Disks[1].SizeGiB)
	}
	_, err = w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{RemoveDisks: w.disks("web-1")[:1]}, 0)
	kind(t, err, fault.Invalid)
	v = w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{RemoveDisks: w.disks("web-1")[1:], RemoveNICs: w.nics("web-1")[1:]}, 0))
	if len(v.Disks) != 1 || len(v.NICs) != 1 {
		t.Errorf("got %d disks and %d nics", len(v.Disks), len(v.NICs))
	}
	if given, err := w.db.Addresses(w.ctx, v.ID); err != nil || len(given) != 1 {
		t.Errorf("%d addresses are still given (%v)", len(given), err)
	}
}

func TestUpdateVM_ofASuspendedVMTakesNothingAwayThatItsMemoryKnows(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{AddDisks: []wire.NewDisk{{SizeGiB: 1}}}, 0))
	w.ok(w.app.SuspendVM(w.ctx, w.admin, "web-1"))
	for _, r := range []wire.UpdateVM{{RemoveDisks: w.disks("web-1")[1:]}, {RemoveNICs: w.nics("web-1")}} {
		_, err := w.app.UpdateVM(w.ctx, w.admin, "web-1", r, 0)
		kind(t, err, fault.Conflict)
	}
	w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{AddDisks: []wire.NewDisk{{SizeGiB: 1}}}, 0))
	w.ok(w.app.ResumeVM(w.ctx, w.admin, "web-1"))
	if v := w.ok(w.app.UpdateVM(w.ctx, w.admin, "web-1", wire.UpdateVM{RemoveDisks: w.disks("web-1")[1:]}, 0)); len(v.Disks) != 1 {
		t.Errorf("got %d disks", len(v.Disks))
	}
}

func TestDeleteVM_namesItsLinkedClones(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("gold")))
	_, err := w.app.CloneVM(w.ctx, w.admin, "gold", wire.CloneVM{Name: "twin"})
	kind(t, err, fault.Conflict) // it runs
	w.ok(w.app.StopVM(w.ctx, w.admin, "gold", wire.StopVM{}))
	w.ok(w.app.CloneVM(w.ctx, w.admin, "gold", wire.CloneVM{Name: "full"}))
	w.ok(w.app.CloneVM(w.ctx, w.admin, "gold", wire.CloneVM{Name: "twin", Linked: true, Start: true}))
	_, err = w.app.DeleteVM(w.ctx, w.admin, "gold", 0)
	if want := "gold: its disks are shared with the linked clones twin; delete them first"; fault.Sentence(err) != want {
		t.Errorf("got %q\nwant %q", fault.Sentence(err), want)
	}
	w.ok(w.app.StartVM(w.ctx, w.admin, "gold"))
	w.ok(w.app.DeleteVM(w.ctx, w.admin, "twin", 0))
	w.ok(w.app.DeleteVM(w.ctx, w.admin, "gold", 0))
	w.ok(w.app.DeleteVM(w.ctx, w.admin, "full", 0))
	if left := w.node.Look(); left != "" {
		t.Errorf("the node still has:\n%s", left)
	}
}

func TestSnapshots_areTakenListedRevertedAndDeleted(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	take := func(r wire.CreateSnapshot) wire.Snapshot {
		t.Helper()
		s, err := w.app.CreateSnapshot(w.ctx, w.admin, "web-1", r)
		w.must(err)
		if end := w.done(s.Operation); !end.Succeeded() {
			t.Fatalf("ended %s: %+v", end.Status, end.Error)
		}
		return s.Snapshot
	}
	take(wire.CreateSnapshot{Name: "disks"})
	take(wire.CreateSnapshot{Name: "all", Memory: true})
	_, err := w.app.CreateSnapshot(w.ctx, w.admin, "web-1", wire.CreateSnapshot{Name: "DISKS"})
	kind(t, err, fault.Conflict)
	_, err = w.app.RevertSnapshot(w.ctx, w.admin, "web-1", "disks")
	kind(t, err, fault.Conflict) // it runs
	r, err := w.app.RevertSnapshot(w.ctx, w.admin, "web-1", "all")
	w.must(err)
	w.done(r.Operation)
	w.ok(w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{}))
	r, err = w.app.RevertSnapshot(w.ctx, w.admin, "web-1", "disks")
	w.must(err)
	w.done(r.Operation)
	d, err := w.app.DeleteSnapshot(w.ctx, w.admin, "web-1", "all")
	w.must(err)
	w.done(d.Operation)
	all, err := w.app.ListSnapshots(w.ctx, w.admin, "web-1")
	w.must(err)
	if len(all) != 1 || all[0].Name != "disks" || all[0].State != "ready" {
		t.Errorf("got %+v", all)
	}
}

func (w *world) disks(ref string) (ids []id.Volume) {
	for _, d := range w.vm(ref).Disks {
		ids = append(ids, d.ID)
	}
	return ids
}

func (w *world) nics(ref string) (ids []id.NIC) {
	for _, n := range w.vm(ref).NICs {
		ids = append(ids, n.ID)
	}
	return ids
}

func TestUpdateNode_labelsReadAsTheyWereWritten(t *testing.T) {
	w := newWorld(t, nil)
	labels := map[string]string{"rack": "12", "note": ""}
	n, err := w.app.UpdateNode(w.ctx, w.admin, "thor", wire.UpdateNode{Labels: &labels}, 0)
	w.must(err)
	if !maps.Equal(n.Labels, labels) {
		t.Errorf("the answer has the labels %v, want %v", n.Labels, labels)
	}
	read, err := w.app.Node(w.ctx, w.admin, "thor")
	w.must(err)
	if !maps.Equal(read.Labels, labels) {
		t.Errorf("the node reads the labels %v, want %v", read.Labels, labels)
	}
}

func TestCreateVM_refusesANodeThatCannotTakeItAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	on := func(name string) error {
		r := tiny("web-1")
		r.Node = name
		_, err := w.app.CreateVM(w.ctx, w.admin, r)
		return err
	}
	refuses := func(err error, want fault.Kind, sentence string) {
		t.Helper()
		kind(t, err, want)
		if got := fault.Sentence(err); !strings.Contains(got, sentence) {
			t.Errorf("got %q, want a sentence with %q", got, sentence)
		}
	}
	refuses(on("nothing"), fault.Invalid, `there is no node "nothing"`)
	refuses(on(strings.Repeat("x", 1000)), fault.Invalid, "there is no node")
	yes := true
	_, err := w.app.UpdateNode(w.ctx, w.admin, "thor", wire.UpdateNode{Cordoned: &yes}, 0)
	w.must(err)
	refuses(on("thor"), fault.Conflict, "node thor is cordoned")
	w.must(w.app.NodeEvent(w.ctx, w.node.ID, node.Expired, ""))
	refuses(on(string(w.node.ID)), fault.Conflict, "node thor is lost")
	_, err = w.app.ConfirmNodeDead(w.ctx, w.admin, "thor")
	w.must(err)
	refuses(on("thor"), fault.Conflict, "node thor was confirmed dead")
}
