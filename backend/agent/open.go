package agent

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/hypervisor"
)

// maxStreams bounds the open streams of one VM.
const maxStreams = 32

// Open implements API. It does not wait for the actor: a console must open while the VM is being changed.
func (a *Agent) Open(ctx context.Context, r StreamRequest) (io.ReadWriteCloser, error) {
	x, err := a.find(r.VM)
	if err != nil {
		return nil, err
	}
	inst, err := x.reserveStream()
	if err != nil {
		return nil, err
	}
	s, err := a.open(ctx, inst, r)
	if err != nil {
		x.freeStream()
		return nil, err
	}
	return &stream{ReadWriteCloser: s, free: sync.OnceFunc(x.freeStream)}, nil
}

func (a *Agent) open(ctx context.Context, inst hypervisor.Instance, r StreamRequest) (io.ReadWriteCloser, error) {
	switch r.Kind {
	case "serial":
		return inst.Console(ctx, hypervisor.Serial)
	case "vnc":
		return inst.Console(ctx, hypervisor.VNC)
	case "tcp":
	default:
		return nil, fault.New(fault.Invalid, "stream_invalid", "a VM has no stream %q; ask for serial, vnc or tcp", truncate(r.Kind, 40))
	}
	if r.Port < 1 || r.Port > 65535 {
		return nil, fault.New(fault.Invalid, "port_invalid", "%d is not a TCP port", r.Port).On("port")
	}
	address, err := a.o.Fabric.Reach(ctx, r.VM, r.Port)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "guest_port_closed", "port %d of the guest does not answer; is its service up?", r.Port)
	}
	return c, nil
}

func (x *actor) reserveStream() (hypervisor.Instance, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.inst == nil {
		return nil, fault.New(fault.Conflict, "vm_not_running", "the VM has no process now, so there is nothing to connect to; start it first")
	}
	if x.streams >= maxStreams {
		return nil, fault.New(fault.RateLimited, "too_many_streams", "%d streams to this VM are open already; close one", maxStreams)
	}
	x.streams++
	return x.inst, nil
}

func (x *actor) freeStream() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.streams--
}

// stream gives its place back when it is closed.
type stream struct {
	io.ReadWriteCloser
	free func()
}

func (s *stream) Close() error {
	defer s.free()
	return s.ReadWriteCloser.Close()
}
