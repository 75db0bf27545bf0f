package hypervisor

import "testing"

func TestQueue_losesTheOldestAndNeverTheLast(t *testing.T) {
	var q Queue
	q.Put(Event{Type: Rebooted})
	for range QueueLength {
		q.Put(Event{Type: Stopped})
	}
	q.Close(Event{Type: Exited})
	q.Close(Event{Type: Exited})
	q.Put(Event{Type: Resumed})
	var got []EventType
	for e := range q.Events() {
		got = append(got, e.Type)
	}
	if len(got) != QueueLength || got[0] != Stopped || got[len(got)-1] != Exited {
		t.Errorf("got %v, want %d events, the last Exited, without the first", got, QueueLength)
	}
}
