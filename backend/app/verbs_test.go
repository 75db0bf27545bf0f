package app_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/store"
)

// stranger is a member of another tenant.
func (w *world) stranger(role auth.Role) auth.Caller {
	t := store.Tenant{ID: id.NewTenant(), Name: "others-" + string(role)}
	w.must(w.db.Tx(w.ctx, func(tx *store.Tx) error { return tx.InsertTenant(w.ctx, &t) }))
	return auth.Caller{User: id.NewUser(), Name: "stranger", Tenant: t.ID, Role: role}
}

func TestTenants_areClosedToEachOther(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	v := w.vm("web-1")
	s := w.stranger(auth.Developer)
	for _, ref := range []string{"web-1", string(v.ID)} {
		_, err := w.app.VM(w.ctx, s, ref)
		kind(t, err, fault.NotFound)
		_, err = w.app.StopVM(w.ctx, s, ref, wire.StopVM{Force: true})
		kind(t, err, fault.NotFound)
		_, err = w.app.DeleteVM(w.ctx, s, ref, 0)
		kind(t, err, fault.NotFound)
		_, err = w.app.IssueConsoleTicket(w.ctx, s, ref, wire.ConsoleWish{})
		kind(t, err, fault.NotFound)
	}
	page, err := w.app.ListVMs(w.ctx, s, app.ListVMs{})
	if err != nil || page.Total != 0 {
		t.Errorf("a stranger sees %d VMs (%v)", page.Total, err)
	}
	_, err = w.app.ListVMs(w.ctx, s, app.ListVMs{Tenant: v.Tenant})
	kind(t, err, fault.NotFound)
	events, err := w.app.Events(w.ctx, s, app.ReadEvents{})
	if err != nil || len(events.Events) != 0 {
		t.Errorf("a stranger sees %d events (%v)", len(events.Events), err)
	}
	ops, err := w.app.ListOperations(w.ctx, s, app.ListOperations{})
	if err != nil || ops.Total != 0 {
		t.Errorf("a stranger sees %d operations (%v)", ops.Total, err)
	}
	if _, err := w.app.CreateVM(w.ctx, s, tiny("web-1")); err != nil {
		t.Errorf("a name that another tenant has cannot be used: %v", err)
	}
}

func TestViewer_readsAndChangesNothing(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	viewer := w.admin
	viewer.Role = auth.Viewer
	if _, err := w.app.VM(w.ctx, viewer, "web-1"); err != nil {
		t.Error(err)
	}
	_, err := w.app.StopVM(w.ctx, viewer, "web-1", wire.StopVM{})
	kind(t, err, fault.Forbidden)
	_, err = w.app.CreateVM(w.ctx, viewer, tiny("web-2"))
	kind(t, err, fault.Forbidden)
}

func TestOnce_aServerThatDiesBehindTheVerbLeavesItsAnswer(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.app.Once(w.ctx, w.admin, "key", "hash", time.Minute)
	w.must(err)
	if _, err := w.app.CreateVM(app.WithOnce(w.ctx, "key", "hash"), w.admin, tiny("web-1")); err != nil {
		t.Fatal(err)
	}
	// Keep was never called.
	reply, err := w.app.Once(w.ctx, w.admin, "key", "hash", time.Minute)
	w.must(err)
	if reply == nil || reply.Status != 202 || !strings.Contains(string(reply.Body), "web-1") {
		t.Errorf("the request would be done again: %+v", reply)
	}
}

func TestCancelOperation_takesACreateBack(t *testing.T) {
	w := newWorld(t, nil)
	before := w.look()
	r, err := w.app.CreateVM(w.ctx, w.admin, tiny("web-1"))
	w.must(err)
	_, err = w.app.CancelOperation(w.ctx, w.admin, r.Operation.ID)
	w.must(err)
	w.settle()
	o, err := w.app.Operation(w.ctx, w.admin, r.Operation.ID)
	w.must(err)
	if o.Status != "canceled" {
		t.Errorf("it ended %s", o.Status)
	}
	if after := w.look(); after != before {
		t.Errorf("something is left:\n%s\nwant\n%s", after, before)
	}
}

