package cli

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// typed runs the command line against a server that gives what the path says, and gives what it printed.
func typed(t *testing.T, answers map[string]string, args ...string) (out string, asked []string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		body, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			body = `{"detail":"nothing is here","code":"not_found","status":404}`
		}
		w.Write([]byte(body)) //nolint:errcheck // the test sees
	}))
	defer s.Close()
	t.Setenv("NOVACRON_URL", s.URL)
	t.Setenv("NOVACRON_TOKEN", "token")
	var said bytes.Buffer
	root := newRoot(&session{in: strings.NewReader(""), out: &said, err: &said, format: asTable})
	root.SetArgs(args)
	if err := root.ExecuteContext(t.Context()); err != nil && !errors.Is(err, errSilent) {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return said.String(), asked
}

func TestComplete_offersWhatEachWordMayBe(t *testing.T) {
	const web = `{"name":"web-1","disks":[{"id":"vol-1"}],"nics":[{"id":"nic-1"}]}`
	answers := map[string]string{
		"GET /api/v1/vms":                 `{"items":[` + web + `,{"name":"db-1"}]}`,
		"GET /api/v1/vms/web-1":           web,
		"GET /api/v1/vms/web-1/snapshots": `{"items":[{"name":"before"}]}`,
		"GET /api/v1/nodes":               `{"items":[{"name":"thor"}]}`,
		"GET /api/v1/images":              `{"items":[{"name":"tiny"}]}`,
		"GET /api/v1/networks":            `{"items":[{"name":"default"}]}`,
		"GET /api/v1/operations":          `{"items":[{"id":"op-1"}]}`,
	}
	for line, want := range map[string][]string{
		"vm show ":                   {"web-1", "db-1"},
		"vm show web-1 ":             nil,
		"vm start db-1 w":            {"web-1"},
		"vm snapshot revert web-1 ":  {"before"},
		"vm disk grow web-1 ":        {"vol-1"},
		"vm nic remove web-1 ":       {"nic-1"},
		"vm create db-2 --image ":    {"tiny"},
		"vm create db-2 --node th":   {"thor"},
		"vm nic add web-1 ":          {"default"},
		"node cordon ":               {"thor"},
		"image delete t":             {"tiny"},
		"operation show ":            {"op-1"},
		"vm create db-2 --network x": nil,
	} {
		out, _ := typed(t, answers, append([]string{"__complete"}, strings.Split(line, " ")...)...)
		var got []string
		for offered := range strings.Lines(out) {
			if offered = strings.TrimSpace(offered); offered != "" && !strings.HasPrefix(offered, ":") && !strings.HasPrefix(offered, "Completion ended") {
				got = append(got, offered)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestVerbs_beginWithEveryVMBeforeTheyWaitForAny(t *testing.T) {
	op := func(name string) string {
		return `{"id":"op-` + name + `","status":"succeeded","ended_at":"2026-11-23T06:25:37Z"}`
	}
	answers := map[string]string{}
	for _, name := range []string{"a", "c"} {
		answers["POST /api/v1/vms/"+name+"/start"] = `{"id":"vm-` + name + `","name":"` + name + `","operation":` + op(name) + `}`
		answers["GET /api/v1/operations/op-"+name] = op(name)
		answers["GET /api/v1/vms/vm-"+name] = `{"name":"` + name + `","status":"running"}`
	}
	out, asked := typed(t, answers, "vm", "start", "a", "b", "c")
	want := []string{"POST /api/v1/vms/a/start", "POST /api/v1/vms/b/start", "POST /api/v1/vms/c/start",
		"GET /api/v1/operations/op-a", "GET /api/v1/vms/vm-a", "GET /api/v1/operations/op-c", "GET /api/v1/vms/vm-c"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q\nwant  %q", asked, want)
	}
	for _, line := range []string{"novacron: b: nothing is here", "a is running.", "c is running."} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is not in\n%s", line, out)
		}
	}
}

func TestVMSet_keepsWhatOfTheAutostartIsNotNamed(t *testing.T) {
	var sent string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			var b bytes.Buffer
			b.ReadFrom(r.Body) //nolint:errcheck // the test sees what came
			sent = r.Header.Get("If-Match") + " " + strings.TrimSpace(b.String())
		}
		w.Write([]byte(`{"name":"web-1","version":7,"autostart":{"enabled":true,"order":3,"delay_s":30}}`)) //nolint:errcheck // likewise
	}))
	defer s.Close()
	t.Setenv("NOVACRON_URL", s.URL)
	t.Setenv("NOVACRON_TOKEN", "token")
	var out bytes.Buffer
	root := newRoot(&session{in: strings.NewReader(""), out: &out, err: &out, format: asTable})
	root.SetArgs([]string{"vm", "set", "web-1", "--autostart-order", "5"})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := `"7" {"autostart":{"enabled":true,"order":5,"delay_s":30}}`; sent != want {
		t.Errorf("sent %s, want %s", sent, want)
	}
}

func TestDiskOf_takesAnIDOrItsNumber(t *testing.T) {
	v := wire.VM{VMSummary: wire.VMSummary{Name: "web-1"}, Disks: []vm.Disk{{ID: "vol-a"}, {ID: "vol-b"}}}
	for ref, want := range map[string]id.Volume{"2": "vol-b", "vol-a": "vol-a"} {
		if got, err := diskOf(v, ref); err != nil || got != want {
			t.Errorf("%s: got %s, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"0", "3", "-1"} {
		if _, err := diskOf(v, ref); err == nil || !strings.Contains(err.Error(), "vm disk list web-1") {
			t.Errorf("%s: %v, want a refusal that says where the numbers stand", ref, err)
		}
	}
}

func TestFields_putFurtherLinesBelowTheFirst(t *testing.T) {
	var out bytes.Buffer
	if err := fields(&out, "name", "web-1", "disks", "one\ntwo", "empty", ""); err != nil {
		t.Fatal(err)
	}
	if want := "name:   web-1\ndisks:  one\n        two\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
