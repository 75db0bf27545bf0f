package main

import (
	"strings"
	"testing"
)

func TestReport_tellsSkipsFailuresAndBrokenBuilds(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		ok    bool
		want  []string
	}{
		{
			name: "a skipped test with its reason",
			lines: []string{
				`{"Action":"output","Package":"novacron/a","Test":"TestKVM","Output":"    kvm_test.go:7: needs /dev/kvm\n"}`,
				`{"Action":"skip","Package":"novacron/a","Test":"TestKVM"}`,
				`{"Action":"pass","Package":"novacron/a","Test":"TestOther"}`,
				`{"Action":"pass","Package":"novacron/a","Elapsed":1.5}`,
			},
			ok:   true,
			want: []string{"1 passed", "1 skipped", "skipped TestKVM: needs /dev/kvm"},
		},
		{
			name: "the output of a failed test and of no other",
			lines: []string{
				`{"Action":"output","Package":"novacron/a","Test":"TestGood","Output":"all is well\n"}`,
				`{"Action":"pass","Package":"novacron/a","Test":"TestGood"}`,
				`{"Action":"output","Package":"novacron/a","Test":"TestBad","Output":"got 1, want 2\n"}`,
				`{"Action":"fail","Package":"novacron/a","Test":"TestBad"}`,
				`{"Action":"fail","Package":"novacron/a"}`,
			},
			want: []string{"FAIL", "got 1, want 2"},
		},
		{
			name: "what the compiler said",
			lines: []string{
				`{"ImportPath":"novacron/a [novacron/a.test]","Action":"build-output","Output":"a.go:1: undefined: x\n"}`,
				`{"ImportPath":"novacron/a [novacron/a.test]","Action":"build-fail"}`,
				`{"Action":"fail","Package":"novacron/a","FailedBuild":"novacron/a [novacron/a.test]"}`,
			},
			want: []string{"undefined: x"},
		},
		{
			name:  "a package that never ended",
			lines: []string{`{"Action":"run","Package":"novacron/a","Test":"TestLong"}`},
			want:  []string{"the stream ended before the package did"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := report(strings.NewReader(strings.Join(c.lines, "\n")), &out)
			if err != nil {
				t.Fatal(err)
			}
			if ok != c.ok {
				t.Errorf("reported ok %v, want %v", ok, c.ok)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the report lacks %q:\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), "all is well") {
				t.Errorf("the report repeats what a passed test printed:\n%s", out.String())
			}
		})
	}
}
