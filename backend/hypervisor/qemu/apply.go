package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/qemu/qmp"
)

// unplugTimeout is how long a guest may take to let go of a device. A guest that is booting or has no driver never does.
const unplugTimeout = 10 * time.Second

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

// plug takes a free port for a device and writes that down first: a state saved later must know it.
func (i *instance) plug(device string) (int, error) {
	port := -1
	err := i.update(func(r *record) {
		at, ok := r.Layout.Port[device]
		if !ok {
			if at = r.Layout.free(); at < 0 {
				return
			}
			r.Layout.Port[device] = at
		}
		port = at
	})
	return port, err
}

func (i *instance) unplugged(device string) error {
	return i.update(func(r *record) { delete(r.Layout.Port, device) })
}

const noPort = "%s, for which the running machine has no free slot, takes effect at the next start"

func (i *instance) addDisk(ctx context.Context, d hypervisor.Disk) (string, error) {
	if there, err := i.exists(ctx, devices, diskID(d)); there || err != nil {
		return "", err
	}
	port, err := i.plug(diskID(d))
	if err != nil || port < 0 {
		return fmt.Sprintf(noPort, "disk "+string(d.ID)), err
	}
	if err := i.openDisk(ctx, d); err != nil {
		return "", errors.Join(err, i.unplugged(diskID(d)))
	}
	device := diskDevice(d, threadID(port%i.snapshotRecord().Layout.IOThreads))
	device["bus"] = portID(port)
	if err := i.run(ctx, "device_add", device, nil); err != nil {
		return "", errors.Join(err, i.closeDisk(ctx, d), i.unplugged(diskID(d)))
	}
	return "", nil
}

// openDisk makes the disk's limits and block nodes. What is left of an earlier try goes first.
func (i *instance) openDisk(ctx context.Context, d hypervisor.Disk) error {
	if err := i.closeDisk(ctx, d); err != nil {
		return err
	}
	if err := i.run(ctx, "object-add", throttle(d), nil); err != nil {
		return err
	}
	var failed error
	nodes := chain(baseID(d), d.File, func(f hypervisor.File) string {
		set, err := i.giveFile(ctx, f)
		failed = errors.Join(failed, err)
		return setName(set)
	})
	for _, node := range append(nodes, throttled(d)) {
		if failed == nil {
			failed = i.run(ctx, "blockdev-add", node, nil)
		}
	}
	if failed != nil {
		return errors.Join(failed, i.closeDisk(ctx, d))
	}
	return nil
}

// closeDisk takes the nodes of a disk away from the top down. Nodes that are not there are none the worse.
func (i *instance) closeDisk(ctx context.Context, d hypervisor.Disk) error {
	have, err := i.tags(ctx)
	if err != nil {
		return err
	}
	names := []string{nodeID(d)}
	for at, name := &d.File, baseID(d); at != nil; at, name = at.Backing, name+"b" {
		names = append(names, name)
	}
	for _, name := range names {
		if _, ok := have[name]; !ok {
			continue
		}
		if err := i.deleteNode(ctx, name); err != nil {
			return err
		}
	}
	if there, err := i.exists(ctx, objects, limitID(d)); !there || err != nil {
		return err
	}
	return i.run(ctx, "object-del", args{"id": limitID(d)}, nil)
}

// deleteNode retries for a moment: the device that is told to be gone lets go of its node a little later.
func (i *instance) deleteNode(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	var refusal error
	err := i.until(ctx, func() (bool, error) {
		err := i.run(ctx, "blockdev-del", args{"node-name": name}, nil)
		if isRefusal(err) {
			refusal = err
			return false, nil
		}
		return err == nil, err
	})
	if errors.Is(err, context.DeadlineExceeded) && refusal != nil {
		return refusal
	}
	return err
}

