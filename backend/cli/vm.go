package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

func vmCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "vm", Short: "Create, run and look at virtual machines", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(
		vmCreateCommand(s), vmListCommand(s), vmShowCommand(s), vmSetCommand(s), vmDeleteCommand(s), vmCloneCommand(s),
		vmConsoleCommand(s), vmSSHCommand(s), vmTunnelCommand(s), vmSnapshotCommand(s), vmDiskCommand(s), vmNICCommand(s),
		stopCommand(s, "stop", "Ask the guest to power off, and end it when it does not in time", (*client.Client).StopVM),
		stopCommand(s, "restart", "Stop and start again", (*client.Client).RestartVM),
		verbCommand(s, "start", "Start a stopped VM", (*client.Client).StartVM),
		verbCommand(s, "pause", "Halt the vCPUs; memory stays", (*client.Client).PauseVM),
		verbCommand(s, "resume", "Go on after a pause or a suspend", (*client.Client).ResumeVM),
		verbCommand(s, "suspend", "Save the memory to disk and end the process", (*client.Client).SuspendVM),
	)
	return c
}

// wait is the flag of every command that begins an operation.
type wait struct{ on bool }

func (w *wait) register(c *cobra.Command) {
	c.Flags().BoolVar(&w.on, "wait", true, "show progress until it is done; --wait=false returns at once")
}

// finish follows an operation to its end when the user waits.
func (s *session) finish(ctx context.Context, cl *client.Client, w wait, o *wire.Operation) error {
	if o == nil || !w.on {
		return nil
	}
	end, err := s.follow(ctx, cl, o.ID)
	if err != nil {
		return err
	}
	return operationError(end)
}

// follow shows the progress of an operation and gives it as it ended.
func (s *session) follow(ctx context.Context, cl *client.Client, op id.Operation) (wire.Operation, error) {
	p := newProgress(s.err)
	end, err := cl.WaitOperation(ctx, op, p.show)
	if err != nil {
		if ctx.Err() != nil {
			return end, fmt.Errorf("stopped waiting; the operation goes on, see `novacron operation show %s`", op)
		}
		return end, err
	}
	p.end(end)
	return end, nil
}

// after prints the VM as it is once the operation has ended.
func (s *session) after(ctx context.Context, cl *client.Client, w wait, a wire.VMAnswer) error {
	if err := s.finish(ctx, cl, w, a.Operation); err != nil {
		return err
	}
	v := a.VM
	if w.on {
		var err error
		if v, err = cl.VM(ctx, string(a.ID)); err != nil {
			return err
		}
	}
	if err := s.say(v, "%s", printable(vmSentence(v))); err != nil || s.format != asTable {
		return err
	}
	for _, r := range v.RestartRequired {
		fmt.Fprintln(s.out, "  restart required:", printable(r))
	}
	return nil
}

// vmSentence is what a person wants to know after a verb.
func vmSentence(v wire.VM) string {
	out := v.Name + " is " + string(v.Status)
	if v.Node != "" {
		out += " on " + v.Node
	}
	if v.Status == "running" && len(v.Addresses) > 0 {
		out += " at " + strings.Join(v.Addresses, ", ")
	}
	if v.StatusReason != "" {
		out += ": " + v.StatusReason
	}
	return strings.TrimSuffix(out, ".") + "."
}

func (s *session) showVM(v wire.VM, image string) error {
	return s.show(v,
		"name", v.Name, "id", string(v.ID), "status", statusPhrase(v.VMSummary), "node", v.Node,
		"address", strings.Join(v.Addresses, ", "), "host name", v.Hostname,
		"size", fmt.Sprintf("%d vCPU, %s memory, %d GiB disk", v.CPUs, mebibytes(v.MemoryMiB), v.DiskGiB),
		"image", image, "firmware", firmwarePhrase(v), "runs on", accelPhrase(v), "tags", strings.Join(v.Tags, ", "), "protected", yes(v.Protected),
		"autostart", autostartPhrase(v.Autostart), "forwards", forwardsPhrase(v), "snapshots", count(v.SnapshotCount),
		"linked clones", strings.Join(v.LinkedClones, ", "), "restart required", strings.Join(v.RestartRequired, "\n"),
		"disks", disksPhrase(v), "networks", nicsPhrase(v),
		"description", v.Description, "created", v.CreatedAt.Local().Format(time.DateTime))
}

