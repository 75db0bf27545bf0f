package agent

import (
	"context"
	"time"

	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

const reasonGuestOff = "the guest powered off"

// events takes one event and all that wait behind it. Events are hints of which a flood may have lost some, so where the
// process still runs it is asked once how it is.
func (x *actor) events(first hypervisor.Event, ok bool) {
	off := false
	for e, more := first, true; more; {
		if !ok || e.Type == hypervisor.Exited {
			x.exited(e.Reason, off)
			return
		}
		off = x.note(e) || off
		select {
		case e, ok = <-x.inst.Events():
		default:
			more = false
		}
	}
	x.look(off)
}

// note takes what an event says. It reports whether the guest has powered off.
func (x *actor) note(e hypervisor.Event) (off bool) {
	switch e.Type {
	case hypervisor.PoweredOff:
		return true
	case hypervisor.IOError:
		x.e.Held, x.e.Reason = true, bounded(e.Reason)
		x.set(vm.SeenPaused, x.e.Reason)
		x.save() // on a full disk it is in memory, and a restart of the agent lets the guest try again
	case hypervisor.Panicked:
		x.e.Failed, x.e.Reason = true, "the guest's kernel panicked"
		x.set(vm.SeenFailed, x.e.Reason)
	case hypervisor.Rebooted:
		x.agentUp = false
		if x.e.Failed {
			x.e.Failed, x.e.Reason = false, ""
		}
		x.pollEvery = 0
	case hypervisor.AgentUp:
		x.agentUp, x.pollEvery = true, 0
		x.askGuestIn(0)
	case hypervisor.AgentDown:
		x.agentUp = false
	}
	return false
}

// look asks the process how it is.
func (x *actor) look(off bool) {
	ctx, cancel := x.call(x.a.o.Limits.Call)
	defer cancel()
	now, err := x.inst.Status(ctx)
	switch {
	case off || err == nil && now == vm.SeenStopped:
		x.guestOff()
	case err != nil:
		x.a.log.Warn("ask the process how it is", "vm", x.vm, "err", err)
	case x.e.Failed || x.shutdown && now == vm.SeenRunning:
		// a panic or a stop under way says more than "running"
	case x.e.Held && now == vm.SeenRunning:
		x.e.Held, x.e.Reason = false, ""
		x.set(now, "")
	case x.e.Held:
		x.set(vm.SeenPaused, x.e.Reason)
	default:
		x.set(now, "")
	}
}

// guestOff ends the process of a guest that has powered off.
func (x *actor) guestOff() {
	if err := x.kill(); err != nil {
		x.a.log.Warn("end the process of a guest that powered off", "vm", x.vm, "err", err)
		return
	}
	x.ended(vm.SeenStopped, reasonGuestOff)
}

// exited cleans up behind a process that ended by itself.
func (x *actor) exited(reason string, off bool) {
	x.detach()
	if off || x.shutdown {
		x.ended(vm.SeenStopped, reasonGuestOff)
		return
	}
	if reason == "" {
		reason = "its process ended"
	}
	x.ended(vm.SeenFailed, bounded(reason))
}

// ended writes down an end that nobody asked for here. When a run is wanted that has not begun, because a start came while
// the guest was powering off, it begins now.
func (x *actor) ended(state vm.RunState, reason string) {
	if x.e.Machine.Power == vm.Off {
		state, reason = vm.SeenStopped, ""
	}
	if err := x.settle(x.a.ctx, state, reason); err != nil {
		x.a.log.Warn("clean up behind a process that ended", "vm", x.vm, "err", err)
	}
	if p := x.e.Machine.Power; (p == vm.On || p == vm.Paused) && !x.e.Ran {
		x.again()
	}
}

// again makes the next turn converge on the same machine.
func (x *actor) again() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wanted == nil {
		m := x.e.Machine
		x.wanted = &m
		select {
		case x.poke <- struct{}{}:
		default:
		}
	}
}

// maxReason bounds a sentence of a driver in a report.
const maxReason = 500

func bounded(s string) string { return truncate(s, maxReason) }

// guestAnswer is how long a question to the guest agent may hold up the actor.
const guestAnswer = 2 * time.Second

// askGuest asks the guest agent for names and addresses, at growing intervals: a guest without an agent is not worth asking
// every second, and one with an agent changes rarely.
func (x *actor) askGuest() {
	agent, ok := x.inst.(hypervisor.GuestAgent)
	if !ok {
		return
	}
	if x.agentUp || x.e.Frozen || x.pollEvery < x.a.o.Limits.GuestPollMax { // else its driver will tell when an agent comes
		x.pollEvery = min(max(2*x.pollEvery, x.a.o.Limits.GuestPoll), x.a.o.Limits.GuestPollMax)
		x.askGuestIn(x.pollEvery)
	}
	if x.state != vm.SeenRunning {
		return
	}
	ctx, cancel := context.WithTimeout(x.a.ctx, guestAnswer)
	defer cancel()
	if x.e.Frozen && agent.Thaw(ctx) == nil {
		x.e.Frozen = false
		x.save()
	}
	g, err := agent.Guest(ctx)
	x.agentUp = err == nil
	if err == nil {
		x.guest = boundedGuest(g)
	}
	if ssh, err := x.a.o.Fabric.Reach(ctx, x.vm, 22); err == nil {
		x.ssh = ssh
	}
}

// maxGuestAddresses bounds what a guest can put into a report.
const maxGuestAddresses = 32

func boundedGuest(g hypervisor.Guest) hypervisor.Guest {
	g.Hostname = truncate(g.Hostname, 253) // of a DNS name
	g.Addresses = g.Addresses[:min(len(g.Addresses), maxGuestAddresses)]
	for i, a := range g.Addresses {
		g.Addresses[i] = truncate(a, 64)
	}
	return g
}
