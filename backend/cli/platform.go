package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"novacron/backend/client"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

func imageCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "image", Short: "Import and list the images that VMs start from", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(imageImport(s), imageList(s), imageCatalogue(s), imageShow(s), imageDelete(s))
	return c
}

func imageImport(s *session) *cobra.Command {
	var w wait
	var r wire.CreateImage
	var arch, firmware string
	c := signedIn(s, &cobra.Command{
		Use:   "import NAME FILE|URL",
		Short: "Import a disk image or an ISO from a file, a URL or the catalogue",
		Long: "Import an image: a file of this machine is uploaded in parts that go on after a broken line; a URL is fetched by the server; catalogue:ID is\n" +
			"an image that its maker publishes (`novacron image catalogue`). qcow2, raw, ISO, VMDK and VDI are taken; the server finds the format out\n" +
			"by itself and refuses images that refer to other files.",
		Example: "  novacron image import my-iso ./installer.iso\n  novacron image import debian https://example.org/debian.qcow2 --checksum sha256:...",
		Args:    exactArgs("name", "file or URL"),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		r.Name, r.Arch, r.Firmware = args[0], vm.Arch(arch), vm.Firmware(firmware)
		switch source := args[1]; {
		case strings.HasPrefix(source, "catalogue:"):
			r.Catalogue = strings.TrimPrefix(source, "catalogue:")
		case strings.HasPrefix(source, "http://"), strings.HasPrefix(source, "https://"):
			r.URL = source
		default:
			return s.upload(c.Context(), cl, w, r, source)
		}
		a, err := cl.CreateImage(c.Context(), r, 0)
		if err != nil {
			return err
		}
		return s.afterImage(c.Context(), cl, w, a)
	})
	f := c.Flags()
	f.StringVar(&r.Checksum, "checksum", "", "sha256:... or sha512:... of the bytes as they come")
	f.StringVar(&r.OS, "os", "", "what is in it, for people")
	f.StringVar(&arch, "arch", "", "x86_64 or aarch64")
	f.StringVar(&firmware, "firmware", "", "bios, uefi or direct; else as the image says")
	f.BoolVar(&r.Public, "public", false, "for all tenants (administrators)")
	w.register(c)
	return c
}

func (s *session) upload(ctx context.Context, cl *client.Client, w wait, r wire.CreateImage, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() || fi.Size() == 0 {
		return fmt.Errorf("%s is no file with content", name)
	}
	r.Bytes = fi.Size()
	a, err := cl.CreateImage(ctx, r, 0)
	if err != nil {
		return err
	}
	p := newProgress(s.err)
	a, err = cl.UploadImage(ctx, string(a.ID), f, fi.Size(), func(done, total int64) {
		p.show(wire.Operation{Progress: float64(done) / float64(total), Sentence: fmt.Sprintf("Upload %s of %s", byteCount(done), byteCount(total))})
	})
	if p.live {
		fmt.Fprintln(s.err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the upload is not whole; `novacron image delete %s` removes what has arrived", r.Name)
	}
	if err != nil {
		return err
	}
	return s.afterImage(ctx, cl, w, a)
}

func (s *session) afterImage(ctx context.Context, cl *client.Client, w wait, a wire.ImageAnswer) error {
	if err := s.finish(ctx, cl, w, a.Operation); err != nil {
		return err
	}
	i := a.Image
	if w.on {
		var err error
		if i, err = cl.Image(ctx, string(a.ID)); err != nil {
			return err
		}
	}
	return s.showImage(i)
}

func (s *session) showImage(i wire.Image) error {
	return s.show(i, "name", i.Name, "id", string(i.ID), "state", strings.TrimSuffix(i.State+": "+i.StateReason, ": "), "os", i.OS, "arch", string(i.Arch),
		"format", i.Format, "firmware", string(i.Firmware), "size", byteCount(i.Bytes), "disk", byteCount(i.VirtualBytes),
		"least memory", leastMemory(i.MinMemoryMiB), "digest", i.Digest, "checksum", verified(i.Checksum), "source", i.Source)
}

func verified(checksum string) string {
	if checksum == "" {
		return ""
	}
	return checksum + ", verified"
}

func leastMemory(mib int) string {
	if mib == 0 {
		return ""
	}
	return mebibytes(mib)
}

func imageList(s *session) *cobra.Command {
	return listing(s, "List images", (*client.Client).Images, []string{"NAME", "STATE", "ARCH", "FORMAT", "FIRMWARE", "SIZE", "OS"}, func(i wire.Image) []string {
		return []string{i.Name, i.State, dash(string(i.Arch)), dash(i.Format), dash(string(i.Firmware)), byteCount(i.Bytes), dash(i.OS)}
	})
}

func imageCatalogue(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{
		Use: "catalogue", Short: "List the official images that can be imported by name", Args: exactArgs(),
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		all, err := cl.Catalogue(c.Context())
		if err != nil {
			return err
		}
		return list(s, all.Items, []string{"NAME", "ARCH", "OS", "URL"}, func(e wire.CatalogueEntry) []string {
			return []string{e.Name, string(e.Arch), e.OS, e.URL}
		})
	})
}

