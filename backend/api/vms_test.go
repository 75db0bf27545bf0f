package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op/optest"
)

func TestCreateVM_runsAndShowsWhatWasAsked(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	v := w.vm(c, "web-1")
	if v.Status != vm.StateRunning || v.CPUs != 1 || v.MemoryMiB != 64 || v.Node != "thor" || len(v.NICs) != 1 {
		t.Errorf("got %+v, want a running VM as asked", v)
	}
	byName, err := c.VM(ctx, "web-1")
	if err != nil || byName.ID != v.ID {
		t.Errorf("by name: got %s, %v; want %s", byName.ID, err, v.ID)
	}
}

func TestWait(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	body := `{"name":"web-1","image":"tiny","memory_mib":64,"disk_gib":1}`
	a := w.ask("POST", "/api/v1/vms", body, token(c)...)
	a.wants(t, "without wait", http.StatusAccepted, "")
	var out wire.VMAnswer
	w.must(json.Unmarshal([]byte(a.text), &out))
	if out.Operation == nil || a.Header.Get("Location") != "/api/v1/operations/"+string(out.Operation.ID) {
		t.Errorf("got Location %q for operation %+v", a.Header.Get("Location"), out.Operation)
	}
	end, err := c.WaitOperation(ctx, out.Operation.ID, nil)
	if err != nil || !end.Succeeded() {
		t.Fatalf("got %+v, %v", end, err)
	}
	w.ask("POST", "/api/v1/vms/web-1/stop?wait=20s", `{"force":true}`, token(c)...).wants(t, "succeeded in time", http.StatusOK, "")
	w.ask("POST", "/api/v1/vms/web-1/start?wait=99999s", "", token(c)...).wants(t, "a longer wait than the cap", http.StatusOK, "")
	w.ask("POST", "/api/v1/vms/web-1/pause?wait=20", "", token(c)...).wants(t, "a wait in seconds", http.StatusOK, "")
	for _, bad := range []string{"soon", "-1s", "1x", "%00"} {
		w.ask("POST", "/api/v1/vms/web-1/resume?wait="+bad, "", token(c)...).wants(t, "wait="+bad, http.StatusUnprocessableEntity, "wait_invalid")
	}
}

func TestWait_answersAFailedOperationWithItsSentence(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	v := w.vm(c, "web-1")
	if _, err := c.StopVM(ctx, "web-1", wire.StopVM{Force: true}, wait); err != nil {
		t.Fatal(err)
	}
	w.machine.Host.Fail(v.ID, "Start", 1, fault.New(fault.Exhausted, "no_memory", "the machine has no memory left; stop another VM"))
	a := w.ask("POST", "/api/v1/vms/web-1/start?wait=20s", "", token(c)...)
	a.wants(t, "a start that fails", http.StatusConflict, "")
	if a.problem.Operation == nil || a.problem.Operation.Subject != "vm/"+string(v.ID) || a.problem.Detail == "" {
		t.Errorf("got problem %s, want one with the operation and its sentence", a.text)
	}
}

func TestVerbs_areRefusedWithTheSentenceOfTheVMsActions(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	v := w.vm(c, "web-1")
	_, err := c.ResumeVM(ctx, "web-1", 0)
	if why := client.Why(v, vm.VerbResume); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want a conflict that says %q", err, why)
	}
}

func TestUpdateVM_honoursIfMatch(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.vm(c, "web-1")
	a := w.ask("GET", "/api/v1/vms/web-1", "", token(c)...)
	tag := a.Header.Get("ETag")
	edit := func(match, text string) answer {
		return w.ask("PATCH", "/api/v1/vms/web-1?wait=20s", fmt.Sprintf(`{"description":%q}`, text), append(token(c), "If-Match", match)...)
	}
	edit(tag, "first").wants(t, "the version that was read", http.StatusOK, "")
	edit(tag, "second").wants(t, "an older version", http.StatusPreconditionFailed, "")
	edit("*", "third").wants(t, "any version", http.StatusOK, "")
	edit("banana", "fourth").wants(t, "no version at all", http.StatusPreconditionFailed, "version_unknown")
	v, err := c.VM(ctx, "web-1")
	if err != nil || v.Description != "third" {
		t.Errorf("got description %q, %v; want third", v.Description, err)
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	post := func(key, name string) answer {
		return w.ask("POST", "/api/v1/vms", fmt.Sprintf(`{"name":%q,"image":"tiny","memory_mib":64,"disk_gib":1}`, name), append(token(c), "Idempotency-Key", key)...)
	}
	first := post("k1", "web-1")
	first.wants(t, "the first", http.StatusAccepted, "")
	again := post("k1", "web-1")
	again.wants(t, "the same again", http.StatusAccepted, "")
	if again.text != first.text || again.Header.Get("Location") != first.Header.Get("Location") || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the second answer differs:\n%s\n%s", first.text, again.text)
	}
	post("k1", "web-2").wants(t, "another request", http.StatusConflict, "idempotency_key_reused")
	post("k2", "web-1").wants(t, "another key", http.StatusConflict, "")
	post("k2", "web-1").wants(t, "a refusal is repeated", http.StatusConflict, "")
	post(strings.Repeat("k", 200), "web-3").wants(t, "a long key", http.StatusUnprocessableEntity, "idempotency_key_invalid")
	// Keys of one user are nothing to another.
	other := w.as("ada", auth.Administrator)
	w.ask("POST", "/api/v1/vms", `{"name":"web-4","image":"tiny","memory_mib":64,"disk_gib":1}`, append(token(other), "Idempotency-Key", "k1")...).wants(t, "another user's same key", http.StatusAccepted, "")
}

