package qemu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/qemu/qmp"
)

// Apply does the differences one by one and writes down each, so that a failure halfway can be repeated.
func (i *instance) Apply(ctx context.Context, cfg hypervisor.Config) ([]string, error) {
	if i.over() {
		return nil, exited(nil)
	}
	if err := hypervisor.Check(cfg); err != nil {
		return nil, err
	}
	var restart []string
	for _, change := range hypervisor.Diff(i.Info().Config, cfg) {
		sentence, err := i.change(ctx, change)
		if err != nil {
			return restart, fmt.Errorf("%s %s%s: %w", change.Kind, change.Disk.ID, change.NIC.ID, notTaken(err))
		}
		if sentence != "" {
			restart = append(restart, sentence)
			continue
		}
		if err := i.update(func(r *record) { r.Config = hypervisor.Applied(r.Config, change) }); err != nil {
			return restart, err
		}
	}
	return restart, i.update(func(r *record) {
		r.Config.Generation, r.Config.Epoch, r.Config.Name = cfg.Generation, cfg.Epoch, cfg.Name
	})
}

// notTaken makes a fault of QEMU's refusal of a change.
func notTaken(err error) error {
	refusal, ok := errors.AsType[*qmp.Error](err)
	if _, known := errors.AsType[*fault.Error](err); !ok || known {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "change_refused", "the running VM did not take a change: %s", refusal.Desc[:min(len(refusal.Desc), maxWords)])
}

// change does one change, or gives the sentence that says why it must wait.
func (i *instance) change(ctx context.Context, c hypervisor.Change) (string, error) {
	switch c.Kind {
	case hypervisor.NextStart:
		return c.Sentence, nil
	case hypervisor.AddDisk:
		return i.addDisk(ctx, c.Disk)
	case hypervisor.RemoveDisk:
		return i.removeDisk(ctx, c.Disk)
	case hypervisor.LimitDisk:
		if c.Disk.CDROM {
			return "", nil // it has no limits
		}
		return "", i.run(ctx, "qom-set", args{"path": "/objects/" + limitID(c.Disk), "property": "limits", "value": limits(c.Disk)}, nil)
	case hypervisor.GrowDisk:
		return "", i.growDisk(ctx, c.Disk)
	case hypervisor.AddNIC:
		return i.addNIC(ctx, c.NIC)
	case hypervisor.RemoveNIC:
		return i.removeNIC(ctx, c.NIC)
	case hypervisor.SetForwards:
		return "", i.setForwards(ctx, c)
	case hypervisor.SetCPUs:
		return i.setCPUs(ctx, c)
	case hypervisor.SetMemory:
		return i.setMemory(ctx, c)
	}
	panic("a change of an unknown kind: " + string(c.Kind))
}

// exists asks whether QEMU has the object. What a failure halfway has made already is not made again.
func (i *instance) exists(ctx context.Context, container, name string) (bool, error) {
	var children []struct{ Name string }
	err := i.run(ctx, "qom-list", args{"path": container}, &children)
	if missing, ok := errors.AsType[*qmp.Error](err); ok && missing.Class == "DeviceNotFound" {
		return false, nil
	}
	return slices.ContainsFunc(children, func(c struct{ Name string }) bool { return c.Name == name }), err
}

const (
	devices = "/machine/peripheral"
	objects = "/objects"
)

// setForwards has only the monitor for people to ask, which answers in prose: nothing said is success. Every word of the
// questions has passed Check: addresses, numbers, tcp and udp.
func (i *instance) setForwards(ctx context.Context, c hypervisor.Change) error {
	// Those to add go first too: a change that broke off halfway may have added them.
	for _, f := range slices.Concat(c.Drop, c.Add) {
		if _, err := i.tell(ctx, "hostfwd_remove "+string(c.NIC.ID)+" "+hostSide(f)); err != nil {
			return err
		}
	}
	for _, f := range c.Add {
		answer, err := i.tell(ctx, "hostfwd_add "+string(c.NIC.ID)+" "+hostForward(f, c.NIC.User.Address))
		if err != nil {
			return err
		}
		if answer != "" {
			return fault.Wrap(errors.New(answer), fault.Conflict, "port_taken", "port %d of the node cannot be opened for the guest's port %d; is it in use?", f.HostPort, f.GuestPort)
		}
	}
	return nil
}

func (i *instance) tell(ctx context.Context, line string) (answer string, err error) {
	err = i.run(ctx, "human-monitor-command", args{"command-line": line}, &answer)
	return strings.TrimSpace(answer), err
}

// setCPUs adds cores one by one. Cores are taken away under KVM only: QEMU's emulation ends the thread of a core in a way that
// destroys the process some time later.
func (i *instance) setCPUs(ctx context.Context, c hypervisor.Change) (string, error) {
	cfg := i.Info().Config
	switch {
	case cfg.Arch == vm.AArch64:
		return "another number of vCPUs, which arm64 guests cannot change while they run, takes effect at the next start", nil
	case c.To < c.From && cfg.Accel != "kvm":
		return "fewer vCPUs, which QEMU's emulation cannot take from a running guest without damage, take effect at the next start", nil
	case c.To < c.From:
		return i.removeCPUs(ctx, c)
	}
	for core := c.From; core < c.To; core++ {
		there, err := i.exists(ctx, devices, cpuID(core))
		if err == nil && !there {
			err = i.run(ctx, "device_add", processor(cfg.CPUModel, core), nil)
		}
		if err != nil {
			return "", err
		}
		if err := i.update(func(r *record) { r.Config.CPUs = core + 1 }); err != nil {
			return "", err
		}
	}
	return "", nil
}

// removeCPUs takes cores away, the last first. Those that the guest started with stay.
func (i *instance) removeCPUs(ctx context.Context, c hypervisor.Change) (string, error) {
	for core := c.From - 1; core >= c.To; core-- {
		if core < i.snapshotRecord().Layout.CPUs {
			return fmt.Sprintf("fewer vCPUs than the %d that the guest started with take effect at the next start", core+1), nil
		}
		gone, err := i.release(ctx, cpuID(core))
		if err != nil {
			return "", err
		}
		if !gone {
			return fmt.Sprintf(heldOn, "a vCPU"), nil
		}
		if err := i.update(func(r *record) { r.Config.CPUs = core }); err != nil {
			return "", err
		}
	}
	return "", nil
}

// setMemory adds one module. One that an Apply before has made and not written down is the next one's.
func (i *instance) setMemory(ctx context.Context, c hypervisor.Change) (string, error) {
	at := len(i.snapshotRecord().Layout.DIMMs)
	if at >= maxDIMMs {
		return "more memory, which was added as often as a running guest allows, takes effect at the next start", nil
	}
	size := c.To - c.From
	if err := i.run(ctx, "object-add", dimmBackend(at, size), nil); err != nil && !isRefusal(err) {
		return "", err
	}
	if there, err := i.exists(ctx, devices, fmt.Sprintf("dimm%d", at)); err != nil {
		return "", err
	} else if !there {
		if err := i.run(ctx, "device_add", dimm(at), nil); err != nil {
			_ = i.run(ctx, "object-del", args{"id": fmt.Sprintf("more%d", at)}, nil) // so that the next try may have another size
			return "", err
		}
	}
	return "", i.update(func(r *record) {
		r.Layout.DIMMs = append(slices.Clone(r.Layout.DIMMs), size)
		r.Config.MemoryMiB = c.To
	})
}
