package api

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novacron/backend/core/wire"
)

// TestDesks_theLastWordIsHowItIs: however slowly a peer reads, and however many come and go at once, it never hears an older state
// behind a newer one, and hears the present one in the end.
func TestDesks_theLastWordIsHowItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, ctx := newDesks(), t.Context()
		watcher := newSeat("watcher", true, func(error) {})
		if _, err := d.sit("vm/serial", watcher, false); err != nil {
			t.Fatal(err)
		}
		var heard []wire.ConsoleState
		follow, stop := context.WithCancel(ctx)
		defer stop()
		go d.follow(follow, "vm/serial", watcher, func(s wire.ConsoleState) {
			time.Sleep(time.Second) // a bad line
			heard = append(heard, s)
		})
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				s := newSeat(fmt.Sprint("person-", i), true, func(error) {})
				k, err := d.sit("vm/serial", s, false)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				k.leave(s)
			})
		}
		group.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		last := heard[len(heard)-1]
		if !slices.Equal(last.Watching, []string{"watcher"}) {
			t.Errorf("the last thing heard is that %v watch, but all others have left", last.Watching)
		}
		for i := 2; i < len(heard); i++ { // all came at once, before the second look
			if len(heard[i].Watching) > len(heard[i-1].Watching) {
				t.Errorf("heard %v after %v, though people only left", heard[i].Watching, heard[i-1].Watching)
			}
		}
	})
}