func TestIdempotencyKey_doesTheWorkOnceHoweverManyAsk(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	var group sync.WaitGroup
	locations := make(chan string, 16)
	for range cap(locations) {
		group.Go(func() {
			for {
				a := w.ask("POST", "/api/v1/vms", `{"name":"web-1","image":"tiny","memory_mib":64,"disk_gib":1}`, append(token(c), "Idempotency-Key", "k")...)
				if a.StatusCode == http.StatusServiceUnavailable {
					continue // the first is still at work
				}
				a.wants(t, "one of many", http.StatusAccepted, "")
				locations <- a.Header.Get("Location")
				return
			}
		})
	}
	group.Wait()
	close(locations)
	seen := map[string]bool{}
	for l := range locations {
		seen[l] = true
	}
	if len(seen) != 1 {
		t.Errorf("got operations %v, want one", seen)
	}
}

func TestCreateVM_givesANameOnceHoweverManyAsk(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	codes := make(chan int, 8)
	for range cap(codes) {
		go func() {
			codes <- w.ask("POST", "/api/v1/vms", `{"name":"web-1","image":"tiny","memory_mib":64,"disk_gib":1}`, token(c)...).StatusCode
		}()
	}
	count := map[int]int{}
	for range cap(codes) {
		count[<-codes]++
	}
	if count[http.StatusAccepted] != 1 || count[http.StatusConflict] != cap(codes)-1 {
		t.Errorf("got %v, want one 202 and the rest 409", count)
	}
	w.ask("POST", "/api/v1/vms/web-1/stop?wait=20s", `{"force":true}`, token(c)...)
	if list, err := c.VMs(ctx, client.ListOptions{}); err != nil || list.Total != 1 {
		t.Errorf("got %d VMs, %v; want the one", list.Total, err)
	}
}

func TestCreateVM_200AtOnce(t *testing.T) {
	many := 200
	if optest.Slow() {
		many = 50 // a request has half a minute, which the race detector needs for 200 on a busy machine; they run without
	}
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() {
			body := fmt.Sprintf(`{"name":"web-%d","image":"tiny","memory_mib":64,"disk_gib":1}`, i)
			w.ask("POST", "/api/v1/vms?wait=120s", body, token(c)...).wants(t, fmt.Sprintf("create %d", i), http.StatusOK, "")
		})
	}
	group.Wait()
	running, err := c.VMs(ctx, client.ListOptions{Limit: 1})
	if err != nil || running.Total != many {
		t.Errorf("got %d VMs, %v", running.Total, err)
	}
	if n := w.machine.Host.Guests(); n != many {
		t.Errorf("%d guests run", n)
	}
}