func imageShow(s *session) *cobra.Command {
	return showing(s, &cobra.Command{Use: "show IMAGE", Short: "Show one image", Args: exactArgs("image"), ValidArgsFunction: s.complete(imageNames)}, (*client.Client).Image, s.showImage)
}

func imageDelete(s *session) *cobra.Command {
	var w wait
	c := signedIn(s, &cobra.Command{
		Use: "delete IMAGE", Aliases: []string{"rm"}, Short: "Delete an image that no VM needs", Args: exactArgs("image"), ValidArgsFunction: s.complete(imageNames),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		a, err := cl.DeleteImage(c.Context(), args[0], 0)
		if err != nil {
			return err
		}
		if err := s.finish(c.Context(), cl, w, a.Operation); err != nil {
			return err
		}
		return s.say(a, "%s is deleted.", args[0])
	})
	w.register(c)
	return c
}

func nodeCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "node", Short: "Look at the machines that run guests, and let more join", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(nodeList(s), nodeShow(s), nodeToken(s), nodeCordon(s, "cordon", "Take no new VMs", true), nodeCordon(s, "uncordon", "Take new VMs again", false), nodeDead(s), nodeRemove(s))
	return c
}

func nodeList(s *session) *cobra.Command {
	return listing(s, "List nodes", (*client.Client).Nodes, []string{"NAME", "STATE", "VMS", "VCPU USED/HAS", "MEMORY USED/HAS", "ACCEL", "NETWORK"}, func(n wire.Node) []string {
		state := n.State
		if n.Cordoned {
			state += ", cordoned"
		}
		return []string{n.Name, state, fmt.Sprint(n.VMs), fmt.Sprintf("%d/%d", n.CPUsUsed, n.CPUs), mebibytes(n.MemoryUsed) + "/" + mebibytes(n.MemoryMiB), dash(n.Accel), dash(n.Network)}
	})
}

func nodeShow(s *session) *cobra.Command {
	return showing(s, &cobra.Command{Use: "show NODE", Short: "Show one node", Args: exactArgs("node"), ValidArgsFunction: s.complete(nodeNames)}, (*client.Client).Node, s.showNode)
}

func (s *session) showNode(n wire.Node) error {
	accel := strings.ToUpper(n.Accel)
	if n.AccelReason != "" {
		accel = n.Accel + " (" + n.AccelReason + ")"
	}
	return s.show(n, "name", n.Name, "id", string(n.ID), "state", strings.TrimSuffix(n.State+": "+n.StateReason, ": "), "cordoned", yes(n.Cordoned),
		"arch", string(n.Arch), "processor", fmt.Sprintf("%d CPUs, %s", n.CPUs, n.CPUModel), "memory", mebibytes(n.MemoryMiB)+", "+mebibytes(n.FreeMiB)+" free",
		"disk", byteCount(n.DiskTotal)+", "+byteCount(n.DiskFree)+" free", "load", fmt.Sprintf("%.2f", n.Load1), "hypervisor", n.Hypervisor, "accelerator", accel,
		"network", strings.TrimSuffix(n.Network+": "+n.NetworkNote, ": "), "VMs", fmt.Sprint(n.VMs), "kernel", n.Kernel, "novacron", n.NovaCron, "missing", strings.Join(n.Missing, "; "))
}

func nodeToken(s *session) *cobra.Command {
	var lifetime time.Duration
	c := signedIn(s, &cobra.Command{
		Use: "token", Short: "Print a command that lets one machine join", Args: exactArgs(),
		Long: "Make a one-use token and print the command to type on the machine that joins. The token names this server's certificate authority, so\nthe machine sends it to nobody else.",
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		t, err := cl.CreateJoinToken(c.Context(), lifetime)
		if err != nil {
			return err
		}
		return s.say(t, "%s\n\nGood once, until %s.", t.Command, t.ExpiresAt.Local().Format(time.DateTime))
	})
	c.Flags().DurationVar(&lifetime, "lifetime", 0, "how long it is good (default: one hour)")
	return c
}

