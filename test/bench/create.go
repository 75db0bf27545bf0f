package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"novacron/backend/core/id"
)

// bootTimeout bounds one measured boot.
const bootTimeout = 3 * time.Minute

// createTimes is how many more pairs one create takes than the rest: its targets are nearer to what is there than two boots of the same
// machine are to each other.
const createTimes = 2

// orders are those in which the starts of a round follow one another. What ended just before makes the next start up to a tenth faster
// or slower (memory that is still warm, or already given back), so over two rounds of two, or six of three, each kind of start follows
// each kind, itself too, equally often.
var orders = map[int][][]int{
	2: {{0, 1}, {1, 0}},
	3: {{0, 1, 2}, {2, 0, 1}, {1, 0, 2}, {2, 1, 0}, {0, 2, 1}, {1, 2, 0}},
}

func order(legs, round int) []int { return orders[legs][round%len(orders[legs])] }

// create compares one create with one start of the same machine by QEMU alone, and by libvirt.
func create(b *bench) error {
	p, err := b.platform("create")
	if err != nil {
		return err
	}
	defer p.end() //nolint:errcheck // the figures are taken
	m, err := b.modelOf(p)
	if err != nil {
		return err
	}
	bare, err := b.bareMachines(m, 1)
	defer endMachines(bare)
	if err != nil {
		return err
	}
	lv, why := b.libvirt(m)
	if lv != nil {
		defer lv.end()
	}
	var ours, theirs, others []time.Duration
	rounds := createTimes * b.rounds
	for round := range rounds {
		legs := []func(context.Context) error{
			func(ctx context.Context) error { return p.once(ctx, fmt.Sprintf("create-%d", round), &ours) },
			func(ctx context.Context) error { return bare[0].once(ctx, &theirs) },
		}
		if lv != nil {
			legs = append(legs, func(ctx context.Context) error { return lv.once(ctx, &others) })
		}
		for _, i := range order(len(legs), round) {
			ctx, cancel := context.WithTimeout(b.ctx, bootTimeout)
			err := legs[i](ctx)
			cancel()
			if err != nil {
				return err
			}
		}
		b.say("create: round %d of %d: novacron %.2f s, QEMU alone %.2f s", round+1, rounds, ours[round].Seconds(), theirs[round].Seconds())
	}
	b.table = append(b.table,
		figure{name: "create, novacron", values: seconds(ours), unit: " s", note: "from sending POST /api/v1/vms to the guest's first line of userspace"},
		figure{name: "create, QEMU alone", values: seconds(theirs), unit: " s", note: "the same arguments with plain paths; from starting the process, its disk made before"},
		figure{name: "create / QEMU alone", values: ratios(ours, theirs), target: 1.10},
	)
	if lv == nil {
		b.table = append(b.table, figure{name: "create / libvirt", target: 1, note: "untried: " + why})
		return nil
	}
	b.table = append(b.table,
		figure{name: "create, libvirt", values: seconds(others), unit: " s", note: "qemu-img create of the disk and virsh create of the same machine, in a session libvirtd of its own; its NIC ends in user mode"},
		figure{name: "create / libvirt", values: ratios(ours, others), target: 1})
	return nil
}

func (p *platform) once(ctx context.Context, name string, into *[]time.Duration) error {
	v, took, err := p.boot(ctx, name)
	if err != nil {
		return err
	}
	*into = append(*into, took)
	return p.remove(ctx, v)
}

func (x machine) once(ctx context.Context, into *[]time.Duration) error {
	if err := x.fresh(ctx); err != nil {
		return err
	}
	took, end, err := x.boot(ctx)
	if err != nil {
		return err
	}
	end()
	*into = append(*into, took)
	return nil
}

// burstSize is how many VMs are made at once, and burstRounds how often: each takes a minute where guests are emulated.
const (
	burstSize   = 20
	burstRounds = 6
)

// burst compares twenty creates at once with twenty starts of QEMU at once, until the last guest is in userspace.
func burst(b *bench) error {
	p, err := b.platform("burst")
	if err != nil {
		return err
	}
	defer p.end() //nolint:errcheck // the figures are taken
	m, err := b.modelOf(p)
	if err != nil {
		return err
	}
	bare, err := b.bareMachines(m, burstSize)
	defer endMachines(bare)
	if err != nil {
		return err
	}
	var ours, theirs []time.Duration
	var own []float64
	for round := range min(b.rounds, burstRounds) {
		before, err := p.cpu()
		if err != nil {
			return err
		}
		legs := []func(context.Context) error{
			func(ctx context.Context) error { return p.burst(ctx, round, &ours) },
			func(ctx context.Context) error { return burstBare(ctx, bare, &theirs) },
		}
		for _, i := range order(len(legs), round) {
			ctx, cancel := context.WithTimeout(b.ctx, 2*bootTimeout)
			err := legs[i](ctx)
			cancel()
			if err != nil {
				return err
			}
		}
		after, err := p.cpu()
		if err != nil {
			return err
		}
		own = append(own, after-before)
		b.say("burst: round %d: novacron %.1f s, QEMU alone %.1f s", round+1, ours[round].Seconds(), theirs[round].Seconds())
	}
	b.table = append(b.table,
		figure{name: "20 at once, novacron", values: seconds(ours), unit: " s", note: "until the last of the guests has written its first line of userspace"},
		figure{name: "20 at once, QEMU alone", values: seconds(theirs), unit: " s"},
		figure{name: "20 at once, novacron's CPU", values: own, unit: " s", note: "processor time of the platform itself for twenty creates and their deletes, without QEMU and other helpers"},
		figure{name: "20 at once / QEMU alone", values: ratios(ours, theirs), target: 1.15})
	return nil
}

func (p *platform) burst(ctx context.Context, round int, into *[]time.Duration) error {
	vms := make([]id.VM, burstSize)
	began := time.Now()
	err := together(burstSize, func(i int) (err error) {
		vms[i], _, err = p.boot(ctx, fmt.Sprintf("burst-%d-%d", round, i))
		return err
	})
	took := time.Since(began)
	if err != nil {
		return err
	}
	*into = append(*into, took)
	return together(burstSize, func(i int) error { return p.remove(ctx, vms[i]) })
}

func burstBare(ctx context.Context, all []machine, into *[]time.Duration) error {
	for _, x := range all {
		if err := x.fresh(ctx); err != nil {
			return err
		}
	}
	ends := make([]func(), len(all))
	began := time.Now()
	err := together(len(all), func(i int) (err error) {
		_, ends[i], err = all[i].boot(ctx)
		return err
	})
	took := time.Since(began)
	for _, end := range ends {
		if end != nil {
			end()
		}
	}
	if err == nil {
		*into = append(*into, took)
	}
	return err
}

// together runs f for each number below n at once and joins the errors.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
