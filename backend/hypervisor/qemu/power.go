package qemu

import (
	"context"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// Power sends one command. All but Kill need the monitor.
func (i *instance) Power(ctx context.Context, c hypervisor.Command) error {
	if i.over() {
		return exited(nil)
	}
	if c == hypervisor.Kill {
		return i.process.kill()
	}
	command, ok := map[hypervisor.Command]string{
		hypervisor.Pause: "stop", hypervisor.Continue: "cont", hypervisor.Shutdown: "system_powerdown", hypervisor.Reset: "system_reset",
	}[c]
	if !ok {
		return fault.New(fault.Invalid, "", "%q is no command of a VM", c)
	}
	state, err := i.Status(ctx)
	if err != nil {
		return err
	}
	if state == vm.SeenStopped || state == vm.SeenFailed {
		if c == hypervisor.Shutdown {
			return nil
		}
		return guestOff()
	}
	err = i.run(ctx, command, nil, nil)
	if isRefusal(err) {
		return fault.Wrap(err, fault.Conflict, "command_refused", "the VM cannot do this now; look at its state and try again")
	}
	return err
}

func guestOff() error {
	return fault.New(fault.Conflict, "guest_off", "the guest has powered off; start the VM again")
}
