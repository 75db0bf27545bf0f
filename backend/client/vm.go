package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

const vms = "/api/v1/vms"

// Verbs of VMs return at once with the operation that does the work, or hold for up to wait until it ended. An operation that
// failed within wait is an *Error whose Problem holds it. ref is an id or a name.

// CreateVM asks for a VM.
func (c *Client) CreateVM(ctx context.Context, r wire.CreateVM, wait time.Duration) (out wire.VMAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: vms, query: waiting(wait), body: r, out: &out})
	return out, err
}

// VM is one VM.
func (c *Client) VM(ctx context.Context, ref string) (out wire.VM, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path(vms, ref), out: &out})
	return out, err
}

// VMs is a page of the VMs.
func (c *Client) VMs(ctx context.Context, l ListOptions) (out wire.List[wire.VMSummary], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: vms, query: l.values(), out: &out})
	return out, err
}

// UpdateVM changes a VM. version is the one that was read; 0: whatever it is now.
func (c *Client) UpdateVM(ctx context.Context, ref string, r wire.UpdateVM, version int64, wait time.Duration) (out wire.VMAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: path(vms, ref), query: waiting(wait), body: r, version: version, out: &out})
	return out, err
}

// DeleteVM stops a VM and removes it with its disks and snapshots.
func (c *Client) DeleteVM(ctx context.Context, ref string, wait time.Duration) (out wire.OperationAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path(vms, ref), query: waiting(wait), out: &out})
	return out, err
}

func (c *Client) act(ctx context.Context, ref, verb string, body any, wait time.Duration) (out wire.VMAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: path(vms, ref, verb), query: waiting(wait), body: body, out: &out})
	return out, err
}

// StartVM starts a VM.
func (c *Client) StartVM(ctx context.Context, ref string, wait time.Duration) (wire.VMAnswer, error) {
	return c.act(ctx, ref, "start", nil, wait)
}

// StopVM stops a VM.
func (c *Client) StopVM(ctx context.Context, ref string, r wire.StopVM, wait time.Duration) (wire.VMAnswer, error) {
	return c.act(ctx, ref, "stop", r, wait)
}

// RestartVM stops and starts a VM.
func (c *Client) RestartVM(ctx context.Context, ref string, r wire.StopVM, wait time.Duration) (wire.VMAnswer, error) {
	return c.act(ctx, ref, "restart", r, wait)
}

// PauseVM halts the vCPUs.
func (c *Client) PauseVM(ctx context.Context, ref string, wait time.Duration) (wire.VMAnswer, error) {
	return c.act(ctx, ref, "pause", nil, wait)
}

// ResumeVM goes on after a pause or a suspend.
func (c *Client) ResumeVM(ctx context.Context, ref string, wait time.Duration) (wire.VMAnswer, error) {
	return c.act(ctx, ref, "resume", nil, wait)
}

// SuspendVM saves the memory to disk and ends the process.
func (c *Client) SuspendVM(ctx context.Context, ref string, wait time.Duration) (wire.VMAnswer, error) {
	return c.act(ctx, ref, "suspend", nil, wait)
}

// CloneVM copies a VM; the answer is the copy.
func (c *Client) CloneVM(ctx context.Context, ref string, r wire.CloneVM, wait time.Duration) (wire.VMAnswer, error) {
	return c.act(ctx, ref, "clone", r, wait)
}

// Snapshots lists the snapshots of a VM.
func (c *Client) Snapshots(ctx context.Context, ref string) (out wire.List[wire.Snapshot], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path(vms, ref, "snapshots"), out: &out})
	return out, err
}

// Snapshot is one snapshot of a VM, by id or name.
func (c *Client) Snapshot(ctx context.Context, ref, snapshot string) (out wire.Snapshot, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path(vms, ref, "snapshots", snapshot), out: &out})
	return out, err
}

// CreateSnapshot takes a snapshot.
func (c *Client) CreateSnapshot(ctx context.Context, ref string, r wire.CreateSnapshot, wait time.Duration) (out wire.SnapshotAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: path(vms, ref, "snapshots"), query: waiting(wait), body: r, out: &out})
	return out, err
}

// RevertSnapshot puts a VM back to a snapshot.
func (c *Client) RevertSnapshot(ctx context.Context, ref, snapshot string, wait time.Duration) (out wire.SnapshotAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: path(vms, ref, "snapshots", snapshot, "revert"), query: waiting(wait), out: &out})
	return out, err
}

// DeleteSnapshot removes a snapshot.
func (c *Client) DeleteSnapshot(ctx context.Context, ref, snapshot string, wait time.Duration) (out wire.OperationAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path(vms, ref, "snapshots", snapshot), query: waiting(wait), out: &out})
	return out, err
}

// Why gives the sentence why a verb is not possible now, or "" when it is.
func Why(v wire.VM, verb vm.Verb) string {
	d, ok := v.Actions[verb]
	switch {
	case !ok:
		return "the server does not know " + string(verb)
	case d.Allowed:
		return ""
	}
	return d.Why
}

func waiting(wait time.Duration) url.Values {
	if wait <= 0 {
		return nil
	}
	return url.Values{"wait": {strconv.Itoa(max(1, int(min(wait, MaxWait).Seconds()))) + "s"}}
}

func set(v url.Values, key, value string) {
	if value != "" {
		v.Set(key, value)
	}
}

func setInt(v url.Values, key string, value int) {
	if value != 0 {
		v.Set(key, strconv.Itoa(value))
	}
}

func decode(raw []byte, out any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return raw, nil
}
