package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"novacron/backend/client"
	"novacron/backend/core/wire"
)

func vmSetCommand(s *session) *cobra.Command {
	var w wait
	var name, description string
	var cpus, order, delay int
	var memory size
	var protect, autostart bool
	var forwards, tags []string
	c := &cobra.Command{
		Use:   "set VM",
		Short: "Change a VM: name, tags, size, protection, autostart, forwards",
		Long: "Change what is named and leave the rest. Sizes take effect live where QEMU and the guest allow it; what does not is listed\n" +
			"under \"restart required\".",
		Example: "  novacron vm set web-1 --cpus 2 --memory 1GiB\n  novacron vm set web-1 --name web-2 --protected",
		Args:    exactArgs("VM"), ValidArgsFunction: s.complete(vmNames),
		RunE: func(c *cobra.Command, args []string) error {
			given := c.Flags().Changed
			changes := 0
			c.Flags().Visit(func(f *pflag.Flag) {
				if f.Name != "wait" && f.Name != "output" && f.Name != "tenant" {
					changes++
				}
			})
			if changes == 0 {
				return usageError{fmt.Errorf("say what to change; see `%s --help`", c.CommandPath())}
			}
			r := wire.UpdateVM{
				Name: ifGiven(given("name"), name), Description: ifGiven(given("description"), description), Tags: ifGiven(given("tag"), withoutEmpty(tags)),
				CPUs: ifGiven(given("cpus"), cpus), MemoryMiB: ifGiven(given("memory"), int(memory)), Protected: ifGiven(given("protected"), protect),
			}
			if given("forward") {
				list := []wire.Forward{}
				for _, text := range forwards {
					if text == "" {
						continue
					}
					f, err := parseForward(text)
					if err != nil {
						return err
					}
					list = append(list, f)
				}
				r.Forwards = &list
			}
			if !given("autostart") && !given("autostart-order") && !given("autostart-delay") {
				return s.update(c, w, args[0], r, 0)
			}
			v, err := s.vm(c, args[0])
			if err != nil {
				return err
			}
			r.Autostart = &wire.Autostart{Enabled: autostart, Order: v.Autostart.Order, DelayS: v.Autostart.DelayS}
			if given("autostart-order") {
				r.Autostart.Order = order
			}
			if given("autostart-delay") {
				r.Autostart.DelayS = delay
			}
			return s.update(c, w, args[0], r, v.Version)
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&description, "description", "", "what it is for")
	f.StringSliceVar(&tags, "tag", nil, "replaces all tags; may be repeated; an empty one removes them")
	f.IntVar(&cpus, "cpus", 0, "vCPUs")
	f.Var(&memory, "memory", "memory in MiB, or with a unit")
	f.BoolVar(&protect, "protected", false, "refuse to delete it; --protected=false lifts it")
	f.BoolVar(&autostart, "autostart", true, "start with its node, as an order or a delay implies; --autostart=false lifts it")
	f.Lookup("autostart").DefValue = "" // left out, nothing changes
	f.IntVar(&order, "autostart-order", 0, "lower starts first")
	f.IntVar(&delay, "autostart-delay", 0, "seconds to wait after it before the next order")
	f.StringArrayVar(&forwards, "forward", nil, "replaces all forwards; may be repeated; an empty one removes them")
	w.register(c)
	return c
}

// withoutEmpty leaves empty words out.
func withoutEmpty(words []string) []string {
	return slices.DeleteFunc(append([]string{}, words...), func(w string) bool { return w == "" })
}

func ifGiven[T any](given bool, v T) *T {
	if !given {
		return nil
	}
	return &v
}

// vm reads a VM whose present state a change depends on.
func (s *session) vm(c *cobra.Command, ref string) (wire.VM, error) {
	cl, err := s.client()
	if err != nil {
		return wire.VM{}, err
	}
	return cl.VM(c.Context(), ref)
}

// update changes a VM. version 0: whatever it is now.
func (s *session) update(c *cobra.Command, w wait, ref string, r wire.UpdateVM, version int64) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	a, err := cl.UpdateVM(c.Context(), ref, r, version, 0)
	if err != nil {
		return err
	}
	return s.after(c.Context(), cl, w, a)
}