func statusPhrase(v wire.VMSummary) string {
	if v.StatusReason == "" {
		return string(v.Status)
	}
	return string(v.Status) + ": " + v.StatusReason
}

func firmwarePhrase(v wire.VM) string {
	out := string(v.Firmware)
	if v.SecureBoot {
		out += ", secure boot"
	}
	if v.TPM {
		out += ", vTPM"
	}
	return out
}

func accelPhrase(v wire.VM) string {
	switch v.Accel {
	case "tcg":
		return "software emulation (tcg)"
	case "":
		return ""
	default:
		return strings.ToUpper(v.Accel)
	}
}

func forwardsPhrase(v wire.VM) string {
	var out []string
	for _, f := range v.Forwards {
		host := f.Listen
		if host == "" {
			host = "127.0.0.1"
		}
		out = append(out, fmt.Sprintf("%s %s:%d to %d", f.Protocol, host, f.HostPort, f.GuestPort))
	}
	return strings.Join(out, "\n")
}

func autostartPhrase(a vm.Autostart) string {
	if !a.Enabled {
		return ""
	}
	out := fmt.Sprintf("yes, order %d", a.Order)
	if a.DelayS > 0 {
		out += fmt.Sprintf(", then %d s until the next order", a.DelayS)
	}
	return out
}

