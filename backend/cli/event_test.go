package cli

import "testing"

func TestEventWords_tellWhatAPersonWantsToKnow(t *testing.T) {
	for data, want := range map[string][2]string{
		`{"name":"web-1","status":"stopped","previous":"running","reason":"the guest powered off"}`:                                    {"web-1", "running to stopped, the guest powered off"},
		`{"name":"web-1","status":"running","previous":"running"}`:                                                                     {"web-1", "running"},
		`{"kind":"vm.create","subject_name":"web-1","status":"failed","error":{"message":"the node has no room"},"by":"ana","step":1}`: {"web-1", "vm.create, failed, the node has no room, by ana"},
		`{"expires_at":"2026-11-23T06:25:37Z"}`:                                                                                        {"", `{"expires_at":"2026-11-23T06:25:37Z"}`},
		`{"username":"ana"}`:                                                                                                           {"ana", ""},
		`{"name":7}`:                                                                                                                   {"", `{"name":7}`},
	} {
		if name, words := eventWords([]byte(data)); name != want[0] || words != want[1] {
			t.Errorf("%s\ngot  %q, %q\nwant %q", data, name, words, want)
		}
	}
}
