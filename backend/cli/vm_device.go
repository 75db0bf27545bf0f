package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

func vmDiskCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "disk", Short: "List, add, grow, limit and remove disks, also of a running VM", Args: cobra.NoArgs}
	c.AddCommand(diskList(s), diskAdd(s), diskGrow(s), diskLimit(s), diskRemove(s))
	return c
}

// device makes a command that changes a VM by what request makes of its words and of the VM as it is. It is refused when the VM is changed
// in between.
func device(s *session, c *cobra.Command, request func(c *cobra.Command, v wire.VM, args []string) (wire.UpdateVM, error)) *cobra.Command {
	var w wait
	c.RunE = func(c *cobra.Command, args []string) error {
		v, err := s.vm(c, args[0])
		if err != nil {
			return err
		}
		r, err := request(c, v, args)
		if err != nil {
			return err
		}
		return s.update(c, w, args[0], r, v.Version)
	}
	w.register(c)
	return c
}

func diskList(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{
		Use: "list VM", Aliases: []string{"ls"}, Short: "List the disks of a VM", Args: exactArgs("VM"), ValidArgsFunction: s.complete(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		v, err := cl.VM(c.Context(), args[0])
		if err != nil {
			return err
		}
		n := 0
		return list(s, v.Disks, []string{"NO", "ID", "SIZE", "LIMITS", "STARTS FROM"}, func(d vm.Disk) []string {
			n++
			return []string{fmt.Sprint(n), string(d.ID), diskSize(d), dash(diskLimits(d)), dash(shortDigest(d.Image))}
		})
	})
}

func diskSize(d vm.Disk) string {
	if d.CDROM {
		return "CD-ROM"
	}
	return fmt.Sprintf("%d GiB", d.SizeGiB)
}

func diskLimits(d vm.Disk) string {
	var out []string
	if d.IOPS > 0 {
		out = append(out, fmt.Sprintf("%d IOPS", d.IOPS))
	}
	if d.MiBPerS > 0 {
		out = append(out, fmt.Sprintf("%d MiB/s", d.MiBPerS))
	}
	return strings.Join(out, ", ")
}

// shortDigest is enough of a digest to tell images apart; the other forms of output have all of it.
func shortDigest(digest string) string {
	const enough = len("sha256:") + 12
	return digest[:min(len(digest), enough)]
}

func limitFlags(f *pflag.FlagSet, iops, rate *int) {
	f.IntVar(iops, "iops", 0, "limit of operations per second; 0: none")
	f.IntVar(rate, "mib-per-s", 0, "limit of throughput; 0: none")
}

func diskAdd(s *session) *cobra.Command {
	var d wire.NewDisk
	c := device(s, &cobra.Command{
		Use: "add VM GIB", Short: "Add a disk", Args: exactArgs("VM", "size in GiB"), ValidArgsFunction: s.complete(vmNames),
	}, func(_ *cobra.Command, _ wire.VM, args []string) (wire.UpdateVM, error) {
		n, err := gib(args[1])
		d.SizeGiB = n
		return wire.UpdateVM{AddDisks: []wire.NewDisk{d}}, err
	})
	f := c.Flags()
	f.StringVar(&d.Image, "image", "", "image that it starts from")
	f.BoolVar(&d.CDROM, "cdrom", false, "a CD-ROM with the ISO image of --image; the size is 0 then")
	limitFlags(f, &d.IOPS, &d.MiBPerS)
	s.completeFlag(c, imageNames, "image")
	return c
}

func diskGrow(s *session) *cobra.Command {
	return device(s, &cobra.Command{
		Use: "grow VM DISK GIB", Short: "Make a disk larger", Long: "Make a disk larger. DISK is its id, or its number in `vm disk list`: 1 is the boot disk.",
		Example: "  novacron vm disk grow web-1 1 20", Args: exactArgs("VM", "disk", "size in GiB"), ValidArgsFunction: s.complete(vmNames, diskIDs),
	}, func(_ *cobra.Command, v wire.VM, args []string) (wire.UpdateVM, error) {
		d, err := diskOf(v, args[1])
		if err != nil {
			return wire.UpdateVM{}, err
		}
		n, err := gib(args[2])
		return wire.UpdateVM{Disks: []wire.DiskChange{{ID: d, SizeGiB: &n}}}, err
	})
}

