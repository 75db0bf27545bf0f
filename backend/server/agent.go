package server

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"novacron/backend/agent/remote"
	"novacron/backend/api"
	"novacron/backend/core/fault"
	"novacron/backend/network"
	"novacron/backend/storage"
)

// AgentOptions is what a node of a server elsewhere is made of.
type AgentOptions struct {
	Settings
	Servers []string // host:port of each; one is used at a time
	Join    string   // one-use token; empty once the machine has joined
	Version string
	Log     *slog.Logger
}

// RunAgent is a node of a server elsewhere, until ctx ends. Guests run on.
func RunAgent(ctx context.Context, o AgentOptions) error {
	if len(o.Servers) == 0 {
		return fault.New(fault.Invalid, "server_missing", "say which server this machine belongs to with --server host:port")
	}
	paths := PathsFor(o.DataDir)
	release, err := paths.Take()
	if err != nil {
		return err
	}
	defer release()
	identity := filepath.Join(paths.Data, "node")
	if err := join(ctx, o, identity); err != nil {
		return err
	}
	return runLink(ctx, o, paths, identity)
}

func join(ctx context.Context, o AgentOptions, identity string) error {
	_, err := remote.Joined(identity)
	if err == nil {
		return nil
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	if o.Join == "" {
		return fault.New(fault.Unauthenticated, "not_joined", "this machine has not joined yet; run the command that `novacron node token` prints on the server")
	}
	for _, server := range o.Servers { // the first that answers
		if _, err = remote.Join(ctx, nil, server, o.Join, identity); !fault.Is(err, fault.Unavailable) {
			return err
		}
	}
	return err
}

func runLink(ctx context.Context, o AgentOptions, paths Paths, identity string) error {
	node, err := remote.Joined(identity)
	if err != nil {
		return err
	}
	cache, err := storage.OpenCache(storage.Config{Root: filepath.Join(paths.Data, "images")})
	if err != nil {
		return err
	}
	link, err := remote.NewLink(remote.LinkOptions{Servers: o.Servers, Dir: identity, Log: o.Log})
	if err != nil {
		return err
	}
	n, err := OpenNode(ctx, NodeOptions{Node: node, Paths: paths, Images: cache, Source: link.Fetch, Version: o.Version, Log: o.Log})
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.Agent.Start(ctx); err != nil {
		return err
	}
	err = link.Run(ctx, n.Agent)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// RunningGuests counts the guests of this data folder that have a process.
func RunningGuests(ctx context.Context, s Settings, log *slog.Logger) (int, error) {
	driver, err := NewDriver(PathsFor(s.DataDir), log)
	if err != nil {
		return 0, err
	}
	vms, err := driver.Running(ctx)
	return len(vms), err
}

// WaitGone waits until no process serves the data folder.
func WaitGone(ctx context.Context, s Settings, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	paths := PathsFor(s.DataDir)
	if !exists(paths.Data) {
		return nil
	}
	if _, err := owned(paths.Data, true); err != nil {
		return err
	}
	for {
		release, err := paths.Lock()
		if err == nil {
			release()
			return nil
		}
		if !fault.Is(err, fault.Conflict) { // nothing that goes away by waiting
			return err
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(err, fault.Unavailable, "still_ending", "the platform (process %d) is still on its way down after %s; wait for it, or end it with kill -9, and type this again", paths.holder(), most)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// EndGuests ends what guests are left of the data folder while no server runs, and removes the run folder of one that was killed.
func EndGuests(ctx context.Context, s Settings, log *slog.Logger) error {
	paths := PathsFor(s.DataDir)
	if !exists(paths.Run) {
		return nil
	}
	release, err := paths.Take()
	if err != nil {
		return err
	}
	defer release()
	left, err := RunningGuests(ctx, s, log)
	if err != nil || left == 0 {
		return err
	}
	node, err := nodeID(paths)
	if joined, jerr := remote.Joined(filepath.Join(paths.Data, "node")); jerr == nil {
		node, err = joined, nil
	}
	if err != nil {
		return err
	}
	cache, err := storage.OpenCache(storage.Config{Root: filepath.Join(paths.Data, "images")})
	if err != nil {
		return err
	}
	n, err := OpenNode(ctx, NodeOptions{Node: node, Paths: paths, Images: cache, Log: log})
	if err != nil {
		return err
	}
	if err := n.Agent.Start(ctx); err != nil {
		return errors.Join(err, n.Close())
	}
	return errors.Join(n.Agent.StopAll(ctx), n.Close())
}

// RunDoctor checks this machine with its own hypervisor.
func RunDoctor(ctx context.Context, s Settings) []Check {
	driver, err := NewDriver(PathsFor(s.DataDir), slog.New(slog.DiscardHandler))
	if err != nil {
		return append(checkPorts(s), Check{Name: "QEMU", Verdict: Bad, Found: err.Error(), Remedy: "run doctor as the user that runs NovaCron"})
	}
	return Doctor(ctx, s, driver)
}

// OpenAPI is the description of the API.
func OpenAPI() ([]byte, error) { return api.OpenAPI() }

// subnet is the default network's: as set, large for simulated guests, or a free one of this machine.
func (s *Server) subnet() string {
	if s.o.Subnet != "" {
		return s.o.Subnet
	}
	if s.o.Sim {
		return simSubnet
	}
	routes, err := network.Routes()
	if err != nil {
		s.log.Warn("routes of this machine cannot be read; the default network may meet another", "err", err)
	}
	return network.FreeSubnet(s.paths.Tag, routes).String()
}
