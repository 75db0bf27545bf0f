package agent

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"novacron/backend/core/vm"
	simhost "novacron/backend/hypervisor/sim"
)

// BenchmarkAgent_vms measures what VMs cost: memory per running and per stopped one, and creates per second.
func BenchmarkAgent_vms(b *testing.B) {
	for _, p := range []vm.Power{vm.On, vm.Off} {
		b.Run(string(p), func(b *testing.B) {
			w := newWorld(b, simhost.Options{NoAgent: true})
			a := w.agent(0)
			defer a.Close()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ResetTimer()
			var wg sync.WaitGroup
			slots := make(chan struct{}, 64)
			for i := range b.N {
				m := w.machine(fmt.Sprintf("vm-%d", i))
				m.NICs, m.Power = nil, p
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					if _, err := a.Ensure(context.Background(), m); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse)/float64(b.N), "bytes/vm")
		})
	}
}
