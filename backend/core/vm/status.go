package vm

import (
	"cmp"
	"fmt"
)

// State is what users read as the status of a VM. It is computed by Status and never stored as a fact.
type State string

// The states, as in the API.
const (
	StateCreating  State = "creating"
	StateStopped   State = "stopped"
	StateStarting  State = "starting"
	StateRunning   State = "running"
	StateStopping  State = "stopping"
	StatePaused    State = "paused"
	StateSuspended State = "suspended"
	StateMigrating State = "migrating"
	StateError     State = "error"
	StateUnknown   State = "unknown"
)

// States lists every state that Status can return.
var States = []State{
	StateCreating, StateStopped, StateStarting, StateRunning, StateStopping, StatePaused, StateSuspended, StateMigrating,
	StateError, StateUnknown,
}

// Powers lists every wanted run state.
var Powers = []Power{Off, On, Paused, Suspended, Gone}

// RunStates lists every run state of a report. The empty one stands for "no report yet".
var RunStates = []RunState{
	"", SeenAbsent, SeenStopped, SeenStarting, SeenRunning, SeenPaused, SeenStopping, SeenSuspending, SeenSuspended,
	SeenMigrating, SeenFailed,
}

// Doing is the operation that acts on a VM at present. The zero value is none.
type Doing string

// What can be done to a VM. Each is the kind of an operation without its "vm." or "snapshot." prefix.
const (
	Idle         Doing = ""
	Creating     Doing = "create"
	Cloning      Doing = "clone" // the VM is made as a copy of another one
	Starting     Doing = "start"
	Stopping     Doing = "stop"
	Restarting   Doing = "restart"
	Pausing      Doing = "pause"
	Resuming     Doing = "resume"
	Suspending   Doing = "suspend"
	Updating     Doing = "update"
	Migrating    Doing = "migrate"
	Snapshotting Doing = "snapshot-create"
	Reverting    Doing = "snapshot-revert"
	Pruning      Doing = "snapshot-delete"
	Deleting     Doing = "delete"
)

// Doings lists everything that can be done to a VM, Idle too.
var Doings = []Doing{
	Idle, Creating, Cloning, Starting, Stopping, Restarting, Pausing, Resuming, Suspending, Updating, Migrating,
	Snapshotting, Reverting, Pruning, Deleting,
}

// Phrase says what goes on, to stand behind "it is ": "being started". Idle has none.
func (d Doing) Phrase() string { return phrases[d] }

var phrases = map[Doing]string{
	Creating: "being created", Cloning: "being cloned from another VM", Starting: "being started", Stopping: "being stopped",
	Restarting: "being restarted", Pausing: "being paused", Resuming: "being resumed", Suspending: "being suspended to disk",
	Updating: "being changed", Migrating: "being migrated", Snapshotting: "being snapshotted",
	Reverting: "being reverted to a snapshot", Pruning: "losing a snapshot", Deleting: "being deleted",
}

// Status is the one place that decides what users read as the status of a VM, with a sentence when the word alone does not
// explain itself. nodeAlive is the stored state of the VM's node; pass true for a VM that has no node yet.
//
// The order of the questions matters. Somebody who waits for a new or a dying VM asks about that and not about its process.
// Next, nothing that a silent node once said is told as the present. Then an operation explains what the node sees, and
// last the node's word is held against what is wanted.
func Status(wanted Power, seen Seen, doing Doing, nodeAlive bool) (State, string) {
	switch {
	case doing == Creating || doing == Cloning:
		return StateCreating, ""
	case !nodeAlive:
		return StateUnknown, lost(seen)
	case doing == Deleting || wanted == Gone:
		return StateStopping, "it is being deleted"
	case doing == Migrating || seen.State == SeenMigrating:
		return StateMigrating, seen.Reason
	case doing != Idle:
		if s, ok := under(doing, seen.State); ok {
			return s, seen.Reason
		}
	}
	return settled(wanted, seen)
}

func lost(seen Seen) string {
	if seen.State == "" {
		return "its node is not connected and has never reported it"
	}
	return fmt.Sprintf("its node is not connected; it was %s when last seen and goes on there if the node lives", seen.State)
}

// under says what a state means while an operation changes the power; false: the operation does not explain it.
func under(doing Doing, seen RunState) (State, bool) {
	up := seen == SeenRunning || seen == SeenPaused || seen == SeenStopping
	switch doing {
	case Starting, Resuming:
		if seen == SeenStopped || seen == SeenSuspended || seen == SeenStarting || seen == "" || seen == SeenFailed {
			return StateStarting, true
		}
		if seen == SeenRunning {
			return StateRunning, true
		}
		if seen == SeenPaused {
			return StatePaused, true
		}
	case Restarting:
		if up {
			return StateStopping, true
		}
		return StateStarting, seen != SeenAbsent
	case Stopping:
		if up || seen == SeenStarting || seen == SeenSuspending || seen == SeenFailed {
			return StateStopping, true
		}
	case Suspending:
		if up || seen == SeenSuspending {
			return StateStopping, true
		}
	case Pausing:
		if seen == SeenRunning {
			return StateRunning, true
		}
	}
	return "", false
}

// settled holds the node's word against what is wanted, when no operation is the reason for a difference.
func settled(wanted Power, seen Seen) (State, string) {
	up := wanted == On || wanted == Paused
	switch seen.State {
	case SeenStopped:
		if up {
			return StateStarting, cmp.Or(seen.Reason, "its node has yet to start it")
		}
		return StateStopped, seen.Reason
	case SeenStarting:
		return StateStarting, seen.Reason
	case SeenRunning:
		if !up {
			return StateStopping, cmp.Or(seen.Reason, "its node has yet to stop it")
		}
		return StateRunning, seen.Reason
	case SeenPaused:
		if wanted == On {
			return StatePaused, cmp.Or(seen.Reason, "its node paused it")
		}
		if !up {
			return StateStopping, cmp.Or(seen.Reason, "its node has yet to stop it")
		}
		return StatePaused, seen.Reason
	case SeenStopping:
		return StateStopping, seen.Reason
	case SeenSuspending:
		return StateStopping, cmp.Or(seen.Reason, "its state is being saved to disk")
	case SeenSuspended:
		if up {
			return StateStarting, cmp.Or(seen.Reason, "its node has yet to resume it")
		}
		return StateSuspended, seen.Reason
	case SeenFailed:
		return StateError, cmp.Or(seen.Reason, "it should run and does not; start it again or look at its console log")
	case SeenAbsent:
		return StateError, cmp.Or(seen.Reason, "its node has nothing of it; its disks may be lost")
	}
	return StateUnknown, "its node has not reported it yet"
}
