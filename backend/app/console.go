package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"novacron/backend/agent"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/session"
	"novacron/backend/store"
)

// IssueConsoleTicket gives a one-use ticket to a console of a VM, good for session.TicketLifetime.
func (a *App) IssueConsoleTicket(ctx context.Context, c auth.Caller, ref string, w wire.ConsoleWish) (Ticket, error) {
	if err := checkConsole(&w); err != nil {
		return Ticket{}, err
	}
	action := auth.UseConsole
	if w.Mode == "watch" {
		action = auth.ReadVM
	}
	var v store.VM
	err := a.db.Read(ctx, func(r *store.Reader) (err error) {
		if v, err = findVM(ctx, r, c, ref, action); err != nil {
			return err
		}
		view, err := r.VMView(ctx, v.ID)
		if err != nil {
			return err
		}
		cond, err := condition(ctx, r, view)
		if err != nil {
			return err
		}
		if d := vm.Decide(vm.VerbConsole, cond); !d.Allowed {
			return fault.New(fault.Conflict, "vm_console_refused", "%s: %s", v.Name, d.Why)
		}
		if w.Kind == "vnc" && !v.Spec.Display {
			return fault.New(fault.Conflict, "no_display", "%s has no display; use the serial console, or give it a display and restart it", v.Name).On("kind")
		}
		return nil
	})
	if err != nil {
		return Ticket{}, err
	}
	content, err := json.Marshal(Console{Caller: c, VM: v.ID, Kind: w.Kind, Port: w.Port, Mode: w.Mode})
	if err != nil {
		return Ticket{}, fmt.Errorf("ticket: %w", err)
	}
	secret, err := a.d.Tickets.IssueTicket(ctx, content)
	return Ticket{Secret: secret, VM: v.ID, Ends: a.now().Add(session.TicketLifetime).UTC()}, err
}

func checkConsole(w *wire.ConsoleWish) error {
	if w.Kind == "" {
		w.Kind = "serial"
	}
	if w.Mode == "" {
		w.Mode = "ask"
	}
	switch {
	case w.Kind != "serial" && w.Kind != "vnc" && w.Kind != "tcp":
		return fault.New(fault.Invalid, "", "a console is serial, vnc or tcp, not %.40q", w.Kind).On("kind")
	case w.Mode != "ask" && w.Mode != "watch" && w.Mode != "take":
		return fault.New(fault.Invalid, "", "the mode is ask, watch or take, not %.40q", w.Mode).On("mode")
	case w.Kind == "tcp" && (w.Port < 1 || w.Port > 65535):
		return fault.New(fault.Invalid, "", "a TCP stream needs a port of the guest, 1 to 65535").On("port")
	case w.Kind != "tcp" && w.Port != 0:
		return fault.New(fault.Invalid, "", "only a TCP stream has a port").On("port")
	case w.Kind == "tcp" && w.Mode == "watch":
		return fault.New(fault.Invalid, "", "a TCP stream cannot be watched").On("mode")
	}
	return nil
}

// RedeemConsoleTicket spends a ticket.
func (a *App) RedeemConsoleTicket(ctx context.Context, ticket string) (Console, error) {
	var g Console
	content, err := a.d.Tickets.RedeemTicket(ctx, ticket)
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal(content, &g); err != nil {
		return Console{}, fmt.Errorf("ticket: %w", err)
	}
	return g, nil
}

// OpenConsole opens the stream of a redeemed ticket on the VM's node. Who opened it is in the events.
func (a *App) OpenConsole(ctx context.Context, g Console) (io.ReadWriteCloser, error) {
	view, err := a.db.VMView(ctx, g.VM)
	if err != nil {
		return nil, err
	}
	api, err := a.connected(ctx, view)
	if err != nil {
		return nil, err
	}
	stream, err := api.Open(ctx, agent.StreamRequest{VM: g.VM, Kind: g.Kind, Port: g.Port})
	if err != nil {
		return nil, err
	}
	err = a.db.Tx(ctx, func(t *store.Tx) error {
		if err := audit(t, g.Caller, "console.open", view.Tenant, subjectOf(g.VM), map[string]any{"kind": g.Kind, "mode": g.Mode, "port": g.Port}); err != nil {
			return err
		}
		return t.Emit("audit.console_opened", view.Tenant, subjectOf(g.VM), map[string]any{"kind": g.Kind, "mode": g.Mode, "port": g.Port, "by": g.Caller.String()})
	})
	if err != nil {
		stream.Close()
		return nil, err
	}
	return stream, nil
}
