package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestEven_roundsTheTimeOfAnAnswerUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for work, want := range map[time.Duration]time.Duration{time.Millisecond: answerStep, 17 * time.Millisecond: answerStep, answerStep: answerStep, answerStep + 1: 2 * answerStep} {
			began := time.Now()
			time.Sleep(work)
			even(t.Context(), began)
			if took := time.Since(began); took != want {
				t.Errorf("work of %s was answered after %s, want %s", work, took, want)
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		even(gone, began)
		if took := time.Since(began); took != 0 {
			t.Errorf("who has gone was waited for, %s", took)
		}
	})
}