func TestListVMs_pagesFiltersAndCaps(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	tags := map[int]string{3: `"shop","prod"`, 4: `"prod"`}
	for i := range 7 {
		w.ask("POST", "/api/v1/vms", fmt.Sprintf(`{"name":"web-%d","image":"tiny","memory_mib":64,"disk_gib":1,"start":false,"tags":[%s]}`, i, tags[i]), token(c)...).wants(t, "create", http.StatusAccepted, "")
	}
	var names []string
	l := client.ListOptions{Limit: 3, Sort: "name"}
	for {
		page, err := c.VMs(ctx, l)
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != 7 {
			t.Errorf("got total %d, want 7", page.Total)
		}
		for _, v := range page.Items {
			names = append(names, v.Name)
		}
		if l.Cursor = page.NextCursor; l.Cursor == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "web-0 web-1 web-2 web-3 web-4 web-5 web-6" {
		t.Errorf("got pages %s", got)
	}
	w.ask("GET", "/api/v1/vms?limit=100000", "", token(c)...).wants(t, "a limit above the cap", http.StatusOK, "")
	w.ask("GET", "/api/v1/vms?limit=-1", "", token(c)...).wants(t, "a limit below zero", http.StatusUnprocessableEntity, "invalid")
	w.ask("GET", "/api/v1/vms?limit=many", "", token(c)...).wants(t, "a limit that is no number", http.StatusUnprocessableEntity, "invalid")
	w.ask("GET", "/api/v1/vms?cursor=garbage", "", token(c)...).wants(t, "a cursor of nobody's", http.StatusUnprocessableEntity, "")
	w.ask("GET", "/api/v1/vms?sort=banana", "", token(c)...).wants(t, "a sort by nothing", http.StatusUnprocessableEntity, "")
	w.ask("GET", "/api/v1/vms?status=banana", "", token(c)...).wants(t, "a status that is none", http.StatusUnprocessableEntity, "invalid")
	w.ask("PATCH", "/api/v1/vms/web-4", `{"tags":["Prod"]}`, token(c)...).wants(t, "a tag in capitals", http.StatusUnprocessableEntity, "invalid")
	w.ask("POST", "/api/v1/vms", `{"name":"web-9","image":"tiny","memory_mib":64,"tags":["a b"]}`, token(c)...).wants(t, "a tag with a space", http.StatusUnprocessableEntity, "invalid")
	v, err := c.VM(ctx, "web-5")
	if err != nil || len(v.Addresses) != 1 {
		t.Fatalf("got %v and %v, want a VM with an address", v.Addresses, err)
	}
	for filter, want := range map[string]int{"tag=prod": 2, "tag=prod,shop": 1, "tag=pro": 0, "address=" + v.Addresses[0]: 1, "address=" + v.Addresses[0][:3]: 7, "address=10.99.99.": 0} {
		if got := w.ask("GET", "/api/v1/vms?"+filter, "", token(c)...); !strings.Contains(got.text, fmt.Sprintf(`"total":%d`, want)) {
			t.Errorf("%s: got %s, want %d", filter, got.text, want)
		}
	}
	w.ask("GET", "/api/v1/vms?tag=a%20b", "", token(c)...).wants(t, "a tag that is none", http.StatusUnprocessableEntity, "invalid")
	w.ask("GET", "/api/v1/vms?address=web", "", token(c)...).wants(t, "an address that is none", http.StatusUnprocessableEntity, "invalid")
	empty := w.ask("GET", "/api/v1/vms?name=nothing-like-this", "", token(c)...)
	if !strings.Contains(empty.text, `"items":[]`) {
		t.Errorf("got %s, want an empty list and not null", empty.text)
	}
}

func TestSnapshotsAndClones(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	w.vm(c, "web-1")
	if _, err := c.StopVM(ctx, "web-1", wire.StopVM{Force: true}, wait); err != nil {
		t.Fatal(err)
	}
	s, err := c.CreateSnapshot(ctx, "web-1", wire.CreateSnapshot{Name: "before"}, wait)
	if err != nil || s.Operation == nil || !s.Operation.Succeeded() {
		t.Fatalf("got %+v, %v", s, err)
	}
	list, err := c.Snapshots(ctx, "web-1")
	if err != nil || list.Total != 1 || list.Items[0].Name != "before" {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, err := c.RevertSnapshot(ctx, "web-1", "before", wait); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteSnapshot(ctx, "web-1", "before", wait); err != nil {
		t.Fatal(err)
	}
	clone, err := c.CloneVM(ctx, "web-1", wire.CloneVM{Name: "web-2"}, wait)
	if err != nil || clone.Name != "web-2" {
		t.Fatalf("got %+v, %v", clone, err)
	}
	if _, err := c.DeleteVM(ctx, "web-1", wait); err != nil {
		t.Fatal(err)
	}
	_, err = c.VM(ctx, "web-1")
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
}

// What takes longer than the first look is followed over a stream.
func TestWaitOperation_tellsProgressWithoutPolling(t *testing.T) {
	w := newWorld(t, unlimited, nil)
	c := w.admin()
	v, err := c.CreateVM(ctx, wire.CreateVM{Name: "web-1", Image: "tiny", CPUs: 1, MemoryMiB: 64, DiskGiB: 1}, wait)
	if err != nil {
		t.Fatal(err)
	}
	w.must(w.machine.Host.IgnoreACPI(v.ID, true))
	before := strings.Count(w.log.String(), "/api/v1/operations/")
	grace := 600 // the guest ends when the first look has found that it does not
	out, err := c.StopVM(ctx, "web-1", wire.StopVM{GraceS: &grace}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var told []wire.Operation
	end, err := c.WaitOperation(ctx, out.Operation.ID, func(o wire.Operation) {
		if told = append(told, o); len(told) == 1 {
			w.must(w.machine.Host.PowerOff(v.ID))
		}
	})
	if err != nil || !end.Succeeded() || len(told) < 2 || told[0].Ended() || told[len(told)-1].ID != out.Operation.ID {
		t.Errorf("got %+v, %v after %+v", end, err, told)
	}
	if n := strings.Count(w.log.String(), "/api/v1/operations/") - before; n > 6 {
		t.Errorf("waiting took %d requests", n)
	}
}
