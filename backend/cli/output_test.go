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
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"novacron/backend/core/wire"
)

func TestYAML_ofSeveralVMsIsADocumentForEach(t *testing.T) {
	out, _ := typed(t, map[string]string{"POST /api/v1/vms/a/pause": `{"id":"vm-1","name":"a"}`, "GET /api/v1/vms/vm-1": `{"name":"a"}`,
		"POST /api/v1/vms/b/pause": `{"id":"vm-2","name":"b"}`, "GET /api/v1/vms/vm-2": `{"name":"b"}`}, "vm", "pause", "a", "b", "-o", "yaml")
	var names []any
	for decoder := yaml.NewDecoder(strings.NewReader(out)); ; {
		var v map[string]any
		if err := decoder.Decode(&v); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		names = append(names, v["name"])
	}
	if !slices.Equal(names, []any{"a", "b"}) {
		t.Errorf("documents of %v, want one of each VM:\n%s", names, out)
	}
}

func TestOperationWait_givesAScriptTheOperationThatFailed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"id":"op-1","status":"failed","ended_at":"2026-11-23T06:25:37Z","error":{"message":"no room"}}`) //nolint:errcheck // the test sees
	}))
	defer server.Close()
	t.Setenv("NOVACRON_URL", server.URL)
	t.Setenv("NOVACRON_TOKEN", "token")
	var out bytes.Buffer
	root := newRoot(&session{out: &out, err: io.Discard, format: asTable})
	root.SetArgs([]string{"operation", "wait", "op-1", "-o", "json"})
	err := root.ExecuteContext(t.Context())
	var o wire.Operation
	if json.Unmarshal(out.Bytes(), &o) != nil || o.ID != "op-1" || err == nil || err.Error() != "no room" {
		t.Errorf("got %q and the error %v", out.String(), err)
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
