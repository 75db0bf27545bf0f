// Package qemuimg runs qemu-img in a jail. Every format is spelled out, every file of a chain is given by the caller, and
// nothing that a header says about other files is followed.
package qemuimg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"novacron/backend/core/fault"
	"novacron/backend/hypervisor"
	"novacron/backend/storage/jail"
)

const program = "qemu-img"

// parallel bounds the programs that run at once: each may use a whole core and much of the disk's throughput.
const parallel = 2

var slots = make(chan struct{}, parallel)

// Convert copies the disk of src, with all that its chain holds, into the file dst as a clean qcow2 of its own. dst must be
// an empty file; largest bounds its size in bytes.
func Convert(ctx context.Context, src hypervisor.File, dst *os.File, largest int64) error {
	c, err := open(src, false)
	if err != nil {
		return err
	}
	defer c.close()
	files := append(slices.Clone(c.files), jail.File{Name: "out", File: dst, Write: true})
	_, err = run(ctx, files, jail.Limits{FileBytes: uint64(largest)}, func(p jail.Path) []string {
		return []string{"convert", "-O", "qcow2", "-o", "compat=1.1,cluster_size=65536", c.options(p), p("out")}
	})
	return err
}

// Resize makes the disk of f, a qcow2 file that no process has open, size bytes large. It never shrinks.
func Resize(ctx context.Context, f hypervisor.File, size int64) error {
	return edit(ctx, f, func(image string) []string {
		return []string{"resize", image, strconv.FormatInt(size, 10)}
	})
}

// Snapshots lists the names of the snapshots inside f, which may be repeated.
func Snapshots(ctx context.Context, f hypervisor.File) ([]string, error) {
	f.Backing = nil // info looks at the top file alone
	c, err := open(f, false)
	if err != nil {
		return nil, err
	}
	defer c.close()
	out, err := run(ctx, c.files, jail.Limits{}, func(p jail.Path) []string {
		return []string{"info", "--output=json", c.options(p)}
	})
	if err != nil {
		return nil, err
	}
	var info struct {
		Snapshots []struct {
			Name string `json:"name"`
		} `json:"snapshots"`
	}
	if err := json.Unmarshal(out, &info); err != nil {
		return nil, fmt.Errorf("read the answer of qemu-img info: %w", err)
	}
	names := make([]string, 0, len(info.Snapshots))
	for _, s := range info.Snapshots {
		names = append(names, s.Name)
	}
	return names, nil
}

// Snapshot is qemu-img snapshot with the flag -c, -a or -d.
func Snapshot(ctx context.Context, f hypervisor.File, flag, name string) error {
	return edit(ctx, f, func(image string) []string {
		return []string{"snapshot", flag, name, image}
	})
}

// edit runs a program that writes to the top file of the chain.
func edit(ctx context.Context, f hypervisor.File, args func(image string) []string) error {
	c, err := open(f, true)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := run(ctx, c.files, jail.Limits{}, func(p jail.Path) []string { return args(c.options(p)) }); err != nil {
		return err
	}
	return c.files[0].File.Sync()
}

func run(ctx context.Context, files []jail.File, l jail.Limits, args func(jail.Path) []string) ([]byte, error) {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	out, err := jail.Run(ctx, program, files, l, args)
	var failed *jail.Failed
	if errors.As(err, &failed) && inUse(failed) {
		return nil, fault.Wrap(err, fault.Conflict, "disk_in_use", "a process has the disk open; stop the VM first")
	}
	return out, err
}
