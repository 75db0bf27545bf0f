package server

import (
	"context"
	"time"

	"novacron/backend/agent"
	"novacron/backend/app"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
)

type pump struct {
	app  *app.App
	ctx  context.Context
	stop context.CancelFunc
}

func newPump(a *app.App) *pump {
	ctx, stop := context.WithCancel(context.Background())
	return &pump{a, ctx, stop}
}
func (p *pump) Start() {}
func (p *pump) Stop()  { p.stop() }
func (p *pump) NodeUp(n id.Node, a agent.API) {
	go func() {
		for p.ctx.Err() == nil {
			f, err := a.Facts(p.ctx)
			if err == nil {
				p.app.NodeFacts(p.ctx, n, f)
				p.app.NodeEvent(p.ctx, n, node.Renewed, "")
			}
			time.Sleep(3 * time.Second)
		}
	}()
	go func() {
		ch, err := a.Reports(p.ctx)
		if err != nil {
			return
		}
		for s := range ch {
			p.app.Observe(p.ctx, n, []vm.Seen{s})
		}
	}()
}
func (p *pump) NodeDown(n id.Node) {}
func (p *pump) Renew(ctx context.Context, n id.Node, seq int64) (time.Duration, error) {
	return 10 * time.Second, nil
}
