package app

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/store"
)

// ClaimNode says whether the agent at the place (agent.Place), which dials from the address, may speak for the node. The first one that asks
// is the node. Another with the same identity has a copy of its folder, and is refused for as long as the first may run guests: until an
// operator has confirmed that machine dead. place empty: the agent is too old to say, and is believed.
func (a *App) ClaimNode(ctx context.Context, n id.Node, place, address string) error {
	row, err := a.db.Node(ctx, n)
	if err != nil || place == "" || row.Place == place {
		return err
	}
	err = a.db.Tx(ctx, func(t *store.Tx) (err error) {
		if row, err = t.Node(ctx, n); err != nil || row.Place == place {
			return err
		}
		if row.Place != "" && row.State != node.Dead {
			return elsewhere(row)
		}
		if err := t.SetNodePlace(ctx, n, place); err != nil || row.Place == "" {
			return err
		}
		return t.Emit("node.moved", "", "node/"+string(n), map[string]any{"name": row.Name, "address": address})
	})
	if f := asFault(err); f != nil && f.Code == codeElsewhere && a.copies.due(n, a.now()) {
		a.log.Warn("a copy of a node's agent is refused", "node", n, "address", address)
		if err := a.tellCopy(ctx, row, address); err != nil {
			return err
		}
	}
	return err
}

const codeElsewhere = "node_elsewhere"

func elsewhere(row store.Node) error {
	return fault.New(fault.Conflict, codeElsewhere, "node %s is another machine (%s) or another folder: this agent's data folder is a copy. Move the copy away and join this machine with a token of its own "+
		"(`novacron node token`); if the folder was moved or restored here for good and nothing else uses it, `novacron node confirm-dead %s` lets this one take its place", row.Name, cmp.Or(factsOf(row).Hostname, "unknown"), row.Name)
}

// tellCopy shows operators at the node that somebody else says to be it.
func (a *App) tellCopy(ctx context.Context, row store.Node, address string) error {
	reason := fmt.Sprintf("at %s an agent at %s was refused that has a copy of this node's identity; its log says what to do", a.now().UTC().Format(time.RFC3339), address)
	return a.db.Tx(ctx, func(t *store.Tx) error {
		if _, err := t.SetNodeState(ctx, row.ID, row.State, row.State, reason); err != nil {
			return err
		}
		return t.Emit("node.copied", "", "node/"+string(row.ID), map[string]any{"name": row.Name, "address": address, "message": reason})
	})
}

// copies remembers when operators were last told of a node's copy, which asks again every few seconds.
type copies struct {
	mu   sync.Mutex
	told map[id.Node]time.Time // of nodes that are in the store
}

// tellCopyEvery is the pause between two words about the copy of one node.
const tellCopyEvery = 10 * time.Minute

func (c *copies) due(n id.Node, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.told[n]; ok && now.Sub(last) < tellCopyEvery {
		return false
	}
	if c.told == nil {
		c.told = map[id.Node]time.Time{}
	}
	c.told[n] = now
	return true
}
