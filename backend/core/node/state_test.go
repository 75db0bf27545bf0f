package node_test

import (
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/node"
)

func TestNext_everyStateWithEveryEvent(t *testing.T) {
	const conflict, forbidden = fault.Conflict, fault.Forbidden
	for _, c := range []struct {
		from node.State
		on   node.Event
		vms  int
		want node.State
		kind fault.Kind
	}{
		{node.Joining, node.Renewed, 0, node.Alive, ""},
		{node.Joining, node.Expired, 0, node.Joining, ""},
		{node.Joining, node.ConfirmedDead, 0, node.Joining, conflict},
		{node.Joining, node.Remove, 0, node.Removed, ""},
		{node.Alive, node.Renewed, 3, node.Alive, ""},
		{node.Alive, node.Expired, 3, node.Lost, ""},
		{node.Alive, node.ConfirmedDead, 3, node.Alive, conflict},
		{node.Alive, node.Remove, 0, node.Removed, ""},
		{node.Alive, node.Remove, 3, node.Alive, conflict},
		{node.Lost, node.Renewed, 3, node.Alive, ""},
		{node.Lost, node.Expired, 3, node.Lost, ""},
		{node.Lost, node.ConfirmedDead, 3, node.Dead, ""},
		{node.Lost, node.Remove, 0, node.Removed, ""},
		{node.Lost, node.Remove, 1, node.Lost, conflict},
		{node.Dead, node.Renewed, 3, node.Alive, ""},
		{node.Dead, node.Expired, 3, node.Dead, ""},
		{node.Dead, node.ConfirmedDead, 3, node.Dead, ""},
		{node.Dead, node.Remove, 0, node.Removed, ""},
		{node.Dead, node.Remove, 1, node.Dead, conflict},
		{node.Removed, node.Renewed, 0, node.Removed, forbidden},
		{node.Removed, node.Expired, 0, node.Removed, ""},
		{node.Removed, node.ConfirmedDead, 0, node.Removed, forbidden},
		{node.Removed, node.Remove, 0, node.Removed, ""},
		{node.Alive, "struck by lightning", 0, node.Alive, fault.Internal},
	} {
		got, err := node.Next(c.from, c.on, c.vms)
		if got != c.want || fault.KindOf(err) != c.kind {
			t.Errorf("%s, %s, %d VMs: %s and %v, want %s and kind %q", c.from, c.on, c.vms, got, err, c.want, c.kind)
		}
	}
}

func TestAnswers_onlyWhenAlive(t *testing.T) {
	for _, s := range []node.State{node.Joining, node.Alive, node.Lost, node.Dead, node.Removed, ""} {
		if s.Answers() != (s == node.Alive) {
			t.Errorf("%q answers: %v", s, s.Answers())
		}
	}
}
