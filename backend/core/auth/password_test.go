package auth_test

import (
	"errors"
	"strings"
	"testing"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
)

// cheap keeps the tests quick; the cost is measured by BenchmarkVerify.
var cheap = auth.Params{MemoryKiB: 64, Passes: 1, Lanes: 1}

func TestVerify_acceptsOnlyThePasswordThatWasHashed(t *testing.T) {
	hash, err := auth.Hash("correct horse battery", cheap)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password string
		want           bool
	}{
		{"the password", "correct horse battery", true},
		{"another case", "Correct horse battery", false},
		{"a prefix", "correct horse batter", false},
		{"one character more", "correct horse battery ", false},
		{"nothing", "", false},
		{"longer than any password", strings.Repeat("a", auth.MaxPasswordBytes+1), false},
	} {
		ok, stale, err := auth.Verify(hash, c.password, cheap)
		if ok != c.want || stale || err != nil {
			t.Errorf("%s: got ok=%v stale=%v err=%v, want ok=%v", c.name, ok, stale, err, c.want)
		}
	}
}

func TestVerify_takesTheSameCharacterHoweverAKeyboardSpellsIt(t *testing.T) {
	hash, err := auth.Hash("pa\u00dfwort caf\u00e9", cheap) // é as one code point
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := auth.Verify(hash, "pa\u00dfwort cafe\u0301", cheap); !ok || err != nil { // e and a combining accent
		t.Errorf("got %v, %v; want the decomposed spelling accepted", ok, err)
	}
}

func TestVerify_saysWhenAHashWasMadeWithOtherParameters(t *testing.T) {
	hash, err := auth.Hash("correct horse battery", cheap)
	if err != nil {
		t.Fatal(err)
	}
	if ok, stale, err := auth.Verify(hash, "correct horse battery", auth.DefaultParams); !ok || !stale || err != nil {
		t.Errorf("got ok=%v stale=%v err=%v, want an accepted stale hash", ok, stale, err)
	}
}

func TestHash_saltsEachPassword(t *testing.T) {
	a, _ := auth.Hash("correct horse battery", cheap)
	b, _ := auth.Hash("correct horse battery", cheap)
	if a == b {
		t.Errorf("two hashes of one password are equal: %s", a)
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("got %s, want a PHC string with its parameters", a)
	}
}

func TestVerify_refusesDamagedHashes(t *testing.T) {
	good, _ := auth.Hash("correct horse battery", cheap)
	for name, phc := range map[string]string{
		"empty":             "",
		"plain text":        "correct horse battery",
		"bcrypt":            "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":           strings.Replace(good, "argon2id", "argon2i", 1),
		"other version":     strings.Replace(good, "v=19", "v=16", 1),
		"takes all memory":  strings.Replace(good, "m=64", "m=4194304", 1),
		"takes for ever":    strings.Replace(good, "t=1", "t=4000000", 1),
		"no passes":         strings.Replace(good, "t=1", "t=0", 1),
		"lanes overflow":    strings.Replace(good, "p=1", "p=257", 1),
		"cut off":           good[:len(good)-30],
		"one part too many": good + "$x",
		"not base64":        good[:len(good)-1] + "!",
	} {
		if ok, _, err := auth.Verify(phc, "correct horse battery", cheap); ok || err == nil {
			t.Errorf("%s: got ok=%v err=%v, want an error", name, ok, err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	for _, c := range []struct{ name, password, code string }{
		{"twelve characters are enough", "abcdefghijkl", ""},
		{"no digit or capital is asked for", "only small words here", ""},
		{"characters count, not bytes", "пароль-ключи", ""},
		{"spaces are characters", "a b c d e f g", ""},
		{"eleven characters are too few", "abcdefghijk", "password_too_short"},
		{"a name of its own", "Grace.Hopper@example.org", "password_is_name"},
		{"longer than a bound", strings.Repeat("x", auth.MaxPasswordBytes+1), "password_too_long"},
		{"not UTF-8", "abcdefghijkl\xff", "password_not_text"},
		{"zero bytes", "abcdefghijkl\x00", "password_not_text"},
	} {
		err := auth.CheckPassword(c.password, "grace", "grace.hopper@example.org")
		code := ""
		if f, ok := errors.AsType[*fault.Error](err); ok {
			code = f.Code
		}
		if code != c.code {
			t.Errorf("%s: got %v, want code %q", c.name, err, c.code)
		}
	}
}

// BenchmarkVerify shows the time of one sign-in on one core; it shall lie between 50 and 250 ms.
func BenchmarkVerify(b *testing.B) {
	hash, err := auth.Hash("correct horse battery", auth.DefaultParams)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, _, err := auth.Verify(hash, "correct horse battery", auth.DefaultParams); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkVerifyNobody shows that an unknown name costs what a known one costs.
func BenchmarkVerifyNobody(b *testing.B) {
	for b.Loop() {
		auth.VerifyNobody("correct horse battery", auth.DefaultParams)
	}
}
