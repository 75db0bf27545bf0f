package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// What stands here is done for the person who starts the platform: the tiny image, the first VM, the first sign-in.

// TinyName is the image that the platform builds itself.
const TinyName = "tiny"

// demoName is the VM that `up --demo` boots.
const demoName = "first"

// tinyBundle finds the built tiny image: in build/images of the working folder or beside the program's own folder. Empty: not built.
func tinyBundle() string {
	name := fmt.Sprintf("tiny-%s.tar", hostArch())
	candidates := []string{os.Getenv("NOVACRON_TINY_IMAGE"), filepath.Join("build", "images", name)}
	if self, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Join(filepath.Dir(self), "..", "build", "images", name), filepath.Join(filepath.Dir(self), name))
	}
	for _, c := range candidates {
		if c != "" && exists(c) {
			abs, err := filepath.Abs(c)
			if err == nil {
				return abs
			}
		}
	}
	return ""
}

// importTiny puts the tiny image into the catalogue when it is built and not there yet.
func (s *Server) importTiny(ctx context.Context) error {
	bundle := tinyBundle()
	if bundle == "" {
		return nil
	}
	c, err := s.app.Local(ctx, "start")
	if err != nil {
		return err
	}
	if _, err := s.app.Image(ctx, c, TinyName); !fault.Is(err, fault.NotFound) {
		return err
	}
	_, err = s.app.ImportImage(ctx, c, app.ImportImage{CreateImage: wire.CreateImage{Name: TinyName, Public: true}, File: bundle})
	return err
}

// Demo makes sure that there is a VM to look at, and gives it once it runs. progress is told the operation's sentences.
func (s *Server) Demo(ctx context.Context, progress func(wire.Operation)) (wire.VM, error) {
	c, err := s.app.Local(ctx, "demo")
	if err != nil {
		return wire.VM{}, err
	}
	all, err := s.app.ListVMs(ctx, c, app.ListVMs{ListRequest: app.ListRequest{Limit: 1, Sort: "created_at"}})
	if err != nil {
		return wire.VM{}, err
	}
	if len(all.Items) > 0 {
		return s.app.VM(ctx, c, string(all.Items[0].ID))
	}
	if err := s.waitForTiny(ctx, c, progress); err != nil {
		return wire.VM{}, err
	}
	res, err := s.app.CreateVM(ctx, c, wire.CreateVM{Name: demoName, Image: TinyName, CPUs: 1, MemoryMiB: 256, DiskGiB: 1, SSHKeys: s.o.DemoKeys})
	if err != nil {
		return wire.VM{}, err
	}
	if err := s.follow(ctx, c, res.Operation, progress); err != nil {
		return wire.VM{}, err
	}
	return s.app.VM(ctx, c, string(res.VM.ID))
}

func (s *Server) waitForTiny(ctx context.Context, c auth.Caller, progress func(wire.Operation)) error {
	i, err := s.app.Image(ctx, c, TinyName)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "tiny_missing", "the tiny image is not built; run `make build` first")
	}
	if err != nil || i.State == "ready" {
		return err
	}
	ops, err := s.app.ListOperations(ctx, c, app.ListOperations{Subject: "image/" + string(i.ID)})
	if err != nil || len(ops.Items) == 0 {
		return err
	}
	return s.follow(ctx, c, &ops.Items[0], progress)
}

// followStep is how often a followed operation is looked at, so that its sentences move on the screen.
const followStep = 200 * time.Millisecond

func (s *Server) follow(ctx context.Context, c auth.Caller, o *wire.Operation, progress func(wire.Operation)) error {
	if o == nil {
		return nil
	}
	for {
		now, err := s.app.WaitOperation(ctx, c, o.ID, followStep)
		if err != nil {
			return err
		}
		progress(now)
		switch {
		case now.Succeeded():
			return nil
		case now.Ended() && now.Error != nil:
			return errors.New(now.Error.Message)
		case now.Ended():
			return fmt.Errorf("the operation is %s", now.Status)
		}
	}
}

// SetupLink makes the one-time link for the first sign-in. fault.Conflict: there is an administrator already.
func (s *Server) SetupLink(ctx context.Context) (wire.SetupLink, error) { return s.api.SetupLink(ctx) }

// Engine names the database.
func (s *Server) Engine() string {
	if s.o.DatabaseURL == "" {
		return "SQLite in the data folder"
	}
	return "PostgreSQL"
}

// NodeSummary says in one line what this machine's node is.
func (s *Server) NodeSummary(ctx context.Context) string {
	if s.node == nil {
		return "none in this process; `novacron node token` lets machines join"
	}
	f, err := s.node.Agent.Facts(ctx)
	if err != nil {
		return err.Error()
	}
	out := fmt.Sprintf("%d CPUs, %.1f GiB memory, %s", f.CPUs, float64(f.MemoryMiB)/1024, f.Hypervisor)
	if f.Accel != "kvm" && !s.o.Sim {
		out += "; SOFTWARE EMULATION, guests run many times slower: " + f.AccelReason
	}
	if f.Network == "user" {
		out += "; " + f.NetworkNote
	}
	return out
}

// simSubnet has room for the 100,000 VMs of a simulated node.
const simSubnet = "10.0.0.0/12"
