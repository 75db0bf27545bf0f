package api_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"novacron/backend/api"
)

var update = flag.Bool("update", false, "write openapi.json")

func TestOpenAPI_isWhatIsCheckedIn(t *testing.T) {
	made, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Error("openapi.json differs from what the handlers say; run `go test ./backend/api -run OpenAPI -update` and read the difference")
	}
}