func TestCancelOperation_isHeardWhileTheStepRuns(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	w.node.Stuck[w.vm("web-1").ID] = true
	w.run()
	r, err := w.app.StopVM(w.ctx, w.admin, "web-1", wire.StopVM{})
	w.must(err)
	for deadline := time.Now().Add(time.Minute); ; {
		o, err := w.app.WaitOperation(w.ctx, w.admin, r.Operation.ID, 10*time.Millisecond)
		w.must(err)
		if o.Status == "running" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the stop is %s", o.Status)
		}
	}
	_, err = w.app.CancelOperation(w.ctx, w.admin, r.Operation.ID)
	w.must(err)
	if end := w.done(r.Operation); end.Status != "canceled" {
		t.Errorf("it ended %s", end.Status)
	}
}

// stuckCreate leaves a create that could not be taken back, and gives the world as it was before.
func (w *world) stuckCreate() (stuck id.Operation, before string) {
	before = w.look()
	w.node.Point = func(where string) error {
		if where != "the node obeys" {
			return nil
		}
		return fault.New(fault.Conflict, "disk_busy", "the disk is in use")
	}
	r, err := w.app.CreateVM(w.ctx, w.admin, tiny("web-1"))
	w.must(err)
	w.settle()
	w.node.Point = nil
	if o := w.ended(r.Operation.ID); o.Status != "stuck" {
		w.t.Fatalf("it ended %s: %+v", o.Status, o.Error)
	}
	return r.Operation.ID, before
}

func TestRetryOperation_takesBackWhatIsLeft(t *testing.T) {
	w := newWorld(t, nil)
	stuck, before := w.stuckCreate()
	viewer := w.admin
	viewer.Role = auth.Viewer
	_, err := w.app.RetryOperation(w.ctx, viewer, stuck)
	kind(t, err, fault.Forbidden)
	_, err = w.app.RetryOperation(w.ctx, w.stranger(auth.Developer), stuck)
	kind(t, err, fault.NotFound)

	again, err := w.app.RetryOperation(w.ctx, w.admin, stuck)
	w.must(err)
	if v := w.vm("web-1"); v.OperationID != again.ID {
		t.Errorf("the VM shows operation %q, want %s", v.OperationID, again.ID)
	}
	_, err = w.app.RetryOperation(w.ctx, w.admin, stuck)
	code(t, err, "busy")
	w.settle()
	if o := w.ended(again.ID); o.Status != "canceled" {
		t.Errorf("it ended %s: %+v", o.Status, o.Error)
	}
	if after := w.look(); after != before {
		t.Errorf("something is left:\n%s\nwant\n%s", after, before)
	}
	_, err = w.app.RetryOperation(w.ctx, w.admin, again.ID)
	code(t, err, "operation_not_stuck")
	_, err = w.app.RetryOperation(w.ctx, w.admin, stuck)
	code(t, err, "operation_overtaken")
}

func TestRetryOperation_isRefusedOnceSomethingElseWasDone(t *testing.T) {
	w := newWorld(t, nil)
	stuck, _ := w.stuckCreate()
	_, err := w.app.DeleteVM(w.ctx, w.admin, "web-1", 0)
	w.must(err)
	w.settle()
	before := w.look()
	_, err = w.app.RetryOperation(w.ctx, w.admin, stuck)
	code(t, err, "operation_overtaken")
	if after := w.look(); after != before {
		t.Errorf("a refused retry changed something:\n%s\nwant\n%s", after, before)
	}
}

func TestStartVM_onANodeThatIsNotConnectedSaysSoAndTakesTheWishBack(t *testing.T) {
	w := newWorld(t, nil)
	stopped(w)
	w.nodes.Connect(w.node.ID, nil)
	r, err := w.app.StartVM(w.ctx, w.admin, "web-1")
	w.must(err)
	w.settle()
	o, err := w.app.Operation(w.ctx, w.admin, r.Operation.ID)
	w.must(err)
	if o.Status != "failed" || o.Error == nil || o.Error.Message != "node thor cannot be reached; web-1 is to be stopped, and the node is told so when it is back" {
		t.Errorf("it ended %s: %+v", o.Status, o.Error)
	}
	if v := w.vm("web-1"); v.Wanted != vm.Off {
		t.Errorf("wanted %s", v.Wanted)
	}
}

