package cli

import "testing"

func TestEventWords_tellWhatAPersonWantsToKnow(t *testing.T) {
	for data, want := range map[string]string{
		`{"name":"web-1","status":"stopped","previous":"running","reason":"the guest powered off"}`:             "web-1, running to stopped, the guest powered off",
		`{"name":"web-1","status":"running","previous":"running"}`:                                              "web-1, running",
		`{"kind":"vm.create","status":"failed","error":{"message":"the node has no room"},"by":"ana","step":1}`: "vm.create, failed, the node has no room, by ana",
		`{"expires_at":"2026-11-23T06:25:37Z"}`:                                                                 `{"expires_at":"2026-11-23T06:25:37Z"}`,
		`{"name":7}`:                                                                                            `{"name":7}`,
	} {
		if got := eventWords([]byte(data)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", data, got, want)
		}
	}
}
