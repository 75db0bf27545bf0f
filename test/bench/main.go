// Command bench measures what the platform adds to what it stands on, and prints each figure with its spread beside its target.
// Times are compared as ratios of runs that take turns on one machine in one process, so that a slow or busy machine slows both
// sides. It exits with 1 when a target is missed or a figure could not be taken.
//
//	go run ./test/bench [-rounds N] [-vms N] [-only passwords,requests,idle,list,create,burst]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"novacron/test/rig"
)

// bench is one run: what its figures share.
type bench struct {
	ctx    context.Context
	dir    string
	binary string
	image  string
	rounds int
	vms    int // of the list
	table  []figure
}

// part takes some figures.
type part struct {
	name string
	run  func(*bench) error
}

// From the light to the heavy, so that what a part leaves in the page cache is least.
var parts = []part{{"passwords", passwords}, {"requests", requests}, {"idle", idle}, {"list", list}, {"create", create}, {"burst", burst}}

// pairs is how often each ratio is taken where nobody says otherwise: two boots in a row differ by a tenth on a busy machine, and the
// median of so many pairs by a third of that. A multiple of six, for orders.
const pairs = 12

func main() {
	rounds := flag.Int("rounds", pairs, "pairs of runs per ratio")
	only := flag.String("only", "", "parts to take, separated by commas: passwords, requests, idle, list, create, burst; empty: all")
	vms := flag.Int("vms", 25_000, "simulated VMs in the list; the target is for 25,000")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := measure(ctx, *rounds, *vms, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func measure(ctx context.Context, rounds, vms int, only string) (ok bool, err error) {
	if rounds < 1 || vms < 1 {
		return false, fmt.Errorf("-rounds is %d and -vms %d; take 1 or more", rounds, vms)
	}
	dir, err := os.MkdirTemp("", "novacron-bench-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, dir: dir, rounds: rounds, vms: vms}
	if b.binary, err = rig.Build(dir); err != nil {
		return false, err
	}
	if b.image, err = rig.TinyImage(); err != nil {
		return false, err
	}
	ok = true
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		if err := p.run(b); err != nil {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", p.name, err)
			ok = false
		}
	}
	fmt.Printf("\n%s, %d CPUs, %s/%s\n\n", loadNow(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	return print(os.Stdout, b.table) && ok, nil
}

// loadNow says how busy the machine was, since that is the first question behind an odd figure.
func loadNow() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load unknown"
	}
	return "load " + strings.Join(strings.Fields(string(raw))[:3], " ")
}

// say tells what is being done, apart from the table on standard output.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
