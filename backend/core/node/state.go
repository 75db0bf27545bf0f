// Package node holds what is pure about a machine that runs guests: the states of its membership, and the lease that ties
// what the server believes to what the node may do.
//
//	joining ──renewed──▶ alive ──expired──▶ lost ──confirmed dead──▶ dead
//	                       ▲                 │                         │
//	                       └─────renewed─────┴─────────renewed─────────┘
//	joining, alive (empty), lost (empty), dead (empty) ──removed──▶ removed, for ever
//
// It deliberately has no clock: instants are passed in, and only differences of instants of one clock are ever taken, so
// that no two machines need clocks that agree.
package node

import "novacron/backend/core/fault"

// State is where a node stands. It is stored; each change is written with its event by one reconciler.
type State string

// The states.
const (
	Joining State = "joining" // it has a certificate and has not yet held a lease
	Alive   State = "alive"   // its lease is held
	Lost    State = "lost"    // its lease ended unrenewed: its guests may run on, nothing of it may start elsewhere
	Dead    State = "dead"    // an operator said that the machine is off: its guests do not run
	Removed State = "removed" // its certificate is refused; it never comes back under this id
)

// Event is what changes a State.
type Event string

// The events.
const (
	Renewed       Event = "renewed"        // a renewal was recorded
	Expired       Event = "expired"        // the lease ended; see Watch
	ConfirmedDead Event = "confirmed_dead" // an operator looked, and the machine is off
	Remove        Event = "removed"        // an operator takes the node out
)

// Next gives the state after the event; vms is how many VMs are placed on the node. An event that changes nothing gives the
// same state. What an operator may not do is fault.Conflict with the way out; what cannot happen to a removed node is
// fault.Forbidden.
func Next(s State, e Event, vms int) (State, error) {
	if s == Removed {
		if e == Remove || e == Expired {
			return Removed, nil
		}
		return Removed, fault.New(fault.Forbidden, "node_removed", "this node was removed; join the machine again with a new token")
	}
	switch e {
	case Renewed:
		return Alive, nil
	case Expired:
		if s == Alive {
			return Lost, nil
		}
		return s, nil // joining: it held no lease; lost and dead: known already
	case ConfirmedDead:
		return confirmDead(s)
	case Remove:
		if vms > 0 {
			return s, fault.New(fault.Conflict, "node_in_use", "VMs are placed on this node (%d of them); delete them first", vms)
		}
		return Removed, nil
	}
	return s, fault.New(fault.Internal, "node_event", "a node knows no event %q", e)
}

func confirmDead(s State) (State, error) {
	switch s {
	case Lost, Dead:
		return Dead, nil
	case Alive:
		return s, fault.New(fault.Conflict, "node_alive", "this node answers, so its guests run; stop its agent and wait until it is lost, or delete its VMs")
	}
	return s, fault.New(fault.Conflict, "node_joining", "this node has never run a VM; remove it instead")
}

// Answers reports whether commands can reach a node in this state, and its reports are to be believed now.
func (s State) Answers() bool { return s == Alive }
