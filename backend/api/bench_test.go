package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"novacron/backend/api"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/rate"
	"novacron/backend/core/vm"
	"novacron/backend/session/sessiontest"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// BenchmarkListVMs reads a page of 1000 of 5000 VMs over HTTP; listing all of 25,000 takes 25 of them and shall take 250 ms.
func BenchmarkListVMs(b *testing.B) {
	w := newWorld(b, unlimited, nil)
	c := w.as("grace", auth.Administrator)
	me, err := c.Me(ctx)
	w.must(err)
	for batch := range 5 {
		w.must(w.db.Tx(ctx, func(t *store.Tx) error {
			for i := range 1000 {
				v := store.VM{ID: id.NewVM(), Tenant: me.Tenant, Name: fmt.Sprintf("vm-bench-%d-%04d", batch, i), Power: vm.Off, Status: vm.StateStopped,
					Spec: vm.Spec{CPUs: 1, MemoryMiB: 64}}
				if err := t.InsertVM(ctx, &v); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for b.Loop() {
		page, err := c.VMs(ctx, client.ListOptions{Limit: 1000})
		if err != nil || len(page.Items) != 1000 {
			b.Fatal(len(page.Items), err)
		}
	}
}

// BenchmarkRequests says what sign-in, rules and rate limits cost: a page of 100 VMs with them by the same without them. Both take turns, so
// that a busy machine slows both. Beside the ratio it tells the authenticated requests per second of eight clients, and the 99th
// percentile of one.
func BenchmarkRequests(b *testing.B) {
	for name, engines := range map[string]func() (database, redis string){
		"SQLite":               func() (string, string) { return "", "" },
		"PostgreSQL_and_Redis": func() (string, string) { return storetest.PostgresURL(b), sessiontest.RedisURL(b) },
	} {
		b.Run(name, func(b *testing.B) {
			database, redis := engines()
			w := newWorldOn(b, api.Limits{API: rate.Limit{Events: 100, Window: 20 * time.Millisecond}}, nil, database, redis)
			c := w.admin()
			me, err := c.Me(ctx)
			w.must(err)
			w.must(w.db.Tx(ctx, func(t *store.Tx) error {
				for i := range 100 {
					v := store.VM{ID: id.NewVM(), Tenant: me.Tenant, Name: fmt.Sprintf("vm-bench-%d", i), Power: vm.Off, Status: vm.StateStopped, Spec: vm.Spec{CPUs: 1, MemoryMiB: 64}}
					if err := t.InsertVM(ctx, &v); err != nil {
						return err
					}
				}
				return nil
			}))
			bare := httptest.NewServer(w.api.Bare(auth.Caller{User: me.ID, Name: me.Username, Tenant: me.Tenant, Role: me.Role}))
			defer bare.Close()
			header := token(c)[1]
			var with, without []time.Duration
			for b.Loop() {
				with = append(with, requests(b, w.rest.URL, header)...)
				without = append(without, requests(b, bare.URL, "")...)
			}
			b.ReportMetric(median(with)/median(without), "ratio")
			slices.Sort(with)
			b.ReportMetric(float64(with[len(with)*99/100].Microseconds())/1000, "ms/p99")
			b.ReportMetric(throughput(b, w.rest.URL, header), "requests/s")
		})
	}
}

func median(d []time.Duration) float64 { return slices.Sorted(slices.Values(d))[len(d)/2].Seconds() }

// requests times 50 requests, one after the other.
func requests(b *testing.B, url, token string) (took []time.Duration) {
	for range 50 {
		began := time.Now()
		request(b, url, token)
		took = append(took, time.Since(began))
	}
	return took
}

func request(b *testing.B, url, token string) {
	r, err := http.NewRequest("GET", url+"/api/v1/vms", nil)
	if err != nil {
		b.Error(err)
		return
	}
	r.Header.Set("Authorization", token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Error(err)
		return
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK || n < 1000 {
		b.Errorf("got %d and %d bytes, %v", res.StatusCode, n, err)
	}
}

// throughput is how many requests eight clients get answered in a second.
func throughput(b *testing.B, url, token string) float64 {
	const clients, each = 8, 50
	var all sync.WaitGroup
	began := time.Now()
	for range clients {
		all.Go(func() {
			for range each {
				request(b, url, token)
			}
		})
	}
	all.Wait()
	return clients * each / time.Since(began).Seconds()
}
