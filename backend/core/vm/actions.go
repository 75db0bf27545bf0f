package vm

import (
	"fmt"
	"slices"
	"strings"
)

// Verb is something that a user can ask of a VM.
type Verb string

// The verbs. ForceStop is a stop without asking the guest; it may supersede an operation that waits for the guest.
const (
	VerbStart     Verb = "start"
	VerbStop      Verb = "stop"
	VerbForceStop Verb = "force_stop"
	VerbRestart   Verb = "restart"
	VerbPause     Verb = "pause"
	VerbResume    Verb = "resume"
	VerbSuspend   Verb = "suspend"
	VerbMigrate   Verb = "migrate"
	VerbClone     Verb = "clone"
	VerbUpdate    Verb = "update"
	VerbSnapshot  Verb = "snapshot"
	VerbRevert    Verb = "revert"
	VerbConsole   Verb = "console"
	VerbDelete    Verb = "delete"
)

// Verbs lists every verb.
var Verbs = []Verb{
	VerbStart, VerbStop, VerbForceStop, VerbRestart, VerbPause, VerbResume, VerbSuspend, VerbMigrate, VerbClone, VerbUpdate,
	VerbSnapshot, VerbRevert, VerbConsole, VerbDelete,
}

// Decision says whether a verb is possible now, or in one sentence why not and what would help.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Why     string `json:"why,omitempty"`
}

// Condition is everything that decides what can be done with a VM.
type Condition struct {
	Wanted    Power
	Seen      Seen
	Doing     Doing
	NodeAlive bool     // true for a VM that has no node yet
	NodeDead  bool     // an operator confirmed that the node never comes back; NodeAlive is false then
	Protected bool     // refuses delete
	Linked    []string // names of the linked clones that need its disks
	Copying   []string // names of the VMs that are being cloned from it now
}

// Actions gives the decision for every verb. The API refuses with it, the command line prints it, and the console puts it on
// the disabled button, so that none of them has rules of its own.
func Actions(c Condition) map[Verb]Decision {
	out := make(map[Verb]Decision, len(Verbs))
	for _, v := range Verbs {
		out[v] = Decide(v, c)
	}
	return out
}

// Decide gives the decision for one verb.
func Decide(v Verb, c Condition) Decision {
	why := refusal(v, c)
	return Decision{Allowed: why == "", Why: why}
}

func refusal(v Verb, c Condition) string {
	state, reason := Status(c.Wanted, c.Seen, c.Doing, c.NodeAlive)
	if why := blocked(v, c); why != "" {
		return why
	}
	if !c.NodeAlive && c.NodeDead && v == VerbDelete {
		return held(c)
	}
	// An update is a wish that is kept until the node is back; everything else needs the node now.
	if !c.NodeAlive && v != VerbUpdate {
		if c.NodeDead {
			return "its node was confirmed dead and its disks were there; delete the VM"
		}
		return "its node is not connected; wait until it is back, or confirm the node dead"
	}
	if len(c.Copying) > 0 && slices.Contains(movesDisks, v) {
		return fmt.Sprintf("%s is being cloned from it and needs its disks at rest; wait until the clone is done", names(c.Copying))
	}
	switch {
	case v == VerbDelete:
		return held(c)
	case v == VerbMigrate:
		return "this version cannot migrate VMs yet"
	case v == VerbUpdate:
		return ""
	case v == VerbForceStop:
		return forceStop(state)
	case v == VerbStop && (c.Wanted == On || c.Wanted == Paused) && state == StateStarting && c.Seen.State != SeenSuspended:
		return "" // it does not run yet, and the user may think better of it
	case v == VerbClone && state == StateStarting:
		return "it is starting; stop it first, a clone needs disks at rest"
	}
	why := unfit(v, c.Seen.State, state)
	if why != "" && reason != "" && (state == StateError || state == StateUnknown) {
		why += " (" + reason + ")"
	}
	return why
}

