package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"novacron/backend/client"
	"novacron/backend/core/wire"
	"novacron/test/rig"
)

// Of the list.
const (
	creators  = 16   // calls at once while they are made
	pageSize  = 1000 // the most that the API gives
	listTurns = 5    // lists before the first that counts: a long-running server has its caches filled
)

// list measures reading all of 25,000 simulated VMs over HTTP.
func list(b *bench) error {
	p, err := b.platform("list", "--sim")
	if err != nil {
		return err
	}
	defer p.end() //nolint:errcheck // the figures are taken
	began := time.Now()
	if err := p.many(b.ctx, b.vms); err != nil {
		return err
	}
	b.say("list: %d VMs were accepted by the API in %.0f s", b.vms, time.Since(began).Seconds())
	if err := p.settled(b.ctx); err != nil {
		return err
	}
	b.say("list: all are there after %.0f s", time.Since(began).Seconds())
	var took, decoded []float64
	for i := range listTurns + b.rounds {
		began := time.Now()
		n, err := p.pages(b.ctx)
		if err != nil {
			return err
		}
		if n != b.vms {
			return fmt.Errorf("the pages hold %d VMs, not %d", n, b.vms)
		}
		if i >= listTurns {
			took = append(took, time.Since(began).Seconds())
		}
		began = time.Now()
		all, err := client.All(func(o client.ListOptions) (wire.List[wire.VMSummary], error) { return p.VMs(b.ctx, o) }, client.ListOptions{Limit: pageSize})
		if err != nil {
			return err
		}
		if len(all) != b.vms {
			return fmt.Errorf("the list holds %d VMs, not %d", len(all), b.vms)
		}
		if i >= listTurns {
			decoded = append(decoded, time.Since(began).Seconds())
		}
	}
	mb, err := p.resident()
	if err != nil {
		return err
	}
	b.table = append(b.table,
		figure{name: fmt.Sprintf("list of %d VMs", b.vms), values: took, unit: " s", target: 0.25, note: "pages of 1000 over HTTP, one after the other, each read to its end"},
		figure{name: "  and decoded", values: decoded, unit: " s", note: "the same, with every VM decoded by the Go client before the next page is asked for"},
		figure{name: "  resident", values: []float64{mb}, unit: " MB", note: "VmRSS of `novacron up --sim` with them, server and simulated node in one process"})
	return nil
}

// pages reads the list as any HTTP client does, and counts the VMs by the key that each begins with.
func (p *platform) pages(ctx context.Context) (n int, err error) {
	for cursor := ""; ; {
		raw, err := p.page(ctx, cursor)
		if err != nil {
			return n, err
		}
		n += bytes.Count(raw, []byte(`{"id":"vm-`))
		_, tail, _ := bytes.Cut(raw[bytes.LastIndexByte(raw, ']')+1:], []byte(`"next_cursor":"`))
		next, _, ok := bytes.Cut(tail, []byte(`"`))
		if !ok || len(next) == 0 {
			return n, nil
		}
		cursor = string(next)
	}
}

func (p *platform) page(ctx context.Context, cursor string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/api/v1/vms?limit=%d&cursor=%s", p.Address(), pageSize, cursor), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+p.Tokens().Access)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("list: %s: %.200s", res.Status, raw)
	}
	return raw, err
}

// many makes the VMs.
func (p *platform) many(ctx context.Context, n int) error {
	stopped := false
	next := make(chan int)
	go func() {
		defer close(next)
		for i := range n {
			next <- i
		}
	}()
	return together(creators, func(int) (failed error) {
		for i := range next {
			if failed != nil {
				continue // the rest is taken so that the others end
			}
			w := wish("vm-" + strconv.Itoa(i))
			w.Start = &stopped
			if _, err := p.CreateVM(ctx, w, 0); err != nil {
				failed = fmt.Errorf("VM %d: %w", i, err)
			}
		}
		return failed
	})
}

// settled waits until every VM is made: a list is to be compared with lists, not with what the platform does beside it.
func (p *platform) settled(ctx context.Context) error {
	for {
		l, err := p.VMs(ctx, client.ListOptions{Limit: 1, Filter: map[string]string{"status": "creating"}})
		if err != nil || l.Total == 0 {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// idle measures how soon the platform is ready and what it needs while nothing happens.
func idle(b *bench) error {
	p, err := b.platform("idle") // the first start makes keys and imports the image; what people wait for every day is the second
	if err != nil {
		return err
	}
	var start, resident []float64
	for range b.rounds {
		if err := p.Stop(); err != nil {
			return err
		}
		began := time.Now()
		if p.Process, err = rig.Start(p.Spec); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(b.ctx, startTimeout)
		err = p.WaitReady(ctx, p.Address())
		cancel()
		if err != nil {
			return err
		}
		start = append(start, time.Since(began).Seconds())
		mb, err := p.settle(b.ctx)
		if err != nil {
			return err
		}
		resident = append(resident, mb)
	}
	b.table = append(b.table,
		figure{name: "start to ready", values: start, unit: " s", target: 1, note: "from starting `novacron up` to /api/ready saying yes, with a data folder that is there"},
		figure{name: "idle, resident", values: resident, unit: " MB", target: 60, note: "VmRSS of `novacron up`, five seconds after it was ready"})
	return p.end()
}

// settle waits until the start is over and gives the resident memory in MB (10^6 bytes).
func (p *platform) settle(ctx context.Context) (float64, error) {
	select {
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return p.resident()
}

// resident is the memory that the platform's process has now, in MB (10^6 bytes).
func (p *platform) resident() (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(raw), "VmRSS:")
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, fmt.Errorf("the process' status has no VmRSS")
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	return kib * 1024 / 1e6, err
}
