package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/qemu/qmp"
)

// unplugTimeout is how long a guest may take to let go of a device. A guest that is booting or has no driver never does.
const unplugTimeout = 10 * time.Second

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
