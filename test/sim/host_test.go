package sim

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/node"
	"novacron/backend/server"
	"novacron/backend/store"
)

// host is a machine that serves: what outlives its server processes.
type host struct {
	w     *world
	name  string
	dir   string
	clock *clock

	mu    sync.Mutex
	life  *service                   // nil: no process
	gone  chan struct{}              // closed when the process before is gone
	down  time.Duration              // how long a dead process stays away
	back  time.Time                  // when the next one starts
	worse struct{ refuse, lose int } // commits that fail, and that say nothing
}

// service is one server process.
type service struct {
	h    *host
	srv  *server.Server
	grip grip
}

// grip is what a process has on the world. Once it let go nothing that its goroutines still do has an effect: it is dead, as
// after kill -9.
type grip struct {
	mu    sync.Mutex
	n     int                     // effects so far
	dieAt int                     // die at this one; 0: never
	dead  bool                    //
	pause func() time.Duration    // how long an effect takes
	fail  func(what string) error // what the schedule lets go wrong; nil: nothing
	die   func()                  // told once
	told  func(format string, a ...any)
}

var errDead = fault.New(fault.Unavailable, "killed", "the process that asks was killed")

// enter is asked before each effect of the process, which takes its time.
func (g *grip) enter(what string) error {
	if err := g.atOnce(what); err != nil {
		return err
	}
	g.mu.Lock()
	pause, fail := g.pause, g.fail
	g.mu.Unlock()
	if pause != nil {
		time.Sleep(pause())
		if g.isDead() {
			return errDead
		}
	}
	if fail != nil {
		return fail(what)
	}
	return nil
}

// atOnce is enter for an effect that takes no time, because the process holds a lock meanwhile: in the bubble time would stand still
// for whoever waits for that lock.
func (g *grip) atOnce(what string) error {
	g.mu.Lock()
	g.n++
	strike := !g.dead && g.n == g.dieAt
	if strike {
		g.dead = true
	}
	dead := g.dead
	g.mu.Unlock()
	if strike {
		g.told("dies at effect %d, %s", g.dieAt, what)
		g.die()
	}
	if dead {
		return errDead
	}
	return nil
}

// dieSoon lets the process die at its nth coming effect; 0: never.
func (g *grip) dieSoon(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dieAt = 0
	if n > 0 {
		g.dieAt = g.n + n
	}
}

func (g *grip) letGo() (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first = !g.dead
	g.dead = true
	return first
}

func (g *grip) isDead() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dead
}

// memoryDir is a folder that no disk slows down, where there is one.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "novacron-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newHost makes a machine for a server on the database in shared.
func newHost(w *world, name, shared string) *host {
	h := &host{w: w, name: name, dir: filepath.Join(shared, name), clock: &clock{}}
	w.must(os.MkdirAll(h.dir, 0o700))
	for _, file := range []string{"novacron.db", "sessions.db"} { // as on a database server of their own
		w.must(os.Symlink(filepath.Join(shared, file), filepath.Join(h.dir, file)))
	}
	w.t.Cleanup(func() { os.RemoveAll(server.PathsFor(h.dir).Run) })
	return h
}

// start runs a server process, once the one before is gone.
func (h *host) start() {
	h.mu.Lock()
	gone := h.gone
	h.mu.Unlock()
	if gone != nil {
		<-gone
	}
	settings, err := server.Load(map[string]string{"data-dir": h.dir, "limit-api": "off", "limit-login": "off", "subnet": "10.9.0.0/16", "peer-addr": h.name + ":8093"}, "")
	h.w.must(err)
	settings.AuthSecret = "one secret of all servers of a simulation"
	s := &service{h: h}
	s.grip = grip{die: func() { h.bury(s) }, told: func(f string, a ...any) { h.w.note(h.name, f, a...) }}
	s.srv, err = server.New(context.Background(), server.Options{Settings: settings, Version: "sim", Log: h.w.log(h.name), Outside: server.Outside{
		Listen:  func(port string) (net.Listener, error) { return h.w.cables.listen(h.name + "/" + port) },
		Dial:    h.dial,
		Now:     h.clock.wall,
		Instant: h.clock.boot,
		Commit:  func(when store.CommitPoint) error { return s.grip.enter(string(when)) },
	}})
	if err == nil {
		err = s.srv.Start(context.Background())
	}
	if err != nil {
		h.w.t.Fatalf("%s does not start: %v", h.name, err)
	}
	s.grip.mu.Lock()
	s.grip.pause, s.grip.fail = diskPause, h.worsen
	s.grip.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.life = s
}

// dial reaches another server.
func (h *host) dial(ctx context.Context, server string) (net.Conn, error) {
	c, err := h.w.cables.dialNode(ctx, h.name, server)
	if err == nil {
		h.w.mu.Lock()
		h.w.passed++
		h.w.mu.Unlock()
	}
	return c, err
}

// kill ends the process at once.
func (h *host) kill() {
	h.mu.Lock()
	s := h.life
	h.mu.Unlock()
	if s != nil && s.grip.letGo() {
		h.bury(s)
	}
}

// bury takes a dead process off the network, and lets what is left of it run out.
func (h *host) bury(s *service) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life != s {
		return
	}
	h.life, h.gone, h.back = nil, make(chan struct{}), time.Now().Add(h.down)
	h.w.cables.unplug(h.name)
	go func() {
		defer close(h.gone)
		_ = s.srv.Close() // the world does not hear of it
	}()
}

// stop ends the process in order.
func (h *host) stop() {
	h.mu.Lock()
	s := h.life
	h.life = nil
	h.mu.Unlock()
	if s != nil {
		if err := s.srv.Close(); err != nil {
			h.w.t.Errorf("%s does not stop: %v", h.name, err)
		}
	}
}

func (h *host) serves() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life != nil
}

// due reports whether the next process is to start.
func (h *host) due() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life == nil && !time.Now().Before(h.back)
}

func (h *host) killFor(down time.Duration) {
	h.mu.Lock()
	h.down = down
	h.mu.Unlock()
	h.kill()
}

// dieSoon lets the process die at its nth coming effect.
func (h *host) dieSoon(nth int, down time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
	if h.life != nil {
		h.life.grip.dieSoon(nth)
	}
}

// refuse lets the next commits fail, as a full disk does.
func (h *host) refuse(many int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.worse.refuse += many
}

// loseAnswers lets the next commits succeed without anybody hearing of it.
func (h *host) loseAnswers(many int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.worse.lose += many
}

func (h *host) worsen(what string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	left := &h.worse.lose
	if what == string(store.BeforeCommit) {
		left = &h.worse.refuse
	}
	if *left == 0 {
		return nil
	}
	*left--
	return errRefused
}

// diskPause is how long a disk takes for one effect.
func diskPause() time.Duration { return time.Millisecond }

// clock is a machine's: the wall clock may be set, and both go on while the machine sleeps.
type clock struct {
	mu    sync.Mutex
	wrong time.Duration // what the wall clock is off
	slept time.Duration
}

func (c *clock) wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Round(0).Add(c.wrong + c.slept) // without the monotonic part, which Add would move too
}

// boot counts from a start of its own on every machine.
func (c *clock) boot() node.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return node.Instant(time.Since(time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)) + c.slept)
}

// maxWrong is how far servers' wall clocks are off: an Idempotency-Key is held for at least a minute of them, so two that differ by
// more could both take one.
const maxWrong = 25 * time.Second

func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = min(max(c.wrong+d, -maxWrong), maxWrong)
}
