package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// createFlags are the words of vm create.
type createFlags struct {
	r                       wire.CreateVM
	memory                  size
	networks, keys, forward []string
	disks, tags             []string
	userData                string
	noStart, noKey          bool
	display                 bool
	autostart               bool
	firmware, arch          string
	w                       wait
}

func vmCreateCommand(s *session) *cobra.Command {
	f := &createFlags{memory: 512}
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a VM and start it",
		Long: "Create a VM from an image and start it. A cloud image gets a host name, a network and your SSH key through cloud-init.\n" +
			"Without --ssh-key the public keys in ~/.ssh are used, or a key that NovaCron makes for you, so that `novacron vm ssh` works.",
		Example: "  novacron vm create web-1 --image tiny --memory 256\n" +
			"  novacron vm create db-1 --image debian-12 --cpus 2 --memory 2GiB --disk 20 --user-data cloud.yaml\n" +
			"  novacron vm create installer --disk 20 --cdrom my-iso --memory 2GiB",
		Args: exactArgs("name"),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, s, args[0]) },
	}
	f.register(c.Flags())
	f.w.register(c)
	s.completeFlag(c, imageNames, "image", "cdrom")
	s.completeFlag(c, networkNames, "network")
	s.completeFlag(c, nodeNames, "node")
	return c
}

func (f *createFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.r.Image, "image", "", "image to start from, by name, id or digest; none: a blank disk")
	flags.IntVar(&f.r.CPUs, "cpus", 1, "vCPUs")
	flags.Var(&f.memory, "memory", "memory in MiB, or with a unit: 512, 2GiB")
	flags.IntVar(&f.r.DiskGiB, "disk", 0, "size of the boot disk in GiB; 0: as large as the image")
	flags.StringArrayVar(&f.disks, "add-disk", nil, "a further disk of this size in GiB; may be repeated")
	flags.StringArrayVar(&f.networks, "network", nil, "network to attach to; may be repeated (default: default)")
	flags.StringArrayVar(&f.keys, "ssh-key", nil, "file with a public key, or the key itself; may be repeated")
	flags.BoolVar(&f.noKey, "no-ssh-key", false, "give the guest no key")
	flags.StringVar(&f.userData, "user-data", "", "file with cloud-init user-data; - for standard input")
	flags.StringVar(&f.r.Node, "node", "", "node to use; else one with room is chosen")
	flags.StringVar(&f.arch, "arch", "", "x86_64 or aarch64; else the image's")
	flags.StringVar(&f.firmware, "firmware", "", "bios, uefi or direct; else the image's")
	flags.BoolVar(&f.r.SecureBoot, "secure-boot", false, "UEFI with enrolled keys")
	flags.BoolVar(&f.r.TPM, "tpm", false, "a virtual TPM 2.0")
	flags.BoolVar(&f.display, "display", true, "a screen, shown over VNC (a direct start has none unless asked for)")
	flags.StringVar(&f.r.CDROM, "cdrom", "", "ISO image to boot from first")
	flags.StringArrayVar(&f.forward, "forward", nil, "[tcp|udp:][ADDRESS:]HOSTPORT:GUESTPORT; may be repeated")
	flags.BoolVar(&f.autostart, "autostart", false, "start with its node")
	flags.BoolVar(&f.r.Protected, "protected", false, "refuse to delete it")
	flags.StringVar(&f.r.Description, "description", "", "what it is for")
	flags.StringSliceVar(&f.tags, "tag", nil, "word to find it by; may be repeated")
	flags.BoolVar(&f.noStart, "no-start", false, "only create it")
}

func (f *createFlags) run(c *cobra.Command, s *session, name string) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	r, err := f.request(c.Flags(), s, name)
	if err != nil {
		return err
	}
	a, err := cl.CreateVM(c.Context(), r, 0)
	if err != nil {
		return err
	}
	return s.after(c.Context(), cl, f.w, a)
}

func (f *createFlags) request(flags *pflag.FlagSet, s *session, name string) (wire.CreateVM, error) {
	r := f.r
	r.Name, r.MemoryMiB, r.Tags = name, int(f.memory), f.tags
	r.Arch, r.Firmware = vm.Arch(f.arch), vm.Firmware(f.firmware)
	if len(f.networks) > 0 {
		r.Networks = &f.networks
	}
	if flags.Changed("display") {
		r.Display = &f.display
	}
	if f.noStart {
		r.Start = new(bool)
	}
	if f.autostart {
		r.Autostart = &wire.Autostart{Enabled: true}
	}
	for _, d := range f.disks {
		gib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSuffix(d, "GiB"), "G"))
		if err != nil {
			return r, usageError{fmt.Errorf("--add-disk %q: write the size in GiB, for example 20", d)}
		}
		r.Disks = append(r.Disks, wire.NewDisk{SizeGiB: gib})
	}
	for _, text := range f.forward {
		fw, err := parseForward(text)
		if err != nil {
			return r, err
		}
		r.Forwards = append(r.Forwards, fw)
	}
	var err error
	if r.UserData, err = s.readText(f.userData, vm.MaxUserData); err != nil {
		return r, err
	}
	if !f.noKey {
		r.SSHKeys, err = publicKeys(f.keys)
	}
	return r, err
}

// readText reads a bounded file, - standard input, or nothing.
func (s *session) readText(name string, most int64) (string, error) {
	if name == "" {
		return "", nil
	}
	in := s.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("%s is larger than %s", name, byteCount(most))
	}
	return string(raw), err
}

// parseForward reads [tcp|udp:][ADDRESS:]HOSTPORT:GUESTPORT.
func parseForward(text string) (wire.Forward, error) {
	f := wire.Forward{Protocol: "tcp"}
	rest := text
	if p, after, ok := strings.Cut(rest, ":"); ok && (p == "tcp" || p == "udp") {
		f.Protocol, rest = p, after
	}
	parts := strings.Split(rest, ":")
	wrong := usageError{fmt.Errorf("--forward %q: write it as HOSTPORT:GUESTPORT, for example 8080:80", text)}
	if len(parts) < 2 {
		return f, wrong
	}
	var err1, err2 error
	f.GuestPort, err1 = strconv.Atoi(parts[len(parts)-1])
	f.HostPort, err2 = strconv.Atoi(parts[len(parts)-2])
	if errors.Join(err1, err2) != nil {
		return f, wrong
	}
	f.Listen = strings.Trim(strings.Join(parts[:len(parts)-2], ":"), "[]")
	return f, nil
}

// size is a number of MiB that may be written with a unit.
type size int

func (z *size) String() string { return strconv.Itoa(int(*z)) }

// Type names the value in help.
func (z *size) Type() string { return "size" }

// Set reads 512, 512M, 512MiB, 2G, 2GiB.
func (z *size) Set(text string) error {
	factor := 1
	number := strings.TrimSuffix(strings.TrimSuffix(text, "B"), "i")
	switch {
	case strings.HasSuffix(number, "T"):
		number, factor = number[:len(number)-1], 1<<20
	case strings.HasSuffix(number, "G"):
		number, factor = number[:len(number)-1], 1<<10
	case strings.HasSuffix(number, "M"):
		number = number[:len(number)-1]
	}
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n <= 0 || n > vm.MaxMemoryMiB {
		return fmt.Errorf("%q is no size; write 512, 512MiB or 2GiB", text)
	}
	*z = size(n * factor)
	return nil
}
