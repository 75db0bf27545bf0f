package auth

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"novacron/backend/core/fault"
)

// How names are compared. Two names are the same when they are equal after NFKC normalisation and case folding. Two names look alike
// when their skeletons are equal; nobody gets a user name that looks like another one's. A user name keeps to one script of
// those in everyday use, so that a skeleton has to know few letters: those of Greek, Cyrillic and Armenian that are drawn like a Latin one,
// and what is drawn alike within Latin. After Unicode TR 39, whose table is far larger since it has no such rule. E-mail addresses are ASCII: what
// mail servers of other scripts use there is their xn-- form.

// Fold is the form in which names are compared: "Web-1" and "web-1" are the same name.
func Fold(name string) string { return cases.Fold().String(norm.NFKC.String(name)) }

// scripts are those of everyday use (Unicode TR 31, table 5). Those that stand together are written together.
var scripts = [][]*unicode.RangeTable{
	{unicode.Latin}, {unicode.Greek}, {unicode.Cyrillic}, {unicode.Armenian}, {unicode.Hebrew}, {unicode.Arabic}, {unicode.Devanagari}, {unicode.Bengali},
	{unicode.Gurmukhi}, {unicode.Gujarati}, {unicode.Oriya}, {unicode.Tamil}, {unicode.Telugu}, {unicode.Kannada}, {unicode.Malayalam}, {unicode.Sinhala},
	{unicode.Thai}, {unicode.Lao}, {unicode.Tibetan}, {unicode.Myanmar}, {unicode.Georgian}, {unicode.Ethiopic}, {unicode.Khmer},
	{unicode.Han, unicode.Hiragana, unicode.Katakana}, {unicode.Han, unicode.Hangul}, {unicode.Han, unicode.Bopomofo},
}

// latin is what alphabets of living languages use; the phonetic and historic letters behind are mostly twins of these.
var latin = &unicode.RangeTable{R16: []unicode.Range16{{0x41, 0x5a, 1}, {0x61, 0x7a, 1}, {0xc0, 0x17f, 1}, {0x1a0, 0x1a1, 1}, {0x1af, 0x1b0, 1},
	{0x1cd, 0x1dc, 1}, {0x218, 0x21b, 1}, {0x1e00, 0x1eff, 1}}}

// oneScript reports whether all letters of the normalised name are of one script.
func oneScript(name string) bool {
	for _, script := range scripts {
		if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) && !unicode.In(r, script...) }) {
			return script[0] != unicode.Latin || !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) && !unicode.Is(latin, r) })
		}
	}
	return false
}

func checkScript(name string) error {
	normal := norm.NFKC.String(name)
	if strings.ContainsFunc(normal, func(r rune) bool { return unicode.IsDigit(r) && r > '9' }) || !oneScript(normal) {
		return fault.New(fault.Invalid, "username_script", "a user name has letters of one script in everyday use, and the digits 0 to 9: others look like what they are not").On("username")
	}
	return nil
}

// twins gives for a letter the Latin one that it is drawn like, in the upper row capitals and in the lower small letters. Within Latin, capital I, l and 1 are
// one, and so are O and 0.
var twins = pairs(
	"ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHlKMNOPTYX", "αγικνορσυω", "ayiKvopouw",
	"АВЕЗІЈКМНОРЅСТУХԌԚԜҮӀ", "ABE3lJKMHOPSCTYXGQWYl", "аеіјорсѕухԁһӏԛԝгүѵк", "aeijopcsyxdhlqwryvK",
	"ՕՏՍԼ", "OSUL", "օոսցզհյաք", "onugqhjwf",
	"I1ıȷ0Øø", "llijOOo",
)

func pairs(rows ...string) map[rune]string {
	out := map[rune]string{}
	for i := 0; i < len(rows); i += 2 {
		twin := []rune(rows[i+1])
		for j, r := range []rune(rows[i]) {
			out[r] = string(twin[j])
		}
	}
	return out
}

// Skeleton is what a name looks like: names with equal skeletons cannot be told apart by reading.
func Skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKC.String(name) {
		if twin, ok := twins[r]; ok {
			b.WriteString(twin)
		} else {
			b.WriteRune(r)
		}
	}
	// Capitals after the twins: a capital is compared by its own drawing and, as names are the same in any case, by that of its small letter.
	text := strings.ReplaceAll(strings.ReplaceAll(Fold(b.String()), "rn", "m"), "vv", "w")
	return strings.Map(func(r rune) rune {
		switch r {
		case 'i':
			return 'l' // of a capital I, which is the same name as one with i
		case '0':
			return 'o'
		case '.', '_':
			return '-'
		}
		return r
	}, text)
}
