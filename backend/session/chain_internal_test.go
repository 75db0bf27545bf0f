package session

import (
	"testing"
	"time"
)

// A sign-in of a version whose tokens had no part in common goes on, and its next tokens have one.
func TestChain_withoutAFamilyGetsOneAtTheNextExchange(t *testing.T) {
	now := time.Now()
	for _, past := range []string{"", "hash", "hash salt"} {
		text, hash := secret()
		c := chain{current: hash}
		c.read(past)
		if got := c.judge(text, now, 0); got != good {
			t.Fatalf("the token of before: got %v, want good", got)
		}
		exchange := func(text string) string {
			salt, _ := secret()
			c = c.behind(text, salt, now)
			kept := chain{current: c.current, rotated: c.rotated}
			kept.read(c.past())
			if kept != c {
				t.Fatalf("kept was %+v, want %+v", kept, c)
			}
			return successor(text, salt)
		}
		second := exchange(text)
		if got := c.judge(text, now, 0); got != stolen {
			t.Errorf("the token of before, again: got %v, want stolen", got)
		}
		last := second
		for range 3 {
			last = exchange(last)
		}
		for what, x := range map[string]struct {
			text string
			want claim
		}{"an old one": {second, stolen}, "the last": {last, good}, "another sign-in's": {firstToken(), foreign}, "none": {"", foreign}, "a dot": {".", foreign}} {
			if got := c.judge(x.text, now, time.Hour); got != x.want {
				t.Errorf("%s: got %v, want %v", what, got, x.want)
			}
		}
	}
}
