package api

import (
	"context"
	"net/http"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// addGovernment adds tenants, roles, accounts and the audit log.
func (a *API) addGovernment() {
	a.addTenants()
	a.addUsers()
	a.addRoles()
	add(a, govern(auth.ReadAudit), "GET /api/v1/audit", op("listAudit", "Who did what, newest first", "Audit"), func(ctx context.Context, in *struct {
		Lister
		User    id.User `query:"user" maxLength:"100" doc:"Id"`
		Action  string  `query:"action" maxLength:"64" doc:"For example vm.create or vm.*"`
		Subject string  `query:"subject" maxLength:"100" doc:"For example vm/ID"`
	}) (*body[wire.List[wire.AuditEntry]], error) {
		return answer(a.App.Audit(ctx, caller(ctx), app.ListAudit{ListRequest: in.request(), User: in.User, Action: in.Action, Subject: in.Subject}))
	})
	add(a, govern(auth.ReadAudit), "GET /api/v1/audit/check", op("checkAudit", "Check that no entry was changed or removed", "Audit"), func(ctx context.Context, _ *struct{}) (*body[wire.AuditCheck], error) {
		return answer(a.App.VerifyAudit(ctx, caller(ctx)))
	})
}

func (a *API) addRoles() {
	const tag = "Users"
	write := govern(auth.WriteAccount)
	add(a, signedIn, "GET /api/v1/roles", op("listRoles", "List roles and what they may do", tag), func(ctx context.Context, _ *struct{}) (*body[wire.List[wire.Role]], error) {
		return answer(a.App.Roles(ctx, caller(ctx)))
	})
	add(a, signedIn, "GET /api/v1/roles/{id}", op("getRole", "Show a role", tag), func(ctx context.Context, in *Ref) (*body[wire.Role], error) {
		r, err := a.App.Role(ctx, caller(ctx), auth.Role(in.ID))
		if err != nil {
			return nil, err
		}
		return &body[wire.Role]{ETag: etag(r.Version), Body: r}, nil
	})
	add(a, write, "POST /api/v1/roles", op("createRole", "Make a role of actions and the tenants that they reach", tag), func(ctx context.Context, in *struct{ Body wire.CreateRole }) (*created[wire.Role], error) {
		r, err := a.App.CreateRole(ctx, caller(ctx), in.Body)
		if err != nil {
			return nil, err
		}
		return &created[wire.Role]{Status: http.StatusCreated, Location: "/api/v1/roles/" + string(r.Name), Body: r}, nil
	})
	add(a, write, "PATCH /api/v1/roles/{id}", op("updateRole", "Change an own role, from the next request on of everybody who has it", tag), func(ctx context.Context, in *struct {
		Ref
		IfMatched
		Body wire.UpdateRole
	}) (*body[wire.Role], error) {
		version, err := versionOf(in.IfMatch)
		if err != nil {
			return nil, err
		}
		return answer(a.App.UpdateRole(ctx, caller(ctx), auth.Role(in.ID), in.Body, version))
	})
	add(a, write, "DELETE /api/v1/roles/{id}", op("deleteRole", "Delete an own role that nobody has", tag), func(ctx context.Context, in *Ref) (*struct{}, error) {
		return nil, a.App.DeleteRole(ctx, caller(ctx), auth.Role(in.ID))
	})
}

func (a *API) addTenants() {
	const tag = "Tenants"
	read, write := may(auth.ReadTenant), govern(auth.WriteTenant)
	add(a, read, "GET /api/v1/tenants", op("listTenants", "List tenants: all for administrators, else the own one", tag), func(ctx context.Context, in *Lister) (*body[wire.List[wire.Tenant]], error) {
		return answer(a.App.ListTenants(ctx, caller(ctx), in.request()))
	})
	add(a, read, "GET /api/v1/tenants/{id}", op("getTenant", "Show a tenant, its quota and what it uses", tag), func(ctx context.Context, in *Ref) (*body[wire.Tenant], error) {
		t, err := a.App.Tenant(ctx, caller(ctx), in.ID)
		if err != nil {
			return nil, err
		}
		return &body[wire.Tenant]{ETag: etag(t.Version), Body: t}, nil
	})
	add(a, write, "POST /api/v1/tenants", op("createTenant", "Make a tenant", tag), func(ctx context.Context, in *struct{ Body wire.CreateTenant }) (*created[wire.Tenant], error) {
		t, err := a.App.CreateTenant(ctx, caller(ctx), in.Body)
		if err != nil {
			return nil, err
		}
		return &created[wire.Tenant]{Status: http.StatusCreated, Location: "/api/v1/tenants/" + string(t.ID), Body: t}, nil
	})
	add(a, write, "PATCH /api/v1/tenants/{id}", op("updateTenant", "Rename a tenant or change its quota", tag), func(ctx context.Context, in *struct {
		Ref
		IfMatched
		Body wire.UpdateTenant
	}) (*body[wire.Tenant], error) {
		version, err := versionOf(in.IfMatch)
		if err != nil {
			return nil, err
		}
		return answer(a.App.UpdateTenant(ctx, caller(ctx), in.ID, in.Body, version))
	})
	add(a, write, "DELETE /api/v1/tenants/{id}", op("deleteTenant", "Delete a tenant that has nothing left", tag), func(ctx context.Context, in *Ref) (*struct{}, error) {
		return nil, a.Accounts.DeleteTenant(ctx, caller(ctx), in.ID)
	})
}

func (a *API) addUsers() {
	const tag = "Users"
	read, write := govern(auth.ReadAccount), govern(auth.WriteAccount)
	add(a, read, "GET /api/v1/users", op("listUsers", "List accounts", tag), func(ctx context.Context, in *Lister) (*body[wire.List[wire.User]], error) {
		return answer(a.App.ListUsers(ctx, caller(ctx), in.request()))
	})
	add(a, read, "GET /api/v1/users/{id}", op("getUser", "Show an account", tag), func(ctx context.Context, in *Ref) (*body[wire.User], error) {
		u, err := a.App.User(ctx, caller(ctx), in.ID)
		if err != nil {
			return nil, err
		}
		return &body[wire.User]{ETag: etag(u.Version), Body: u}, nil
	})
	add(a, write.unkept(), "POST /api/v1/users", op("createUser", "Make an account", tag), func(ctx context.Context, in *struct{ Body wire.CreateUser }) (*created[wire.User], error) {
		u, err := a.Accounts.Create(ctx, caller(ctx), in.Body)
		if err != nil {
			return nil, err
		}
		return &created[wire.User]{Status: http.StatusCreated, Location: "/api/v1/users/" + string(u.ID), Body: u}, nil
	})
	add(a, write, "PATCH /api/v1/users/{id}", op("updateUser", "Change an account's role or tenant, or close it", tag), func(ctx context.Context, in *struct {
		Ref
		IfMatched
		Body wire.UpdateUser
	}) (*body[wire.User], error) {
		version, err := versionOf(in.IfMatch)
		if err != nil {
			return nil, err
		}
		return answer(a.Accounts.UpdateUser(ctx, caller(ctx), in.ID, in.Body, version))
	})
	add(a, read, "GET /api/v1/users/{id}/sessions", op("listUserSessions", "List where somebody is signed in", tag), func(ctx context.Context, in *Ref) (*body[wire.List[wire.Session]], error) {
		return answer(a.Accounts.UserSessions(ctx, caller(ctx), in.ID))
	})
	add(a, write, "DELETE /api/v1/users/{id}/sessions", op("endUserSessions", "Sign somebody out everywhere", tag), func(ctx context.Context, in *Ref) (*struct{}, error) {
		return nil, a.Accounts.EndUserSessions(ctx, caller(ctx), in.ID, "")
	})
	add(a, write, "DELETE /api/v1/users/{id}/sessions/{session}", op("endUserSession", "End one session of somebody", tag), func(ctx context.Context, in *struct {
		Ref
		Session id.Session `path:"session" maxLength:"100"`
	}) (*struct{}, error) {
		return nil, a.Accounts.EndUserSessions(ctx, caller(ctx), in.ID, in.Session)
	})
	add(a, write.unkept(), "POST /api/v1/users/{id}/reset-second-factor", op("resetUserFactor", "Take the second factors of somebody who has lost them away", tag), func(ctx context.Context, in *struct {
		Ref
		Body wire.PasswordOnly
	}) (*struct{}, error) {
		return nil, a.Accounts.ResetFactor(ctx, caller(ctx), in.ID, in.Body.Password)
	})
	a.addMemberships()
	a.addInvites()
	add(a, write, "DELETE /api/v1/users/{id}", op("deleteUser", "Delete an account; what it made stays with its tenant", tag), func(ctx context.Context, in *Ref) (*struct{}, error) {
		return nil, a.Accounts.DeleteUser(ctx, caller(ctx), in.ID)
	})
}

func (a *API) addMemberships() {
	const tag = "Users"
	type Place struct {
		Ref
		Tenant string `path:"tenant" maxLength:"100" doc:"Id or name"`
	}
	add(a, signedIn, "GET /api/auth/memberships", op("listOwnMemberships", "List the tenants that I may act in, with my role in each", tag), func(ctx context.Context, _ *struct{}) (*body[wire.List[wire.Membership]], error) {
		return answer(a.Accounts.OwnMemberships(ctx, caller(ctx)))
	})
	add(a, govern(auth.ReadAccount), "GET /api/v1/users/{id}/memberships", op("listMemberships", "List the tenants that somebody may act in, with the role in each", tag), func(ctx context.Context, in *Ref) (*body[wire.List[wire.Membership]], error) {
		return answer(a.Accounts.Memberships(ctx, caller(ctx), in.ID))
	})
	add(a, govern(auth.WriteAccount), "PUT /api/v1/users/{id}/memberships/{tenant}", op("putMembership", "Let somebody act in one more tenant, or give another role there", tag), func(ctx context.Context, in *struct {
		Place
		Body wire.PutMembership
	}) (*body[wire.Membership], error) {
		return answer(a.Accounts.PutMembership(ctx, caller(ctx), in.ID, in.Tenant, in.Body))
	})
	add(a, govern(auth.WriteAccount), "DELETE /api/v1/users/{id}/memberships/{tenant}", op("deleteMembership", "End what somebody may do in a tenant, with the API tokens that act there", tag), func(ctx context.Context, in *Place) (*struct{}, error) {
		return nil, a.Accounts.DeleteMembership(ctx, caller(ctx), in.ID, in.Tenant)
	})
}

func (a *API) addInvites() {
	const tag = "Users"
	add(a, govern(auth.ReadAccount), "GET /api/v1/invites", op("listInvites", "List the invitations that nobody has used yet, newest first", tag), func(ctx context.Context, in *Lister) (*body[wire.List[wire.Invite]], error) {
		return answer(a.Accounts.Invites(ctx, caller(ctx), in.request()))
	})
	add(a, govern(auth.WriteAccount).unkept(), "POST /api/v1/invites", op("createInvite", "Invite somebody to make an account; the link is mailed, and shown once", tag), func(ctx context.Context, in *struct{ Body wire.CreateInvite }) (*created[wire.InviteMade], error) {
		out, err := a.Accounts.Invite(ctx, caller(ctx), in.Body)
		if err != nil {
			return nil, err
		}
		return &created[wire.InviteMade]{Status: http.StatusCreated, Body: out}, nil
	})
	add(a, govern(auth.WriteAccount), "DELETE /api/v1/invites/{id}", op("deleteInvite", "Withdraw an invitation: nobody makes an account with it any more", tag), func(ctx context.Context, in *Ref) (*struct{}, error) {
		return nil, a.Accounts.Withdraw(ctx, caller(ctx), id.Invite(in.ID))
	})
}
