package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"novacron/backend/core/auth"
)

// requests measures what sign-in, rules and limits cost: BenchmarkRequests of the API, once per round and engine.
func requests(b *bench) error {
	var failed []error
	for _, e := range []struct{ name, bench, needs string }{
		{"SQLite", "SQLite", ""},
		{"PostgreSQL, Redis", "PostgreSQL_and_Redis", "scripts/services.sh"},
	} {
		ratio := figure{name: "auth and limits, " + e.name, target: 1.25,
			note: "a page of 100 VMs with sign-in, rules and rate limits by the same handler without them, median by median of requests that take turns"}
		perSecond := figure{name: "  requests", unit: "/s", note: "with them, eight clients at once"}
		p99 := figure{name: "  p99", unit: " ms", note: "with them, one client"}
		if why := missing(b.ctx, e.needs); why != "" {
			ratio.note = "untried: " + why
			b.table = append(b.table, ratio)
			continue
		}
		for range b.rounds {
			got, err := goBench(b.ctx, "./backend/api", "^BenchmarkRequests$/^"+e.bench+"$", "40x")
			if err != nil {
				failed = append(failed, err)
				break
			}
			ratio.values, p99.values, perSecond.values = append(ratio.values, got["ratio"]), append(p99.values, got["ms/p99"]), append(perSecond.values, got["requests/s"])
		}
		b.table = append(b.table, ratio, perSecond, p99)
	}
	return errors.Join(failed...)
}

// missing starts the services for tests and says why they are not there.
func missing(ctx context.Context, script string) string {
	if script == "" {
		return ""
	}
	if out, err := exec.CommandContext(ctx, script, "start").CombinedOutput(); err != nil {
		return fmt.Sprintf("%s start: %s (%v)", script, strings.TrimSpace(string(out)), err)
	}
	return ""
}

// goBench runs one Go benchmark from the root of the repository and gives its figures by their units.
func goBench(ctx context.Context, pkg, name, times string) (map[string]float64, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", name, "-benchtime", times, pkg).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		got := map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 { // behind the name and how often it ran
			if got[fields[i+1]], err = strconv.ParseFloat(fields[i], 64); err != nil {
				return nil, fmt.Errorf("%s printed %q: %w", name, line, err)
			}
		}
		return got, nil
	}
	return nil, fmt.Errorf("%s printed no figures:\n%s", name, out)
}

// passwords measures how long one password keeps one core busy.
func passwords(b *bench) error {
	const password = "correct horse battery staple"
	hash, err := auth.Hash(password, auth.DefaultParams)
	if err != nil {
		return err
	}
	f := figure{name: "one password", unit: " ms", least: 50, target: 250,
		note: fmt.Sprintf("auth.Verify with the parameters of new hashes: Argon2id, %d MiB, %d passes, %d lane", auth.DefaultParams.MemoryKiB>>10, auth.DefaultParams.Passes, auth.DefaultParams.Lanes)}
	for range b.rounds {
		began := time.Now()
		if ok, _, err := auth.Verify(hash, password, auth.DefaultParams); err != nil || !ok {
			return errors.Join(errors.New("the right password was not taken"), err)
		}
		f.values = append(f.values, float64(time.Since(began).Microseconds())/1000)
	}
	b.table = append(b.table, f)
	return nil
}