func TestConsole_ticketOpensOnce(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	ticket, err := w.app.IssueConsoleTicket(w.ctx, w.admin, "web-1", wire.ConsoleWish{})
	w.must(err)
	g, err := w.app.RedeemConsoleTicket(w.ctx, ticket.Secret)
	w.must(err)
	if g.VM != ticket.VM || g.Kind != "serial" || g.Mode != "ask" || g.Caller.User != w.admin.User {
		t.Errorf("got %+v", g)
	}
	_, err = w.app.RedeemConsoleTicket(w.ctx, ticket.Secret)
	kind(t, err, fault.Unauthenticated)
	stream, err := w.app.OpenConsole(w.ctx, g)
	w.must(err)
	w.must(stream.Close())
	for name, r := range map[string]wire.ConsoleWish{
		"a kind that is none": {Kind: "telnet"}, "tcp without a port": {Kind: "tcp"}, "a port without tcp": {Port: 22}, "a mode that is none": {Mode: "steal"},
	} {
		if _, err := w.app.IssueConsoleTicket(w.ctx, w.admin, "web-1", r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err = w.app.IssueConsoleTicket(w.ctx, w.admin, "web-1", wire.ConsoleWish{Kind: "vnc"})
	kind(t, err, fault.Conflict) // a direct start has no display
}

func TestUpload_goesOnWhereItBrokeOffAndBecomesAnImage(t *testing.T) {
	w := newWorld(t, nil)
	const content = "disk of many bytes"
	checksum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
	r, err := w.app.ImportImage(w.ctx, w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "own", Bytes: int64(len(content)), Checksum: checksum}})
	w.must(err)
	if r.Image.State != "uploading" || r.Image.Checksum != "" || r.Operation != nil {
		t.Fatalf("got %+v", r)
	}
	_, err = w.app.AppendUpload(w.ctx, w.admin, "own", 0, strings.NewReader(content[:5]))
	w.must(err)
	// A crash after bytes were written and before the offset moved: they are not counted.
	staged, err := os.ReadDir(w.stagingDir)
	w.must(err)
	f, err := os.OpenFile(filepath.Join(w.stagingDir, staged[0].Name()), os.O_APPEND|os.O_WRONLY, 0)
	w.must(err)
	_, err = f.WriteString("never acknowledged")
	w.must(err)
	w.must(f.Close())
	_, err = w.app.AppendUpload(w.ctx, w.admin, "own", 9, strings.NewReader(content[9:]))
	kind(t, err, fault.Conflict)
	at, err := w.app.ImageUpload(w.ctx, w.admin, "own")
	if err != nil || at.UploadOffset != 5 {
		t.Fatalf("the upload is at %d (%v), want 5", at.UploadOffset, err)
	}
	done, err := w.app.AppendUpload(w.ctx, w.admin, "own", 5, strings.NewReader(content[5:]))
	w.must(err)
	if done.Operation == nil {
		t.Fatal("the last byte began no import")
	}
	w.settle()
	i, err := w.app.Image(w.ctx, w.admin, "own")
	if err != nil || i.State != "ready" || i.Bytes != int64(len(content)) || i.Checksum != checksum {
		t.Errorf("got %+v, %v", i, err)
	}
	if left := w.staging(); left != "staged:" {
		t.Errorf("left in the staging folder: %s", left)
	}
}

// A client whose line broke sends the same bytes again before the server has noticed: what the first request then acknowledges must be
// there.
func TestUpload_keepsWhatARequestAcknowledgesBesideAnotherOne(t *testing.T) {
	w := newWorld(t, nil)
	const content = "disk of many bytes"
	r, err := w.app.ImportImage(w.ctx, w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "own", Bytes: int64(len(content))}})
	w.must(err)
	staged := filepath.Join(w.stagingDir, string(r.Image.ID))
	send := func() (line *io.PipeWriter, end chan error) {
		body, line := io.Pipe()
		end = make(chan error, 1)
		go func() {
			_, err := w.app.AppendUpload(w.ctx, w.admin, "own", 0, body)
			end <- err
		}()
		return line, end
	}
	broken := errors.New("the line broke")
	first, firstEnd := send()
	_, err = first.Write([]byte(content[:5]))
	w.must(err)
	w.eventually("the first bytes on the disk", func() bool {
		fi, err := os.Stat(staged)
		return err == nil && fi.Size() == 5
	})
	second, secondEnd := send()
	_, err = second.Write([]byte(content[:1]))
	w.must(err)
	w.must(first.CloseWithError(broken))
	kind(t, <-firstEnd, fault.Unavailable)
	w.must(second.CloseWithError(broken))
	<-secondEnd
	at, err := w.app.ImageUpload(w.ctx, w.admin, "own")
	if err != nil || at.UploadOffset != 5 {
		t.Fatalf("the upload is at %d (%v), want 5", at.UploadOffset, err)
	}
	_, err = w.app.AppendUpload(w.ctx, w.admin, "own", 5, strings.NewReader(content[5:]))
	w.must(err)
	if got, err := os.ReadFile(staged); err != nil || string(got) != content {
		t.Errorf("the disk has %q (%v), want %q", got, err, content)
	}
}

