package remote

import (
	"context"
	"slices"
)

// stay is the time with one server. What waits for that server ends with it.
type stay struct {
	server string
	ctx    context.Context
	end    context.CancelFunc
}

// begin starts the stay with a server.
func (l *Link) begin(i int) {
	s := &stay{server: l.o.Servers[i]}
	s.ctx, s.end = context.WithCancel(context.Background())
	l.at.Store(s)
}

// move goes on to the next server, if there is another. keepControl alone calls it.
func (l *Link) move() {
	if len(l.o.Servers) == 1 {
		return
	}
	old := l.at.Load()
	l.begin((slices.Index(l.o.Servers, old.server) + 1) % len(l.o.Servers))
	old.end()
}

// leave ends the stay with a server, if there is another: its connections close, and keepControl moves.
func (l *Link) leave(server string) {
	if s := l.at.Load(); s.server == server && len(l.o.Servers) > 1 {
		s.end()
	}
}

// here gives the present server and a context that ends with ctx or with the stay there.
func (l *Link) here(ctx context.Context) (server string, here context.Context, done func()) {
	s := l.at.Load()
	here, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return s.server, here, func() { stop(); cancel() }
}
