package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"novacron/backend/client"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

func vmSetCommand(s *session) *cobra.Command {
	var w wait
	var name, description string
	var cpus, order, delay int
	var memory size
	var protect, autostart bool
	var forwards []string
	c := &cobra.Command{
		Use:   "set VM",
		Short: "Change a VM: name, size, protection, autostart, forwards",
		Long: "Change what is named and leave the rest. Sizes take effect live where QEMU and the guest allow it; what does not is listed\n" +
			"under \"restart required\".",
		Example: "  novacron vm set web-1 --cpus 2 --memory 1GiB\n  novacron vm set web-1 --name web-2 --protected",
		Args:    exactArgs("VM"), ValidArgsFunction: s.completeVMs,
		RunE: func(c *cobra.Command, args []string) error {
			given := c.Flags().Changed
			changes := 0
			c.Flags().Visit(func(f *pflag.Flag) {
				if f.Name != "wait" && f.Name != "output" {
					changes++
				}
			})
			if changes == 0 {
				return usageError{fmt.Errorf("say what to change; see `%s --help`", c.CommandPath())}
			}
			r := wire.UpdateVM{
				Name: ifGiven(given("name"), name), Description: ifGiven(given("description"), description),
				CPUs: ifGiven(given("cpus"), cpus), MemoryMiB: ifGiven(given("memory"), int(memory)), Protected: ifGiven(given("protected"), protect),
			}
			if given("autostart") || given("autostart-order") || given("autostart-delay") {
				r.Autostart = &wire.Autostart{Enabled: autostart, Order: order, DelayS: delay}
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
			return s.update(c, w, args[0], r)
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&description, "description", "", "what it is for")
	f.IntVar(&cpus, "cpus", 1, "vCPUs")
	f.Var(&memory, "memory", "memory in MiB, or with a unit")
	f.BoolVar(&protect, "protected", false, "refuse to delete it; --protected=false lifts it")
	f.BoolVar(&autostart, "autostart", true, "start with its node; --autostart=false lifts it")
	f.IntVar(&order, "autostart-order", 0, "lower starts first")
	f.IntVar(&delay, "autostart-delay", 0, "seconds to wait after it before the next order")
	f.StringArrayVar(&forwards, "forward", nil, "replaces all forwards; may be repeated; an empty one removes them")
	w.register(c)
	return c
}

func ifGiven[T any](given bool, v T) *T {
	if !given {
		return nil
	}
	return &v
}

func (s *session) update(c *cobra.Command, w wait, ref string, r wire.UpdateVM) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	a, err := cl.UpdateVM(c.Context(), ref, r, 0, 0)
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
		Args: exactArgs("VM", "name of the copy"), ValidArgsFunction: s.completeVMs,
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

func vmDiskCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "disk", Short: "Add, grow and remove disks, also of a running VM", Args: cobra.NoArgs}
	diskVerb := func(use, short string, what []string, flags func(*pflag.FlagSet), request func(args []string) (wire.UpdateVM, error)) {
		var w wait
		sub := &cobra.Command{Use: use, Short: short, Args: exactArgs(what...), ValidArgsFunction: s.completeVMs,
			RunE: func(c *cobra.Command, args []string) error {
				r, err := request(args)
				if err != nil {
					return err
				}
				return s.update(c, w, args[0], r)
			}}
		if flags != nil {
			flags(sub.Flags())
		}
		w.register(sub)
		c.AddCommand(sub)
	}
	var disk wire.NewDisk
	diskVerb("add VM GIB", "Add a disk", []string{"VM", "size in GiB"}, func(f *pflag.FlagSet) {
		f.StringVar(&disk.Image, "image", "", "image that it starts from")
		f.BoolVar(&disk.CDROM, "cdrom", false, "a CD-ROM with the ISO image of --image; the size is 0 then")
		f.IntVar(&disk.IOPS, "iops", 0, "limit of operations per second")
		f.IntVar(&disk.MiBPerS, "mib-per-s", 0, "limit of throughput")
	}, func(args []string) (wire.UpdateVM, error) {
		n, err := gib(args[1])
		disk.SizeGiB = n
		return wire.UpdateVM{AddDisks: []wire.NewDisk{disk}}, err
	})
	diskVerb("grow VM DISK GIB", "Make a disk larger", []string{"VM", "disk id", "size in GiB"}, nil, func(args []string) (wire.UpdateVM, error) {
		n, err := gib(args[2])
		return wire.UpdateVM{Disks: []wire.DiskChange{{ID: id.Volume(args[1]), SizeGiB: &n}}}, err
	})
	diskVerb("remove VM DISK", "Remove a disk; its content is lost", []string{"VM", "disk id"}, nil, func(args []string) (wire.UpdateVM, error) {
		return wire.UpdateVM{RemoveDisks: []id.Volume{id.Volume(args[1])}}, nil
	})
	return c
}

func gib(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSuffix(text, "iB"), "G"))
	if err != nil || n < 0 {
		return 0, usageError{fmt.Errorf("%q is no size in GiB; write a number, for example 20", text)}
	}
	return n, nil
}

func vmNICCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "nic", Short: "Add and remove network interfaces, also of a running VM", Args: cobra.NoArgs}
	var wa, wr wait
	add := &cobra.Command{Use: "add VM NETWORK", Short: "Attach to a network", Args: exactArgs("VM", "network"), ValidArgsFunction: s.completeVMs,
		RunE: func(c *cobra.Command, args []string) error {
			return s.update(c, wa, args[0], wire.UpdateVM{AddNICs: []string{args[1]}})
		}}
	wa.register(add)
	remove := &cobra.Command{Use: "remove VM NIC", Short: "Remove an interface", Args: exactArgs("VM", "NIC id"), ValidArgsFunction: s.completeVMs,
		RunE: func(c *cobra.Command, args []string) error {
			return s.update(c, wr, args[0], wire.UpdateVM{RemoveNICs: []id.NIC{id.NIC(args[1])}})
		}}
	wr.register(remove)
	c.AddCommand(add, remove)
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
		Use: "create VM [NAME]", Short: "Take a snapshot", Args: cobra.MatchAll(atLeast("VM"), cobra.MaximumNArgs(2)), ValidArgsFunction: s.completeVMs,
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
		Use: "list VM", Aliases: []string{"ls"}, Short: "List the snapshots of a VM", Args: exactArgs("VM"), ValidArgsFunction: s.completeVMs,
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
		Use: "revert VM SNAPSHOT", Short: "Put a VM back to a snapshot", Args: exactArgs("VM", "snapshot"), ValidArgsFunction: s.completeVMs,
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		if err := s.confirm(sure, fmt.Sprintf("Put %s back to %s? What was written since is lost.", printable(args[0]), printable(args[1]))); err != nil {
			return err
		}
		a, err := cl.RevertSnapshot(c.Context(), args[0], args[1], 0)
		if err != nil {
			return err
		}
		return s.finish(c.Context(), cl, w, a.Operation)
	})
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	w.register(c)
	return c
}

func snapshotDelete(s *session) *cobra.Command {
	var w wait
	c := signedIn(s, &cobra.Command{
		Use: "delete VM SNAPSHOT", Short: "Delete a snapshot; the VM stays as it is", Args: exactArgs("VM", "snapshot"), ValidArgsFunction: s.completeVMs,
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		a, err := cl.DeleteSnapshot(c.Context(), args[0], args[1], 0)
		if err != nil {
			return err
		}
		return s.finish(c.Context(), cl, w, a.Operation)
	})
	w.register(c)
	return c
}
