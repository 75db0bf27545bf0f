package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"novacron/backend/client"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/test/rig"
)

// platform is a running `novacron up` with a client that is signed in.
type platform struct {
	*rig.Process
	*client.Client
	dir string
}

// startTimeout bounds a start of the platform with the import of the tiny image.
const startTimeout = 2 * time.Minute

func (b *bench) platform(name string, args ...string) (*platform, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	addr, err := rig.FreeAddresses()
	if err != nil {
		return nil, err
	}
	p := &platform{dir: dir}
	env := append(addr.Env(), "NOVACRON_TINY_IMAGE="+b.image)
	if p.Process, err = rig.Start(rig.Spec{Binary: b.binary, Args: append([]string{"up"}, args...), Dir: dir, Env: env}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(b.ctx, startTimeout)
	defer cancel()
	base := "http://" + addr.API
	if err = p.WaitReady(ctx, base); err == nil {
		if p.Client, err = p.SignIn(ctx, base); err == nil {
			err = p.waitForTiny(ctx)
		}
	}
	if err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

func (p *platform) waitForTiny(ctx context.Context) error {
	for {
		i, err := p.Image(ctx, "tiny")
		if err == nil && i.State == "ready" {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the tiny image is not ready: %s %w", i.StateReason, err)
		}
	}
}

// end takes the platform down with its guests.
func (p *platform) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	p.Client.Close()
	if err := p.Down(ctx); err != nil {
		p.Kill()
		return err
	}
	<-p.Gone()
	return nil
}

// guestMiB is the memory of the guests that are measured: little, since twenty of them run at once.
const guestMiB = 96

func wish(name string) wire.CreateVM {
	return wire.CreateVM{Name: name, Image: "tiny", CPUs: 1, MemoryMiB: guestMiB, DiskGiB: 1}
}

// remove stops and deletes a VM.
func (p *platform) remove(ctx context.Context, v id.VM) error {
	if _, err := p.StopVM(ctx, string(v), wire.StopVM{Force: true}, time.Minute); err != nil {
		return fmt.Errorf("stop %s: %w", v, err)
	}
	_, err := p.DeleteVM(ctx, string(v), time.Minute)
	return err
}

// boot creates a VM and returns how long it took from the request to the guest's first line of userspace.
func (p *platform) boot(ctx context.Context, name string) (id.VM, time.Duration, error) {
	began := time.Now()
	a, err := p.CreateVM(ctx, wish(name), 0)
	if err != nil {
		return "", 0, err
	}
	err = rig.WaitInFile(ctx, rig.SerialLog(p.dir, a.ID), rig.FirstLine)
	return a.ID, time.Since(began), err
}

// ticks of processor time in a second, as /proc counts them on Linux.
const ticks = 100

// cpu is the processor time that the platform's process has used, in seconds.
func (p *platform) cpu() (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("the process' stat line is too short")
	}
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks, err
}
