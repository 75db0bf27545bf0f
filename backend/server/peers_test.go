package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/agenttest"
	"novacron/backend/agent/remote"
	"novacron/backend/client"
	"novacron/backend/core/wire"
	"novacron/backend/server"
	"novacron/backend/store/storetest"
)

// pairOfServers is two servers on one PostgreSQL, a client at each, and a node that keeps to the first until it is lost.
type pairOfServers struct {
	t       *testing.T
	servers [2]*server.Server
	at      [2]*client.Client
	node    *agenttest.World
}

func newPair(t *testing.T) *pairOfServers {
	t.Helper()
	p := &pairOfServers{t: t, node: agenttest.NewWorld(t)}
	database := storetest.PostgresURL(t)
	for i := range p.servers {
		p.servers[i] = beside(t, database, "", nil)
		c, err := client.New("http://"+p.servers[i].Addresses()["console"], client.Tokens{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		p.at[i] = c
	}
	link, err := p.servers[0].SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.at[0].Setup(t.Context(), wire.Setup{Token: link.Token, Username: "ana", Email: "ana@example.org", Password: password}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.at[1].Login(t.Context(), "ana", password); err != nil {
		t.Fatal(err)
	}
	p.connect()
	return p
}

// connect joins the node and waits until it takes VMs.
func (p *pairOfServers) connect() {
	p.t.Helper()
	token, err := p.at[0].CreateJoinToken(p.t.Context(), 0)
	if err != nil {
		p.t.Fatal(err)
	}
	dir := p.t.TempDir()
	addresses := []string{p.servers[0].Addresses()["node"], p.servers[1].Addresses()["node"]}
	if p.node.Node, err = remote.Join(p.t.Context(), nil, addresses[0], token.Token, dir); err != nil {
		p.t.Fatal(err)
	}
	up, err := remote.NewLink(remote.LinkOptions{Servers: addresses, Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.t.Fatal(err)
	}
	a := p.node.Start(func(o *agent.Options) { o.Source = up.Fetch })
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { up.Run(ctx, a) })
	p.t.Cleanup(func() { stop(); running.Wait() })
	until(p.t, "the node is alive", func() bool {
		n, err := p.at[1].Node(p.t.Context(), string(p.node.Node))
		return err == nil && n.State == "alive" && n.CPUs > 0
	})
}

// types opens the VM's console through a server and says whether it echoes.
func (p *pairOfServers) types(i int, vm, words string) error {
	line, err := p.at[i].OpenConsole(p.t.Context(), vm, wire.ConsoleWish{Kind: "serial", Mode: "take"})
	if err != nil {
		return err
	}
	defer line.Close()
	defer time.AfterFunc(time.Minute, func() { line.Close() }).Stop()
	if _, err := line.Write([]byte(words + "\n")); err != nil {
		return err
	}
	var said strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(said.String(), words) {
		n, err := line.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			return err
		}
	}
	return nil
}

func TestServers_areOneForANodeAnImageAndAConsole(t *testing.T) {
	p := newPair(t)
	disk := bytes.Repeat([]byte{0}, 1<<20)
	disk[510], disk[511] = 0x55, 0xaa // begins like a disk
	if _, err := p.at[1].CreateImage(t.Context(), wire.CreateImage{Name: "own", Bytes: int64(len(disk))}, 0); err != nil {
		t.Fatal(err)
	}
	i, err := p.at[1].UploadImage(t.Context(), "own", bytes.NewReader(disk), int64(len(disk)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := p.at[1].WaitOperation(t.Context(), i.Operation.ID, nil); err != nil || !o.Succeeded() {
		t.Fatalf("the import: %+v, %v", o, err)
	}
	// The node is connected to the first server; the second may have the image.
	a, err := p.at[1].CreateVM(t.Context(), wire.CreateVM{Name: "web-1", Image: "own", CPUs: 1, MemoryMiB: 64, DiskGiB: 1}, 30*time.Second)
	if err != nil || a.Operation == nil || !a.Operation.Succeeded() {
		t.Fatalf("create: %+v, %v", a.Operation, err)
	}
	for i := range p.servers {
		until(t, "a console through the server", func() bool { return p.types(i, "web-1", "hello") == nil })
	}
	if err := p.servers[0].Close(); err != nil {
		t.Error(err)
	}
	until(t, "a console through the server that is left", func() bool { return p.types(1, "web-1", "again") == nil })
	if n, err := p.at[1].Node(t.Context(), string(p.node.Node)); err != nil || n.State != "alive" {
		t.Errorf("the node is %s (%s), %v", n.State, n.StateReason, err)
	}
	if _, err := p.at[1].StopVM(t.Context(), "web-1", wire.StopVM{Force: true}, 30*time.Second); err != nil {
		t.Errorf("stop through the server that is left: %v", err)
	}
}
