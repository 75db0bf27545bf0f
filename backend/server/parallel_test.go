package server_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"novacron/backend/client"
	"novacron/backend/op/optest"
)

// TestServer_takes200CreatesAtOnce: all are answered at once, all succeed, each VM is there once with an address of its own.
func TestServer_takes200CreatesAtOnce(t *testing.T) {
	s, c := start(t, t.TempDir())
	defer s.Close()
	admin(t, s, c)
	n := 200
	if optest.Slow() {
		n = 50 // a request has half a minute, which the race detector needs for 200 on a busy machine; they run without
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	operations := map[string]bool{}
	for i := range n {
		group.Go(func() {
			a, err := c.CreateVM(t.Context(), vmWish(fmt.Sprint("web-", i)), 0)
			if err != nil {
				t.Errorf("create %d: %v", i, err)
				return
			}
			o, err := c.WaitOperation(t.Context(), a.Operation.ID, nil)
			if err != nil || !o.Succeeded() {
				t.Errorf("create %d ended %s: %+v, %v", i, o.Status, o.Error, err)
			}
			mu.Lock()
			operations[string(o.ID)] = true
			mu.Unlock()
		})
	}
	group.Wait()
	all, err := c.VMs(t.Context(), client.ListOptions{Limit: 1000})
	if err != nil || all.Total != n || len(operations) != n {
		t.Fatalf("%d VMs and %d operations, %v; want %d of each", all.Total, len(operations), err, n)
	}
	addresses := map[string]string{}
	for _, v := range all.Items {
		if v.Status != "running" {
			t.Errorf("%s is %s (%s)", v.Name, v.Status, v.StatusReason)
		}
		for _, a := range v.Addresses {
			if other := addresses[a]; other != "" {
				t.Errorf("%s and %s both have %s", v.Name, other, a)
			}
			addresses[a] = v.Name
		}
	}
}

// TestServer_givesOneOfManyCreatesTheName: of 20 requests for one name that come at once one is accepted and the rest are refused with the
// reason, and one VM is there.
func TestServer_givesOneOfManyCreatesTheName(t *testing.T) {
	s, c := start(t, t.TempDir())
	defer s.Close()
	admin(t, s, c)
	token := c.Tokens().Access
	const n = 20
	codes := make([]int, n)
	bodies := make([]string, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			res, body := call(t, s, http.MethodPost, "/api/v1/vms", token, `{"name":"web","memory_mib":64,"disk_gib":1}`)
			codes[i], bodies[i] = res.StatusCode, body
		})
	}
	group.Wait()
	accepted := 0
	for i, code := range codes {
		switch code {
		case http.StatusAccepted:
			accepted++
		case http.StatusConflict:
		default:
			t.Errorf("request %d: %d %s", i, code, bodies[i])
		}
	}
	all, err := c.VMs(t.Context(), client.ListOptions{Limit: 10})
	if err != nil || accepted != 1 || all.Total != 1 {
		t.Errorf("%d accepted, %d VMs, %v; want one of each", accepted, all.Total, err)
	}
}