// release takes a device away and waits until the guest has let go of it.
func (i *instance) release(ctx context.Context, device string) (gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, unplugTimeout)
	defer cancel()
	there, err := i.exists(ctx, devices, device)
	if !there || err != nil {
		return !there, err
	}
	// "is already in the process of unplug" is what an earlier try that timed out leaves; waiting again is right.
	if err := i.run(ctx, "device_del", args{"id": device}, nil); err != nil && !isRefusal(err) {
		return false, err
	}
	err = i.until(ctx, func() (bool, error) {
		there, err := i.exists(ctx, devices, device)
		gone = !there && err == nil
		return gone, err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return gone, err
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*qmp.Error](err)
	return ok
}

const heldOn = "removing %s, which the guest did not let go of, takes effect at the next start"

func (i *instance) removeDisk(ctx context.Context, d hypervisor.Disk) (string, error) {
	if _, pluggable := i.snapshotRecord().Layout.Port[diskID(d)]; !pluggable {
		return fmt.Sprintf("removing disk %s takes effect at the next start", d.ID), nil
	}
	gone, err := i.release(ctx, diskID(d))
	if err != nil {
		return "", err
	}
	if !gone {
		return fmt.Sprintf(heldOn, "disk "+string(d.ID)), nil
	}
	if err := i.closeDisk(ctx, d); err != nil {
		return "", err
	}
	return "", i.unplugged(diskID(d))
}

// growDisk asks for a size that is whole sectors; smaller than it is cannot come here.
func (i *instance) growDisk(ctx context.Context, d hypervisor.Disk) error {
	return i.run(ctx, "block_resize", args{"node-name": nodeID(d), "size": (d.SizeBytes + 511) &^ 511}, nil)
}

func (i *instance) addNIC(ctx context.Context, n hypervisor.NIC) (string, error) {
	if there, err := i.exists(ctx, devices, nicID(n)); there || err != nil {
		return "", err
	}
	port, err := i.plug(nicID(n))
	if err != nil || port < 0 {
		return fmt.Sprintf(noPort, "NIC "+string(n.ID)), err
	}
	err = i.openNIC(ctx, n)
	if err == nil {
		err = i.run(ctx, "device_add", nicDevice(n, port), nil)
	}
	if err != nil {
		return "", errors.Join(err, i.closeNIC(ctx, n), i.unplugged(nicID(n)))
	}
	return "", nil
}

func (i *instance) openNIC(ctx context.Context, n hypervisor.NIC) error {
	if err := i.closeNIC(ctx, n); err != nil {
		return err
	}
	netdev := netdev(n)
	if n.Tap != "" {
		file, err := openTap(n.Tap)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := i.pass(ctx, "getfd", args{"fdname": n.Tap}, nil, file.Fd()); err != nil {
			return err
		}
		netdev["fd"] = n.Tap
		if i.Info().Config.Accel == "kvm" && canOpen("/dev/vhost-net") {
			if err := i.passVhost(ctx, n); err != nil {
				return err
			}
			netdev["vhost"], netdev["vhostfd"] = true, "vhost-"+n.Tap
		}
	}
	return i.run(ctx, "netdev_add", netdev, nil)
}

func (i *instance) passVhost(ctx context.Context, n hypervisor.NIC) error {
	file, err := os.OpenFile("/dev/vhost-net", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	return i.pass(ctx, "getfd", args{"fdname": "vhost-" + n.Tap}, nil, file.Fd())
}

// closeNIC takes away the host's end, if it is there.
func (i *instance) closeNIC(ctx context.Context, n hypervisor.NIC) error {
	err := i.run(ctx, "netdev_del", args{"id": string(n.ID)}, nil)
	if missing, ok := errors.AsType[*qmp.Error](err); ok && missing.Class == "DeviceNotFound" {
		return nil
	}
	return err
}

func (i *instance) removeNIC(ctx context.Context, n hypervisor.NIC) (string, error) {
	gone, err := i.release(ctx, nicID(n))
	if err != nil {
		return "", err
	}
	if !gone {
		return fmt.Sprintf(heldOn, "NIC "+string(n.ID)), nil
	}
	if err := i.closeNIC(ctx, n); err != nil {
		return "", err
	}
	return "", i.unplugged(nicID(n))
}

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
