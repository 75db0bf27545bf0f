package store

import "testing"

// TestWritesStanding_ofTheTablesOfAStandingAlone: a VM that is written does not make every server read the standing of every account again.
func TestWritesStanding_ofTheTablesOfAStandingAlone(t *testing.T) {
	for query, want := range map[string]bool{
		"update users set role = ? where id = ?":               true,
		"insert into tenants (id, name) values (?, ?)":         true,
		"delete from roles where name = ?":                     true,
		"insert into memberships (user_id) values (?)":         true,
		"delete from second_factors where user_id = ?":         true,
		"insert into passkeys (id, user_id) values (?, ?)":     true,
		"insert into vms (id, name) values (?, ?)":             false,
		"update operations set state = ? where id = ?":         false,
		"delete from sessions where user_id = ?":               false,
		"select role from users where id = ?":                  false,
		"update nodes set users = ? where id = ?":              false,
		"insert into users_of_something (id) values (?)":       false,
		"insert into audit (action) values ('update users 1')": false,
	} {
		if got := writesStanding(query); got != want {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}