func TestUpload_thatIsLongerThanAnnouncedIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.app.ImportImage(w.ctx, w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "own", Bytes: 4}})
	w.must(err)
	_, err = w.app.AppendUpload(w.ctx, w.admin, "own", 0, strings.NewReader("disk and more"))
	kind(t, err, fault.TooLarge)
}

func TestImportImage_refuses(t *testing.T) {
	w := newWorld(t, nil)
	member := w.admin
	member.Role = auth.Developer
	for name, c := range map[string]struct {
		caller auth.Caller
		r      app.ImportImage
		kind   fault.Kind
	}{
		"two sources":                    {w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "a", URL: "https://x.org/a", Bytes: 5}}, fault.Invalid},
		"no source":                      {w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "a"}}, fault.Invalid},
		"a private address":              {w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "a", URL: "http://127.0.0.1/a"}}, fault.Invalid},
		"a checksum that is none":        {w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "a", Bytes: 5, Checksum: "md5:00"}}, fault.Invalid},
		"a name that is taken":           {func() auth.Caller { c := w.admin; return c }(), app.ImportImage{CreateImage: wire.CreateImage{Name: "TINY", Bytes: 5, Public: true}}, fault.Conflict},
		"a file, by a member":            {member, app.ImportImage{CreateImage: wire.CreateImage{Name: "a"}, File: "/etc/passwd"}, fault.Forbidden},
		"for all tenants, by a member":   {member, app.ImportImage{CreateImage: wire.CreateImage{Name: "a", Bytes: 5, Public: true}}, fault.Forbidden},
		"a name that steers a terminal":  {w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "a\x1b[2J", Bytes: 5}}, fault.Invalid},
		"a file by a path without start": {w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "a"}, File: "passwd"}, fault.Invalid},
	} {
		if _, err := w.app.ImportImage(w.ctx, c.caller, c.r); !fault.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %s", name, err, c.kind)
		}
	}
}

// Whoever sees the image sees its source; the query of an address may be what lets its holder in.
func TestImportImage_showsItsSourceWithoutTheQuery(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.app.ImportImage(w.ctx, w.admin, app.ImportImage{CreateImage: wire.CreateImage{Name: "own", URL: "https://example.org/disk.img?X-Amz-Signature=secret#part"}})
	w.must(err)
	i, err := w.app.Image(w.ctx, w.admin, "own")
	w.must(err)
	if want := "https://example.org/disk.img"; i.Source != want {
		t.Errorf("the source is %q, want %q", i.Source, want)
	}
}

func TestDeleteImage_thatVMsRestOnIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	_, err := w.app.DeleteImage(w.ctx, w.admin, "tiny")
	kind(t, err, fault.Conflict)
}

func TestSubscribe_givesEveryEventOnceAndInOrderAlsoAfterAnInterruption(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	sub, err := w.app.Subscribe(w.ctx, w.admin, "", []string{"vm.*"})
	w.must(err)
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	next := func() wire.Event {
		t.Helper()
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		e, err := sub.Next(ctx)
		w.must(err)
		return e
	}
	first := next()
	if first.Type != "vm.created" {
		t.Fatalf("the first event is %s", first.Type)
	}
	cursor := sub.Cursor()
	second := next()
	sub.Close()
	sub, err = w.app.Subscribe(w.ctx, w.admin, cursor, []string{"vm.*"})
	w.must(err)
	defer sub.Close()
	if again := next(); again.ID != second.ID {
		t.Errorf("after the interruption came %s, want %s", again.ID, second.ID)
	}
}

