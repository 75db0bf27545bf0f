package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
	"novacron/backend/hypervisor"
	"novacron/backend/network/bridge"
)

func checkHypervisor(ctx context.Context, driver hypervisor.Driver) []Check {
	host, err := driver.Probe(ctx)
	if err != nil {
		return []Check{{Name: "QEMU", Verdict: Bad, Found: fault.Sentence(err), Remedy: "install it: scripts/setup.sh --for up"}}
	}
	checks := []Check{{Name: "QEMU", Verdict: Good, Found: host.Version}}
	kvm := Check{Name: "KVM", Verdict: Good, Found: "a vCPU ran"}
	if host.Accel != "kvm" {
		kvm.Verdict, kvm.Found = Warn, host.AccelReason+"; guests are emulated in software and run many times slower"
		f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
		if err == nil {
			f.Close()
		}
		kvm.Remedy = kvmRemedy(err)
	}
	checks = append(checks, kvm)
	for _, m := range host.Missing { // "what is missing, so what cannot be; what to do."
		found, remedy, _ := strings.Cut(strings.TrimSuffix(m, "."), "; ")
		checks = append(checks, Check{Name: "optional", Verdict: Warn, Found: found, Remedy: remedy})
	}
	return checks
}

// kvmRemedy says what helps where no vCPU ran, by what an open of /dev/kvm gave.
func kvmRemedy(opened error) string {
	switch {
	case errors.Is(opened, fs.ErrPermission):
		return "add this user to the group kvm and sign in again"
	case opened != nil:
		return "turn virtualisation on in the firmware (or nested virtualisation in the host above) and load kvm_intel or kvm_amd"
	}
	return "the device is there and does not do: in a VM, let the host above pass its own processor on (host-passthrough, nested virtualisation); else use a machine with a newer processor"
}

// checkNetwork looks at what the bridge of a node needs.
func checkNetwork(ctx context.Context, instance string) []Check {
	c := Check{Name: "network", Verdict: Good, Found: "bridge, tap devices and nftables can be used"}
	if os.Geteuid() != 0 {
		c.Found, c.Remedy = "user-mode: guests reach the outside and not each other", "run NovaCron as root for a bridge with DHCP and DNS"
		return []Check{c}
	}
	if err := bridge.Usable(ctx, instance); err != nil {
		c.Verdict = Warn
		c.Found, c.Remedy, _ = strings.Cut(fault.Sentence(err), "; ")
		return []Check{c}
	}
	if standing, err := bridge.Obstacles(ctx); err == nil && len(standing) > 0 {
		c.Verdict, c.Found = Warn, "the firewall of this machine drops by default ("+strings.Join(standing[:min(len(standing), 4)], ", ")+")"
		c.Remedy = "let it accept packets from and to the bridges nc*"
	}
	return []Check{c, checkForwarding("/proc/sys/net/ipv4/ip_forward")}
}

func checkForwarding(path string) Check {
	c := Check{Name: "IP forwarding", Verdict: Good, Found: "on"}
	raw, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(raw)) == "1" {
		return c
	}
	c.Found = "off; NovaCron turns it on with the first network and leaves it on"
	if err != nil || unix.Access(path, unix.W_OK) != nil {
		c.Verdict, c.Found, c.Remedy = Warn, "off and closed to NovaCron, so guests do not reach the outside", "set net.ipv4.ip_forward=1 on this machine (in a container: on its host)"
	}
	return c
}

func checkTiny() Check {
	if bundle := tinyBundle(); bundle != "" {
		return Check{Name: "tiny image", Verdict: Good, Found: bundle}
	}
	return Check{Name: "tiny image", Verdict: Warn, Found: "not built, so there is no first VM", Remedy: "run make build, or set NOVACRON_TINY_IMAGE to one that is built"}
}

// checkClock asks the kernel whether something keeps its clock right.
func checkClock() Check {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return Check{Name: "clock", Verdict: Warn, Found: "the kernel does not say whether it is synchronised: " + err.Error(), Remedy: "compare it with another clock: certificates and sign-ins need it right to the minute"}
	}
	return clockCheck(t.Status&unix.STA_UNSYNC == 0)
}

func clockCheck(synchronised bool) Check {
	if synchronised {
		return Check{Name: "clock", Verdict: Good, Found: "synchronised"}
	}
	return Check{Name: "clock", Verdict: Warn, Found: "not synchronised; certificates of nodes and sign-in codes need it right to the minute",
		Remedy: "install chrony, or type timedatectl set-ntp true"}
}