func nodeCordon(s *session, name, short string, cordoned bool) *cobra.Command {
	return showing(s, &cobra.Command{Use: name + " NODE", Short: short, Args: exactArgs("node"), ValidArgsFunction: s.complete(nodeNames)}, func(cl *client.Client, ctx context.Context, ref string) (wire.Node, error) {
		return cl.UpdateNode(ctx, ref, wire.UpdateNode{Cordoned: &cordoned}, 0)
	}, s.showNode)
}

func nodeDead(s *session) *cobra.Command {
	var sure bool
	c := signedIn(s, &cobra.Command{
		Use: "confirm-dead NODE", Short: "Say that a machine is off for good", Args: exactArgs("node"), ValidArgsFunction: s.complete(nodeNames),
		Long: "Say that a machine that cannot be reached is off for good. Its VMs may then be given up. Do this only when you know that the machine does not run: a\nmachine that is only cut off still runs its VMs.",
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		if err := s.confirm(sure, fmt.Sprintf("Is %s switched off for good?", printable(args[0]))); err != nil {
			return err
		}
		n, err := cl.ConfirmNodeDead(c.Context(), args[0])
		if err != nil {
			return err
		}
		return s.showNode(n)
	})
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	return c
}

func nodeRemove(s *session) *cobra.Command {
	return removing(s, &cobra.Command{Use: "remove NODE", Short: "Forget a node that holds nothing", Args: exactArgs("node"), ValidArgsFunction: s.complete(nodeNames)}, (*client.Client).RemoveNode, "%s is removed.")
}

func serverList(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the servers that share the database", Args: exactArgs(),
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		all, err := cl.Servers(c.Context())
		if err != nil {
			return err
		}
		now := time.Now()
		return list(s, all.Items, []string{"NAME", "STATE", "ADDRESS", "NODES", "VERSION", "UP", "SEEN"}, func(v wire.Server) []string {
			state := v.State
			if v.Self {
				state += ", asked"
			}
			return []string{dash(v.Name), state, dash(v.Address), fmt.Sprint(v.Nodes), v.Version, age(v.StartedAt, now), age(v.SeenAt, now)}
		})
	})
}

func networkCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "network", Short: "Look at networks", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(listing(s, "List networks", (*client.Client).Networks, []string{"NAME", "SUBNET", "GATEWAY", "MTU"}, func(n wire.Network) []string {
		return []string{n.Name, n.Subnet, n.Gateway, fmt.Sprint(n.MTU)}
	}))
	return c
}

func operationCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "operation", Aliases: []string{"op"}, Short: "Look at what takes time, cancel it, and take back what got stuck", GroupID: "use", Args: cobra.NoArgs}
	c.AddCommand(operationList(s), operationShow(s), operationWait(s), operationCancel(s), operationRetry(s))
	return c
}

func operationList(s *session) *cobra.Command {
	var limit int
	c := signedIn(s, &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List operations, newest first", Args: exactArgs(),
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		page, err := cl.Operations(c.Context(), client.ListOptions{Limit: limit})
		if err != nil {
			return err
		}
		now := time.Now()
		return list(s, page.Items, []string{"ID", "KIND", "NAME", "STATUS", "AGE", "NOW"}, func(o wire.Operation) []string {
			now1 := o.Sentence
			if o.Error != nil {
				now1 = o.Error.Message
			}
			return []string{string(o.ID), o.Kind, cmp.Or(o.SubjectName, o.Subject), o.Status, age(o.CreatedAt, now), now1}
		})
	})
	c.Flags().IntVar(&limit, "limit", 30, "how many")
	return c
}

func (s *session) showOperation(o wire.Operation) error {
	problem := ""
	if o.Error != nil {
		problem = o.Error.Message
	}
	return s.show(o, "id", string(o.ID), "kind", o.Kind, "name", o.SubjectName, "subject", o.Subject, "status", o.Status, "progress", fmt.Sprintf("%.0f%%", o.Progress*100), "now", o.Sentence, "error", problem,
		"steps", strings.Join(o.Steps, " > "), "asked by", o.Caller, "created", o.CreatedAt.Local().Format(time.DateTime))
}

func operationShow(s *session) *cobra.Command {
	return showing(s, &cobra.Command{Use: "show OPERATION", Short: "Show one operation", Args: exactArgs("operation"), ValidArgsFunction: s.complete(operationIDs)}, (*client.Client).Operation, s.showOperation)
}