func vmCloneCommand(s *session) *cobra.Command {
	var w wait
	var r wire.CloneVM
	c := signedIn(s, &cobra.Command{
		Use: "clone VM NAME", Short: "Copy a stopped VM",
		Long: "Copy a stopped VM. A full clone has disks of its own. A linked clone shares the source's disks: quick and small, but the source\ncannot be deleted before the clone.",
		Args: exactArgs("VM", "name of the copy"), ValidArgsFunction: s.complete(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		r.Name = args[1]
		a, err := cl.CloneVM(c.Context(), args[0], r, 0)
		if err != nil {
			return err
		}
		return s.after(c.Context(), cl, w, a)
	})
	c.Flags().BoolVar(&r.Linked, "linked", false, "share the source's disks")
	c.Flags().BoolVar(&r.Start, "start", false, "start the copy")
	c.Flags().StringVar(&r.Description, "description", "", "what it is for")
	w.register(c)
	return c
}

func vmSnapshotCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "snapshot", Short: "Take, list, revert and delete snapshots", Args: cobra.NoArgs}
	c.AddCommand(snapshotCreate(s), snapshotList(s), snapshotRevert(s), snapshotDelete(s))
	return c
}

func snapshotCreate(s *session) *cobra.Command {
	var w wait
	var r wire.CreateSnapshot
	c := signedIn(s, &cobra.Command{
		Use: "create VM [NAME]", Short: "Take a snapshot", Args: cobra.MatchAll(atLeast("VM"), atMost(2)), ValidArgsFunction: s.complete(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		if len(args) == 2 {
			r.Name = args[1]
		}
		a, err := cl.CreateSnapshot(c.Context(), args[0], r, 0)
		if err != nil {
			return err
		}
		if err := s.finish(c.Context(), cl, w, a.Operation); err != nil {
			return err
		}
		return s.say(a.Snapshot, "Snapshot %s of %s.", a.Name, args[0])
	})
	c.Flags().BoolVar(&r.Memory, "memory", false, "with memory and device state of the running guest")
	c.Flags().BoolVar(&r.Quiesce, "quiesce", false, "freeze the guest's file systems through its agent")
	c.Flags().StringVar(&r.Description, "description", "", "what it is for")
	w.register(c)
	return c
}

func snapshotList(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{
		Use: "list VM", Aliases: []string{"ls"}, Short: "List the snapshots of a VM", Args: exactArgs("VM"), ValidArgsFunction: s.complete(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		all, err := cl.Snapshots(c.Context(), args[0])
		if err != nil {
			return err
		}
		now := time.Now()
		return list(s, all.Items, []string{"NAME", "STATE", "MEMORY", "AGE", "DESCRIPTION"}, func(v wire.Snapshot) []string {
			return []string{v.Name, v.State, dash(yes(v.Memory)), age(v.CreatedAt, now), dash(v.Description)}
		})
	})
}

func snapshotRevert(s *session) *cobra.Command {
	var w wait
	var sure bool
	c := signedIn(s, &cobra.Command{
		Use: "revert VM SNAPSHOT", Short: "Put a VM back to a snapshot", Args: exactArgs("VM", "snapshot"), ValidArgsFunction: s.complete(vmNames, snapshotNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		if err := s.confirm(sure, fmt.Sprintf("Put %s back to %s? What was written since is lost.", printable(args[0]), printable(args[1]))); err != nil {
			return err
		}
		a, err := cl.RevertSnapshot(c.Context(), args[0], args[1], 0)
		if err != nil {
			return err
		}
		return s.shotDone(c.Context(), cl, w, a.Operation, "%s is back at snapshot %s.", args)
	})
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	w.register(c)
	return c
}

func snapshotDelete(s *session) *cobra.Command {
	var w wait
	c := signedIn(s, &cobra.Command{
		Use: "delete VM SNAPSHOT", Short: "Delete a snapshot; the VM stays as it is", Args: exactArgs("VM", "snapshot"), ValidArgsFunction: s.complete(vmNames, snapshotNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		a, err := cl.DeleteSnapshot(c.Context(), args[0], args[1], 0)
		if err != nil {
			return err
		}
		return s.shotDone(c.Context(), cl, w, a.Operation, "%s has no snapshot %s any more.", args)
	})
	w.register(c)
	return c
}

// shotDone follows the operation on a snapshot; said has a %s for the VM and for the snapshot.
func (s *session) shotDone(ctx context.Context, cl *client.Client, w wait, o *wire.Operation, said string, args []string) error {
	if err := s.finish(ctx, cl, w, o); err != nil {
		return err
	}
	if !w.on {
		said = "%s: begun with snapshot %s."
	}
	return s.say(wire.OperationAnswer{Operation: o}, said, args[0], args[1])
}