func disksPhrase(v wire.VM) string {
	var out []string
	for _, d := range v.Disks {
		line := string(d.ID) + "  " + diskSize(d)
		if limits := diskLimits(d); limits != "" {
			line += ", at most " + limits
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func nicsPhrase(v wire.VM) string {
	var out []string
	for _, n := range v.NICs {
		out = append(out, fmt.Sprintf("%s  %s  %s  %s", n.ID, n.NetworkName, n.Address, n.MAC))
	}
	return strings.Join(out, "\n")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func vmListCommand(s *session) *cobra.Command {
	var status, node, name, address, sort string
	var tags []string
	c := signedIn(s, &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List VMs", Args: exactArgs(),
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		o := client.ListOptions{Sort: sort, Filter: map[string]string{"status": status, "node": node, "name": name, "tag": strings.Join(tags, ","), "address": address}}
		all, err := allOf(c.Context(), cl, (*client.Client).VMs, o)
		if err != nil {
			return err
		}
		now := time.Now()
		return list(s, all, []string{"NAME", "STATUS", "NODE", "ADDRESS", "VCPU", "MEMORY", "DISK", "AGE"}, func(v wire.VMSummary) []string {
			return []string{v.Name, string(v.Status), dash(v.Node), dash(strings.Join(v.Addresses, ",")), fmt.Sprint(v.CPUs),
				mebibytes(v.MemoryMiB), fmt.Sprintf("%d GiB", v.DiskGiB), age(v.CreatedAt, now)}
		})
	})
	c.Flags().StringVar(&status, "status", "", "only VMs in this status")
	c.Flags().StringVar(&node, "node", "", "only VMs on this node")
	c.Flags().StringVar(&name, "name", "", "only VMs whose name holds this text")
	c.Flags().StringSliceVar(&tags, "tag", nil, "only VMs with this tag; may be repeated: with all of them")
	c.Flags().StringVar(&address, "address", "", "only VMs with this address, or one that begins so")
	c.Flags().StringVar(&sort, "sort", "name", "name, created_at, status or node; - in front for descending")
	s.completeFlag(c, nodeNames, "node")
	return c
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func vmShowCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "show VM", Short: "Show one VM", Args: exactArgs("VM"), ValidArgsFunction: s.complete(vmNames)}
	return signedIn(s, c, func(c *cobra.Command, args []string, cl *client.Client) error {
		v, err := cl.VM(c.Context(), args[0])
		if err != nil {
			return err
		}
		image := v.Image
		if image != "" && s.format == asTable {
			if i, err := cl.Image(c.Context(), image); err == nil { // else it is not listed any more
				image = i.Name + ", " + shortDigest(image)
			}
		}
		return s.showVM(v, image)
	})
}

// each begins something with every VM named on the command line and then follows one after the other, so that what takes time goes on
// with all of them at once. One that fails holds up no other.
func (s *session) each(args []string, begin func(ref string) (follow func() error, err error)) error {
	var failed bool
	tell := func(ref string, err error) {
		if err == nil {
			return
		}
		said := sentence(err)
		if !strings.HasPrefix(said, ref+": ") {
			said = printable(ref) + ": " + said
		}
		fmt.Fprintf(s.err, "novacron: %s\n", said)
		failed = true
	}
	follow := make([]func() error, len(args))
	for i, ref := range args {
		var err error
		follow[i], err = begin(ref)
		tell(ref, err)
	}
	for i, ref := range args {
		if follow[i] != nil {
			tell(ref, follow[i]())
		}
	}
	if failed {
		return errSilent
	}
	return nil
}

// thenShow follows the operation of a verb and shows the VM.
func (s *session) thenShow(ctx context.Context, cl *client.Client, w wait, a wire.VMAnswer, err error) (func() error, error) {
	if err != nil {
		return nil, err
	}
	return func() error { return s.after(ctx, cl, w, a) }, nil
}

type vmVerb func(cl *client.Client, ctx context.Context, ref string, wait time.Duration) (wire.VMAnswer, error)

func verbCommand(s *session, name, short string, verb vmVerb) *cobra.Command {
	var w wait
	c := signedIn(s, &cobra.Command{
		Use: name + " VM...", Short: short, Args: atLeast("VM"), ValidArgsFunction: s.completeAll(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		return s.each(args, func(ref string) (func() error, error) {
			a, err := verb(cl, c.Context(), ref, 0)
			return s.thenShow(c.Context(), cl, w, a, err)
		})
	})
	w.register(c)
	return c
}

type stopVerb func(cl *client.Client, ctx context.Context, ref string, r wire.StopVM, wait time.Duration) (wire.VMAnswer, error)

func stopCommand(s *session, name, short string, verb stopVerb) *cobra.Command {
	var w wait
	var force bool
	var grace int
	c := signedIn(s, &cobra.Command{
		Use: name + " VM...", Short: short, Args: atLeast("VM"), ValidArgsFunction: s.completeAll(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		r := wire.StopVM{Force: force}
		if c.Flags().Changed("grace") {
			r.GraceS = &grace
		}
		return s.each(args, func(ref string) (func() error, error) {
			a, err := verb(cl, c.Context(), ref, r, 0)
			return s.thenShow(c.Context(), cl, w, a, err)
		})
	})
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask the guest; what it has not written is lost")
	c.Flags().IntVar(&grace, "grace", 60, "seconds that the guest has to power off")
	w.register(c)
	return c
}

func vmDeleteCommand(s *session) *cobra.Command {
	var w wait
	var sure bool
	c := signedIn(s, &cobra.Command{
		Use: "delete VM...", Aliases: []string{"rm"}, Short: "Stop a VM and remove it with its disks and snapshots",
		Args: atLeast("VM"), ValidArgsFunction: s.completeAll(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		if err := s.confirm(sure, fmt.Sprintf("Delete %s with all disks and snapshots?", printable(strings.Join(args, ", ")))); err != nil {
			return err
		}
		return s.each(args, func(ref string) (func() error, error) {
			a, err := cl.DeleteVM(c.Context(), ref, 0)
			if err != nil {
				return nil, err
			}
			return func() error {
				if err := s.finish(c.Context(), cl, w, a.Operation); err != nil {
					return err
				}
				if !w.on {
					return s.say(a, "%s is being deleted.", ref)
				}
				return s.say(a, "%s is deleted.", ref)
			}, nil
		})
	})
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	w.register(c)
	return c
}