// movesDisks are the verbs that write to a VM's disks or change their chain, which a copy in progress forbids.
var movesDisks = []Verb{VerbStart, VerbUpdate, VerbSnapshot, VerbRevert, VerbMigrate}

// supersedable operations wait for a guest, and a forced stop is how a user ends that wait.
var supersedable = []Doing{Starting, Stopping, Restarting, Pausing, Resuming}

// blocked refuses what must not run beside the operation that goes on.
func blocked(v Verb, c Condition) string {
	if c.Wanted == Gone && c.Doing == Idle && v != VerbDelete {
		return "it is being deleted"
	}
	switch {
	case c.Doing == Idle, v == VerbConsole:
		return ""
	case v == VerbForceStop && slices.Contains(supersedable, c.Doing):
		return ""
	case c.Doing == Deleting:
		return "it is being deleted"
	}
	return fmt.Sprintf("it is %s; wait until that has ended or cancel the operation", c.Doing.Phrase())
}

// held refuses to delete what is protected or needed.
func held(c Condition) string {
	switch {
	case c.Protected:
		return "it is protected against deletion; take the protection away first"
	case len(c.Linked) > 0:
		return fmt.Sprintf("its disks are shared with the linked clones %s; delete them first", names(c.Linked))
	case len(c.Copying) > 0:
		return fmt.Sprintf("%s is being cloned from it; wait until the clone is done", names(c.Copying))
	}
	return ""
}

func forceStop(s State) string {
	switch s {
	case StateStopped:
		return "it is stopped already"
	case StateSuspended:
		return "it is suspended and has no process; resume it first"
	}
	return ""
}

// fits says in which states of the process a verb makes sense, and the sentence otherwise, with the present state in %s.
var fits = map[Verb]struct {
	states []RunState
	no     string
}{
	VerbStart:    {[]RunState{SeenStopped, SeenFailed, SeenAbsent, ""}, "it is %s; only a stopped VM can be started"},
	VerbStop:     {[]RunState{SeenStarting, SeenRunning, SeenPaused, SeenStopping, SeenFailed}, "it is %s; only a running VM can be stopped"},
	VerbRestart:  {[]RunState{SeenRunning, SeenPaused, SeenFailed}, "it is %s; only a running VM can be restarted, start it instead"},
	VerbPause:    {[]RunState{SeenRunning}, "it is %s; only a running VM can be paused"},
	VerbResume:   {[]RunState{SeenPaused, SeenSuspended}, "it is %s; only a paused or suspended VM can be resumed"},
	VerbSuspend:  {[]RunState{SeenRunning, SeenPaused}, "it is %s; only a running VM can be suspended to disk"},
	VerbClone:    {[]RunState{SeenStopped}, "it is %s; stop it first, a clone needs disks at rest"},
	VerbSnapshot: {[]RunState{SeenStopped, SeenRunning, SeenPaused}, "it is %s; a snapshot needs a running, paused or stopped VM"},
	VerbRevert:   {[]RunState{SeenStopped, SeenRunning, SeenPaused}, "it is %s; stop it first, then revert it"},
	VerbConsole:  {[]RunState{SeenStarting, SeenRunning, SeenPaused, SeenStopping}, "it is %s; start it to use its console"},
}

func unfit(v Verb, seen RunState, state State) string {
	rule, ok := fits[v]
	if !ok || slices.Contains(rule.states, seen) {
		return ""
	}
	if v == VerbStart && state == StatePaused || v != VerbSuspend && state == StateSuspended {
		return fmt.Sprintf("it is %s; resume it first", word(state))
	}
	return fmt.Sprintf(rule.no, word(state))
}

// word puts a state into a sentence behind "it is".
func word(s State) string {
	switch s {
	case StateCreating:
		return "being created"
	case StateError:
		return "in error"
	case StateUnknown:
		return "in an unknown state"
	case StateMigrating:
		return "being migrated"
	}
	return string(s)
}

// names joins names for a sentence and stops at three: a VM may have hundreds of clones.
func names(list []string) string {
	const shown = 3
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}
