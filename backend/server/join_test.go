package server_test

import (
	"strings"
	"testing"

	"novacron/backend/agent/remote"
	"novacron/backend/client"
	"novacron/backend/core/wire"
	"novacron/backend/server"
)

func TestJoinToken_letsAMachineJoinAsItIs(t *testing.T) {
	dir := t.TempDir()
	s, c := start(t, dir)
	defer s.Close()
	if _, err := client.NewAdmin(server.PathsFor(dir).AdminSocket()).CreateUser(t.Context(), wire.CreateUser{Username: "ana", Email: "ana@example.org", Password: password, Role: "administrator"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Login(t.Context(), "ana", password); err != nil {
		t.Fatal(err)
	}
	token, err := c.CreateJoinToken(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(token.Command, " --join "+token.Token) {
		t.Errorf("the command %q does not end with the token %q", token.Command, token.Token)
	}
	if _, err := remote.Join(t.Context(), nil, s.Addresses()["node"], token.Token, t.TempDir()); err != nil {
		t.Error(err)
	}
}
