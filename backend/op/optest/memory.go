package optest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/op"
)

// Memory is a Store in memory, for tests of operations that need no database. It keeps the same contract.
type Memory struct {
	mu      sync.Mutex
	records map[id.Operation]op.Record
	down    error
}

// Insert adds an operation.
func (m *Memory) Insert(r *op.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = map[id.Operation]op.Record{}
	}
	if r.Created.IsZero() {
		r.Created = time.Now()
	}
	m.records[r.ID] = *r
}

// Fail makes every call fail with err until it is nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

// Ended counts the operations that have ended.
func (m *Memory) Ended() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if r.Status.Ended() {
			n++
		}
	}
	return n
}

// Cancel asks for the operation to be undone.
func (m *Memory) Cancel(o id.Operation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[o]
	r.Cancel, r.NotBefore = true, time.Time{}
	m.records[o] = r
}

// Claim is op.Store's.
func (m *Memory) Claim(_ context.Context, holder string, kinds []string, now time.Time, lease time.Duration, most int) (claimed []*op.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var free []op.Record
	for _, r := range m.records {
		if !r.Status.Ended() && !r.NotBefore.After(now) && !r.LeaseEnds.After(now) && slices.Contains(kinds, r.Kind) {
			free = append(free, r)
		}
	}
	if m.down != nil {
		return nil, m.down
	}
	slices.SortFunc(free, func(a, b op.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range free[:min(most, len(free))] {
		if r.Status == op.Queued {
			r.Status = op.Running
		}
		r.Holder, r.LeaseEnds, r.Fence = holder, now.Add(lease), r.Fence+1
		m.records[r.ID] = r
		claimed = append(claimed, &r)
	}
	return claimed, nil
}

// held gives the stored record if the fence is still its.
func (m *Memory) held(o id.Operation, fence int64) (op.Record, error) {
	r, ok := m.records[o]
	if m.down != nil {
		return r, m.down
	}
	if !ok || r.Fence != fence || r.Status.Ended() {
		return r, op.ErrFenced
	}
	return r, nil
}

// Renew is op.Store's.
func (m *Memory) Renew(_ context.Context, o id.Operation, fence int64, ends time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.held(o, fence)
	if err != nil {
		return false, err
	}
	if r.Holder == "" {
		return false, op.ErrFenced
	}
	r.LeaseEnds = ends
	m.records[o] = r
	return r.Cancel, nil
}

// Save is op.Store's.
func (m *Memory) Save(_ context.Context, r *op.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, err := m.held(r.ID, r.Fence)
	if err != nil {
		return err
	}
	stored := *r
	stored.Cancel, stored.LeaseEnds = old.Cancel, old.LeaseEnds
	stored.State = slices.Clone(r.State)
	if r.Status.Ended() || r.Holder == "" {
		stored.Holder, stored.LeaseEnds = "", time.Time{}
	}
	m.records[r.ID] = stored
	return nil
}

// Progress is op.Store's.
func (m *Memory) Progress(_ context.Context, r *op.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, err := m.held(r.ID, r.Fence)
	if err != nil {
		return err
	}
	old.Progress, old.Sentence = r.Progress, r.Sentence
	m.records[r.ID] = old
	return nil
}

// Operation is op.Finder's.
func (m *Memory) Operation(_ context.Context, o id.Operation) (op.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[o]
	if m.down != nil {
		return r, m.down
	}
	if !ok {
		return r, fault.New(fault.NotFound, "operation_not_found", "there is no operation %q", string(o))
	}
	return r, nil
}
