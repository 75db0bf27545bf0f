package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"novacron/backend/core/wire"
)

// answering is the command line signed in to a server that answers everything with v.
func answering(t *testing.T, v any) func(line string) (out string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("NOVACRON_URL", server.URL)
	t.Setenv("NOVACRON_TOKEN", "token")
	return func(line string) (string, error) {
		var out bytes.Buffer
		root := newRoot(&session{in: strings.NewReader(""), out: &out, err: io.Discard, format: asTable})
		root.SetArgs(strings.Fields(line))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
}

func TestYAML_ofSeveralVMsIsADocumentForEach(t *testing.T) {
	run := answering(t, wire.VMAnswer{VM: wire.VM{VMSummary: wire.VMSummary{Name: "web-1"}}})
	out, err := run("vm pause web-1 web-2 -o yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents := 0
	for decoder := yaml.NewDecoder(strings.NewReader(out)); ; documents++ {
		var v map[string]any
		if err := decoder.Decode(&v); err == io.EOF {
			break
		} else if err != nil || v["name"] != "web-1" {
			t.Fatalf("%v in\n%s", err, out)
		}
	}
	if documents != 2 {
		t.Errorf("%d documents, want one of each VM:\n%s", documents, out)
	}
}

func TestOperationWait_givesAScriptTheOperationThatFailed(t *testing.T) {
	run := answering(t, map[string]any{"id": "op-1", "status": "failed", "ended_at": "2026-11-23T06:25:37Z", "error": map[string]string{"message": "no room"}})
	out, err := run("operation wait op-1 -o json")
	var o wire.Operation
	if json.Unmarshal([]byte(out), &o) != nil || o.ID != "op-1" || err == nil || err.Error() != "no room" {
		t.Errorf("got %q and the error %v", out, err)
	}
}

func TestImport_thatIsInterruptedSaysWhatStays(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			io.WriteString(w, `{"id":"img-1"}`) //nolint:errcheck // the test sees
		case http.MethodHead:
			w.Header().Set("Upload-Offset", "0")
		default:
			interrupt()
		}
	}))
	defer server.Close()
	t.Setenv("NOVACRON_URL", server.URL)
	t.Setenv("NOVACRON_TOKEN", "token")
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, []byte("disk"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := newRoot(&session{out: io.Discard, err: io.Discard, format: asTable})
	root.SetArgs([]string{"image", "import", "big", file})
	if err := root.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), "`novacron image delete big` removes") {
		t.Errorf("got %v", err)
	}
}
