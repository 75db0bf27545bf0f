package app_test

import (
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
)

func TestClaimNode_isTheFirstPlacesUntilItIsConfirmedDead(t *testing.T) {
	w := newWorld(t, nil)
	n := w.node.ID
	w.must(w.app.ClaimNode(w.ctx, n, "here", "10.0.0.1"))
	w.must(w.app.ClaimNode(w.ctx, n, "here", "10.0.0.2")) // another address is no other place
	w.must(w.app.ClaimNode(w.ctx, n, "", "10.0.0.1"))
	for _, state := range []node.Event{node.Renewed, node.Expired} {
		w.must(w.app.NodeEvent(w.ctx, n, state, "in this test"))
		code(t, w.app.ClaimNode(w.ctx, n, "there", "10.0.0.9"), "node_elsewhere")
	}
	if told := w.events("node.copied"); len(told) != 1 || !strings.Contains(string(told[0].Data), "10.0.0.9") {
		t.Errorf("operators were told %d times, want once with the address: %v", len(told), told)
	}
	_, err := w.app.ConfirmNodeDead(w.ctx, w.admin, string(n))
	w.must(err)
	w.must(w.app.ClaimNode(w.ctx, n, "there", "10.0.0.9"))
	w.must(w.app.NodeEvent(w.ctx, n, node.Renewed, "in this test"))
	kind(t, w.app.ClaimNode(w.ctx, n, "here", "10.0.0.1"), fault.Conflict)
	if moved := w.events("node.moved"); len(moved) != 1 {
		t.Errorf("%d events of the move, want one", len(moved))
	}
}

func TestClaimNode_showsTheCopyAtTheNode(t *testing.T) {
	w := newWorld(t, nil)
	n := w.node.ID
	w.must(w.app.NodeEvent(w.ctx, n, node.Renewed, "in this test"))
	w.must(w.app.ClaimNode(w.ctx, n, "here", "10.0.0.1"))
	code(t, w.app.ClaimNode(w.ctx, n, "there", "10.0.0.9"), "node_elsewhere")
	shown, err := w.app.Node(w.ctx, w.admin, string(n))
	w.must(err)
	if shown.State != "alive" || !strings.Contains(shown.StateReason, "an agent at 10.0.0.9 was refused") {
		t.Errorf("the node is %s: %s", shown.State, shown.StateReason)
	}
}

func TestAdmitImage_letsANodeReadTheImagesOfItsVMsAlone(t *testing.T) {
	w := newWorld(t, nil)
	w.run()
	i, err := w.app.Image(w.ctx, w.admin, "tiny")
	w.must(err)
	n, other := w.node.ID, "sha256:"+strings.Repeat("7", 64)
	kind(t, w.app.AdmitImage(w.ctx, n, i.Digest), fault.Forbidden)
	w.ok(w.app.CreateVM(w.ctx, w.admin, tiny("web-1")))
	w.must(w.app.AdmitImage(w.ctx, n, i.Digest))
	for where, digest := range map[id.Node]string{n: other, id.NewNode(): i.Digest} {
		kind(t, w.app.AdmitImage(w.ctx, where, digest), fault.Forbidden)
	}
}