func operationWait(s *session) *cobra.Command {
	return signedIn(s, &cobra.Command{
		Use: "wait OPERATION", Short: "Follow an operation to its end", Args: exactArgs("operation"), ValidArgsFunction: s.complete(operationIDs),
	}, func(c *cobra.Command, args []string, cl *client.Client) error {
		end, err := s.follow(c.Context(), cl, id.Operation(args[0]))
		if err != nil || s.format == asTable {
			return cmp.Or(err, operationError(end))
		}
		// A script wants the steps of one that failed, too.
		return cmp.Or(s.showOperation(end), operationError(end))
	})
}

func operationCancel(s *session) *cobra.Command {
	return showing(s, &cobra.Command{Use: "cancel OPERATION", Short: "Stop an operation and take back what it did", Args: exactArgs("operation"), ValidArgsFunction: s.complete(operationIDs)}, (*client.Client).CancelOperation, s.showOperation)
}

func operationRetry(s *session) *cobra.Command {
	return showing(s, &cobra.Command{Use: "retry OPERATION", Short: "Take back what a stuck operation left, once what was in the way is gone", Args: exactArgs("operation"), ValidArgsFunction: s.complete(operationIDs)}, (*client.Client).RetryOperation, s.showOperation)
}

func eventCommand(s *session) *cobra.Command {
	var since string
	var topics []string
	var follow bool
	var limit int
	c := signedIn(s, &cobra.Command{
		Use: "events", Short: "Show what happened; -f goes on live", GroupID: "use", Args: exactArgs(),
		Example: "  novacron events -f\n  novacron events --topic 'vm.*' --since CURSOR -o json",
	}, func(c *cobra.Command, _ []string, cl *client.Client) error {
		if !follow {
			var page wire.List[wire.Event]
			var err error
			if since == "" {
				page, err = cl.Recent(c.Context(), topics, limit)
			} else {
				page, err = cl.History(c.Context(), since, topics, limit)
			}
			if err != nil {
				return err
			}
			return list(s, page.Items, []string{"TIME", "TYPE", "NAME", "WHAT"}, eventRow)
		}
		return s.followEvents(c.Context(), cl, since, topics)
	})
	c.Flags().StringVar(&since, "since", "", "cursor to begin behind; none: the newest events, with -f what comes from now on")
	c.Flags().StringArrayVar(&topics, "topic", nil, "only these types, for example vm.*; may be repeated")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on live")
	c.Flags().IntVar(&limit, "limit", 100, "how many, without -f")
	return c
}

func eventRow(e wire.Event) []string {
	name, words := eventWords(e.Data)
	if name == "" {
		name = e.Subject
	}
	return []string{e.Time.Local().Format(time.DateTime), e.Type, name, words}
}

// eventWords says what most events have to tell, and the name of what they tell it of; the other forms of output have all of it.
func eventWords(data json.RawMessage) (name, words string) {
	var d struct {
		Name, Username, Kind, Previous, Status, Sentence, Reason, By string

		SubjectName string `json:"subject_name"`
		Error       *struct{ Message string }
	}
	if json.Unmarshal(data, &d) != nil { // a field of another form
		return "", string(data)
	}
	out := []string{d.Kind, d.Status, d.Sentence, d.Reason}
	if d.Previous != "" && d.Previous != d.Status {
		out[1] = d.Previous + " to " + d.Status
	}
	if d.Error != nil {
		out = append(out, d.Error.Message)
	}
	if d.By != "" {
		out = append(out, "by "+d.By)
	}
	name = cmp.Or(d.Name, d.SubjectName, d.Username)
	out = slices.DeleteFunc(out, func(s string) bool { return s == "" })
	if len(out) == 0 && name == "" {
		return "", string(data)
	}
	return name, strings.Join(out, ", ")
}

// followEvents prints events as they come and opens the stream again, from where it ended, when the line breaks.
func (s *session) followEvents(ctx context.Context, cl *client.Client, since string, topics []string) error {
	for {
		stream, err := cl.Events(ctx, since, topics)
		if err != nil {
			return err
		}
		err = s.printEvents(ctx, stream)
		since = stream.Cursor()
		stream.Close()
		if ctx.Err() != nil {
			return nil
		}
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (s *session) printEvents(ctx context.Context, stream *client.Events) error {
	enc := json.NewEncoder(s.out)
	for {
		e, err := stream.Next(ctx)
		if err != nil {
			return err
		}
		switch s.format {
		case asTable:
			r := eventRow(e)
			_, err = fmt.Fprintln(s.out, cut(printable(strings.Join(r, "  ")), terminalWidth(s.out)))
		case asYAML:
			err = s.format.print(s.out, e, nil, nil)
		default:
			err = enc.Encode(e) // one line each
		}
		if err != nil {
			return err
		}
	}
}
