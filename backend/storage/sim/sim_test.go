package sim

import (
	"errors"
	"strings"
	"testing"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/storage"
	"novacron/backend/storage/storagetest"
)

var digest = "sha256:" + strings.Repeat("a", 64)

func TestPool_keepsTheRulesOfPools(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storagetest.World {
		p := New(Config{ImageSize: func(d string) (int64, bool) { return 4 << 20, d == digest }})
		return storagetest.World{Pool: p, Image: digest, ImageBytes: 4 << 20, Half: func(v id.Volume) {
			p.FailHalf(1, errors.New("crash"))
			if _, err := p.Ensure(t.Context(), storage.Volume{ID: v, SizeBytes: 1 << 20}); err == nil {
				t.Fatal("the scripted crash did not happen")
			}
		}}
	})
}

func TestFail_breaksOnlyAsManyCallsAsItSays(t *testing.T) {
	p, broken := New(Config{}), errors.New("broken")
	p.Fail(List, 2, broken)
	for range 2 {
		if _, err := p.List(t.Context()); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := p.List(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFillUp_refusesNewVolumesWithNumbersUntilThereIsRoom(t *testing.T) {
	p, v := New(Config{}), storage.Volume{ID: id.NewVolume(), SizeBytes: 1 << 20}
	p.FillUp(1000)
	_, err := p.Ensure(t.Context(), v)
	if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "1000 bytes free") {
		t.Fatalf("got %v", err)
	}
	p.FillUp(1 << 30)
	if _, err := p.Ensure(t.Context(), v); err != nil {
		t.Fatal(err)
	}
}

func TestPool_holdsAHundredThousandVolumesCheaply(t *testing.T) {
	p := New(Config{})
	for range 100_000 {
		if _, err := p.Ensure(t.Context(), storage.Volume{ID: id.NewVolume(), SizeBytes: 1 << 40, Image: ""}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := p.List(t.Context())
	if err != nil || len(found) != 100_000 {
		t.Fatalf("%d volumes, %v", len(found), err)
	}
	c, _ := p.Capacity(t.Context())
	if c.Free <= 0 || c.Provisioned != 100_000<<40 {
		t.Fatalf("got %+v", c)
	}
}
