package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/hypervisor/qemu"
	simhost "novacron/backend/hypervisor/sim"
	"novacron/backend/network"
	"novacron/backend/network/bridge"
	simnet "novacron/backend/network/sim"
	"novacron/backend/network/user"
	"novacron/backend/seed"
	"novacron/backend/storage"
	"novacron/backend/storage/dir"
	"novacron/backend/storage/durable"
	simpool "novacron/backend/storage/sim"
)

// NodeOptions is what one machine's part of the platform is made of.
type NodeOptions struct {
	Node    id.Node
	Paths   Paths
	Images  *storage.Cache // shared with the server in the same process
	Source  agent.Source   // where images come from that are not in the cache; nil: nowhere
	Version string
	Log     *slog.Logger
	Sim     bool
}

// Node is the agent of this machine with everything under it.
type Node struct {
	Agent  *agent.Agent
	Driver hypervisor.Driver
	fabric network.Fabric
}

// NewDriver gives the hypervisor of this machine without starting anything, for the node and for doctor.
func NewDriver(p Paths, log *slog.Logger) (*qemu.Driver, error) {
	return qemu.New(qemu.Options{RunDir: p.guests(), CgroupRoot: "novacron/" + p.Tag, Log: log})
}

// OpenNode makes the agent. Guests of an earlier life are adopted by its Start.
func OpenNode(ctx context.Context, o NodeOptions) (*Node, error) {
	if o.Sim {
		return openSimNode(o)
	}
	driver, err := NewDriver(o.Paths, o.Log)
	if err != nil {
		return nil, err
	}
	pool, err := dir.Open(dir.Config{Root: o.Paths.Data, Images: o.Images})
	if err != nil {
		return nil, fmt.Errorf("open the volumes: %w", err)
	}
	fabric, err := openFabric(ctx, o.Paths, o.Log)
	if err != nil {
		return nil, err
	}
	n := &Node{Driver: driver, fabric: fabric}
	n.Agent, err = agent.New(agent.Options{Node: o.Node, Version: o.Version, DataDir: o.Paths.Data, Driver: driver, Pool: pool,
		Images: o.Images, Fabric: fabric, Source: o.Source, Seed: writeSeed, Log: o.Log})
	return n, err
}

// openFabric is the bridge where this process is root and the kernel can, else user-mode networking, said plainly in the facts.
func openFabric(ctx context.Context, p Paths, log *slog.Logger) (network.Fabric, error) {
	if os.Geteuid() == 0 {
		f, err := bridge.New(ctx, bridge.Options{Dir: filepath.Join(p.Data, "network"), Instance: p.Tag, Log: log})
		if err == nil {
			return f, nil
		}
		if !fault.Is(err, fault.Unsupported) {
			return nil, fmt.Errorf("open the network: %w", err)
		}
		log.Warn("guests get user-mode networking: bridges are not to be had here", "err", err)
		f2, ferr := user.New(user.Options{Dir: filepath.Join(p.Data, "network-user")})
		return reasoned{f2, "guests get user-mode networking although this is root: " + fault.Sentence(err)}, ferr
	}
	return user.New(user.Options{Dir: filepath.Join(p.Data, "network-user")})
}

// reasoned is a fabric that is used in place of a better one, and says why.
type reasoned struct {
	network.Fabric
	why string
}

// Mode implements network.Fabric.
func (r reasoned) Mode() (mode, note string) {
	mode, _ = r.Fabric.Mode()
	return mode, r.why
}

// simVMs is how many VMs of the largest size a simulated node has room for.
const simVMs = 100_000

// openSimNode is a node whose guests are simulated: room for 100,000 VMs of any allowed size.
func openSimNode(o NodeOptions) (*Node, error) {
	pool := simpool.New(simpool.Config{})
	driver := simhost.NewHost(simhost.Options{Snapshots: func(ctx context.Context, v id.Volume, a hypervisor.SnapshotAction, tag string) error {
		return pool.Snapshot(ctx, v, storage.SnapshotAction(a), tag)
	}}).Driver()
	fabric := simnet.New(nil)
	n := &Node{Driver: driver, fabric: fabric}
	var err error
	n.Agent, err = agent.New(agent.Options{Node: o.Node, Version: o.Version, DataDir: o.Paths.Data, Driver: driver, Pool: pool,
		Images: o.Images, Fabric: fabric, Seed: func(string, vm.Machine) error { return nil }, Log: o.Log, NoSync: true,
		Simulated: &agent.Capacity{CPUs: simVMs * vm.MaxCPUs, MemoryMiB: 2 * simVMs * vm.MaxMemoryMiB, DiskBytes: 1 << 62}})
	return n, err
}

func writeSeed(path string, m vm.Machine) error { return seed.Write(path, seed.For(m)) }

// Close lets go of the guests, which run on.
func (n *Node) Close() error {
	return errors.Join(n.Agent.Close(), n.fabric.Close())
}

// nodeID is this machine's id as a node.
func nodeID(p Paths) (id.Node, error) { return keptID(p, "node-id", id.NewNode) }

// serverID is this server's id among those on its database.
func serverID(p Paths) (id.Server, error) { return keptID(p, "server-id", id.NewServer) }

// keptID is an id that is made once and kept in the data folder.
func keptID[T ~string](p Paths, file string, fresh func() T) (T, error) {
	name := filepath.Join(p.Data, file)
	raw, err := os.ReadFile(name)
	if err == nil {
		n := T(strings.TrimSpace(string(raw)))
		if !id.Is(string(n)) {
			return "", fmt.Errorf("%s does not hold an id; put the file back from a backup, or move the data folder away", name)
		}
		return n, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	n := fresh()
	return n, durable.WriteFile(name, []byte(string(n)+"\n"), 0o600)
}