func TestJoin_worksOncePerToken(t *testing.T) {
	w := newWorld(t, nil)
	secret, _, err := w.app.CreateJoinToken(w.ctx, w.admin, 0)
	w.must(err)
	n, err := w.app.RedeemJoin(w.ctx, secret, []byte("key of thor"), "thor.example.org", "192.0.2.7:4711")
	w.must(err)
	if _, err := w.app.RedeemJoin(w.ctx, secret, []byte("key of loki"), "loki", "192.0.2.8:4711"); err == nil {
		t.Error("a token let two nodes join")
	}
	again, err := w.app.RedeemJoin(w.ctx, secret, []byte("key of thor"), "thor.example.org", "192.0.2.7:4712") // the answer was lost
	w.must(err)
	if all, err := w.app.ListNodes(w.ctx, w.admin, app.ListRequest{}); again != n || err != nil || len(all.Items) != 2 {
		t.Errorf("the same machine again is %s, it was %s; there are %d nodes (%v)", again, n, len(all.Items), err)
	}
	view, err := w.app.Node(w.ctx, w.admin, string(n))
	if err != nil || view.Name != "thor-2" || view.State != "joining" {
		t.Errorf("got %+v, %v", view, err)
	}
	w.must(w.app.AdmitNode(w.ctx, n))
	w.must(w.app.RemoveNode(w.ctx, w.admin, string(n)))
	kind(t, w.app.AdmitNode(w.ctx, n), fault.Forbidden)
}

func TestVM_saysOfEachVerbThatTheRoleForbidsIt(t *testing.T) {
	w := newWorld(t, nil)
	running(w)
	viewer := w.admin
	viewer.Role = auth.Viewer
	v, err := w.app.VM(w.ctx, viewer, "web-1")
	w.must(err)
	for verb, d := range v.Actions {
		if verb == vm.VerbConsole {
			if !d.Allowed {
				t.Errorf("a viewer may not watch the console: %s", d.Why)
			}
		} else if d.Allowed || !strings.Contains(d.Why, "the role viewer does not allow vm.write") {
			t.Errorf("%s: got %+v, want the role's refusal", verb, d)
		}
	}
	if !w.vm("web-1").Actions[vm.VerbStop].Allowed {
		t.Error("an administrator may not stop it")
	}
}

func TestPreviewVM_judgesEveryNodeAndReservesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	w.addNode("odin")
	yes := true
	_, err := w.app.UpdateNode(w.ctx, w.admin, "odin", wire.UpdateNode{Cordoned: &yes}, 0)
	w.must(err)
	p, err := w.app.PreviewVM(w.ctx, w.admin, tiny("web-1"))
	w.must(err)
	if len(p.Nodes) != 2 || p.Reason != "" || !p.Nodes[0].Fits || p.Nodes[0].Name != "thor" || p.Nodes[1].Fits || !strings.Contains(p.Nodes[1].Reason, "cordoned") {
		t.Errorf("got %+v, want thor to fit and odin to be cordoned", p)
	}
	all, err := w.app.ListVMs(w.ctx, w.admin, app.ListVMs{})
	w.must(err)
	if all.Total != 0 {
		t.Errorf("asking made %d VMs", all.Total)
	}
	if made := w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1"))); made.Node != p.Nodes[0].Name {
		t.Errorf("it was put on %s, the preview said %s", made.Node, p.Nodes[0].Name)
	}

	huge := tiny("web-2")
	huge.MemoryMiB = vm.MaxMemoryMiB
	if p, err = w.app.PreviewVM(w.ctx, w.admin, huge); err != nil || p.Reason == "" || p.Nodes[0].Fits || p.Nodes[1].Fits {
		t.Errorf("too large for all: got %+v, %v, want an answer that says why", p, err)
	}
	_, err = w.app.PreviewVM(w.ctx, w.stranger(auth.Developer), tiny("web-1"))
	kind(t, err, fault.Forbidden)
}

func TestCordon_keepsNewVMsAway(t *testing.T) {
	w := newWorld(t, nil)
	yes := true
	_, err := w.app.UpdateNode(w.ctx, w.admin, "thor", wire.UpdateNode{Cordoned: &yes}, 0)
	w.must(err)
	r, err := w.app.CreateVM(w.ctx, w.admin, tiny("web-1"))
	w.must(err)
	w.settle()
	o, err := w.app.Operation(w.ctx, w.admin, r.Operation.ID)
	w.must(err)
	if o.Status != "failed" || !strings.Contains(o.Error.Message, "cordoned") {
		t.Errorf("it ended %s: %+v", o.Status, o.Error)
	}
}

func TestPrepare_mayBeRepeated(t *testing.T) {
	w := newWorld(t, nil)
	w.must(w.app.Prepare(w.ctx, ""))
	page, err := w.app.ListNetworks(w.ctx, w.admin, app.ListRequest{})
	if err != nil || page.Total != 1 || page.Items[0].Gateway != "10.80.0.1" {
		t.Errorf("got %+v, %v", page, err)
	}
	kind(t, w.app.Prepare(w.ctx, "10.0.0.0/31"), fault.Invalid)
}
