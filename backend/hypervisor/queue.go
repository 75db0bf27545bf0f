package hypervisor

import "sync"

// QueueLength is how many events a Queue holds for a slow reader. Events are hints and Status is the truth, so a reader that
// is further behind loses the oldest.
const QueueLength = 16

// Queue delivers the events of one instance for a driver. Put never blocks, so that a slow actor cannot stop the reader of a
// monitor. The channel is made when it is first needed: a machine may hold very many idle instances. The zero value is ready.
type Queue struct {
	mu     sync.Mutex
	ch     chan Event
	closed bool
}

// Put adds an event. After Close it does nothing.
func (q *Queue) Put(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.put(e)
}

// Close adds the last event and closes the channel behind it. Only the first call counts.
func (q *Queue) Close(last Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.put(last)
	q.closed = true
	close(q.ch)
}

// Events gives the channel.
func (q *Queue) Events() <-chan Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.channel()
}

func (q *Queue) put(e Event) {
	if q.closed {
		return
	}
	ch := q.channel()
	for {
		select {
		case ch <- e:
			return
		default:
		}
		select {
		case <-ch: // the oldest makes room; readers only ever make more
		default:
		}
	}
}

func (q *Queue) channel() chan Event {
	if q.ch == nil {
		q.ch = make(chan Event, QueueLength)
	}
	return q.ch
}