func diskLimit(s *session) *cobra.Command {
	var iops, rate int
	c := device(s, &cobra.Command{
		Use: "limit VM DISK", Short: "Change what a disk may do per second", Example: "  novacron vm disk limit web-1 1 --iops 500 --mib-per-s 0",
		Args: exactArgs("VM", "disk"), ValidArgsFunction: s.complete(vmNames, diskIDs),
	}, func(c *cobra.Command, v wire.VM, args []string) (wire.UpdateVM, error) {
		d, err := diskOf(v, args[1])
		if err != nil {
			return wire.UpdateVM{}, err
		}
		change := wire.DiskChange{ID: d, IOPS: ifGiven(c.Flags().Changed("iops"), iops), MiBPerS: ifGiven(c.Flags().Changed("mib-per-s"), rate)}
		if change.IOPS == nil && change.MiBPerS == nil {
			return wire.UpdateVM{}, usageError{fmt.Errorf("say which limit; see `%s --help`", c.CommandPath())}
		}
		return wire.UpdateVM{Disks: []wire.DiskChange{change}}, nil
	})
	limitFlags(c.Flags(), &iops, &rate)
	return c
}

func diskRemove(s *session) *cobra.Command {
	return device(s, &cobra.Command{
		Use: "remove VM DISK", Short: "Remove a disk; its content is lost", Args: exactArgs("VM", "disk"), ValidArgsFunction: s.complete(vmNames, diskIDs),
	}, func(_ *cobra.Command, v wire.VM, args []string) (wire.UpdateVM, error) {
		d, err := diskOf(v, args[1])
		return wire.UpdateVM{RemoveDisks: []id.Volume{d}}, err
	})
}

// diskOf finds a disk by its id or its number.
func diskOf(v wire.VM, ref string) (id.Volume, error) {
	n, err := strconv.Atoi(ref)
	if err != nil {
		return id.Volume(ref), nil
	}
	if n < 1 || n > len(v.Disks) {
		return "", fault.New(fault.NotFound, "disk_not_found", "%s has no disk %d; `novacron vm disk list %s` shows them", v.Name, n, v.Name)
	}
	return v.Disks[n-1].ID, nil
}

func gib(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSuffix(text, "iB"), "G"))
	if err != nil || n < 0 {
		return 0, usageError{fmt.Errorf("%q is no size in GiB; write a number, for example 20", text)}
	}
	return n, nil
}

func vmNICCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "nic", Short: "List, add and remove network interfaces, also of a running VM", Args: cobra.NoArgs}
	c.AddCommand(nicList(s), nicAdd(s), nicRemove(s))
	return c
}

func nicList(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{
		Use: "list VM", Aliases: []string{"ls"}, Short: "List the network interfaces of a VM", Args: exactArgs("VM"), ValidArgsFunction: s.complete(vmNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		v, err := cl.VM(c.Context(), args[0])
		if err != nil {
			return err
		}
		n := 0
		return list(s, v.NICs, []string{"NO", "ID", "NETWORK", "ADDRESS", "MAC"}, func(i wire.NIC) []string {
			n++
			return []string{fmt.Sprint(n), string(i.ID), i.NetworkName, dash(i.Address), i.MAC}
		})
	})
}

func nicAdd(s *session) *cobra.Command {
	return device(s, &cobra.Command{
		Use: "add VM NETWORK", Short: "Attach to a network", Args: exactArgs("VM", "network"), ValidArgsFunction: s.complete(vmNames, networkNames),
	}, func(_ *cobra.Command, _ wire.VM, args []string) (wire.UpdateVM, error) {
		return wire.UpdateVM{AddNICs: []string{args[1]}}, nil
	})
}

func nicRemove(s *session) *cobra.Command {
	return device(s, &cobra.Command{
		Use: "remove VM NIC", Short: "Remove an interface", Long: "Remove an interface. NIC is its id, or its number in `vm nic list`.",
		Args: exactArgs("VM", "NIC"), ValidArgsFunction: s.complete(vmNames, nicIDs),
	}, func(_ *cobra.Command, v wire.VM, args []string) (wire.UpdateVM, error) {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return wire.UpdateVM{RemoveNICs: []id.NIC{id.NIC(args[1])}}, nil
		}
		if n < 1 || n > len(v.NICs) {
			return wire.UpdateVM{}, fault.New(fault.NotFound, "nic_not_found", "%s has no interface %d; `novacron vm nic list %s` shows them", v.Name, n, v.Name)
		}
		return wire.UpdateVM{RemoveNICs: []id.NIC{v.NICs[n-1].ID}}, nil
	})
}
