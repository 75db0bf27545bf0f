package wire

import (
	"encoding/json"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/id"
)

// Quota bounds what a tenant has. 0 is no limit.
type Quota struct {
	VMs       int `json:"vms" minimum:"0"`
	CPUs      int `json:"cpus" minimum:"0"`
	MemoryMiB int `json:"memory_mib" minimum:"0"`
	DiskGiB   int `json:"disk_gib" minimum:"0"`
	Addresses int `json:"addresses" minimum:"0" doc:"IPv4 addresses of NICs"`
	Snapshots int `json:"snapshots" minimum:"0"`
}

// Tenant is an owner of things, closed to the others.
type Tenant struct {
	ID            id.Tenant `json:"id"`
	Name          string    `json:"name"`
	Quota         Quota     `json:"quota" doc:"0 is no limit"`
	Used          Quota     `json:"used"`
	RequireFactor bool      `json:"require_second_factor" doc:"Its accounts do nothing without a second factor"`
	CreatedAt     time.Time `json:"created_at"`
	Version       int64     `json:"version"`
}

// CreateTenant asks for a tenant.
type CreateTenant struct {
	Name          string `json:"name" minLength:"1" maxLength:"63"`
	Quota         Quota  `json:"quota,omitzero"`
	RequireFactor bool   `json:"require_second_factor,omitempty"`
}

// UpdateTenant changes what is given.
type UpdateTenant struct {
	Name          *string `json:"name,omitempty" minLength:"1" maxLength:"63"`
	Quota         *Quota  `json:"quota,omitempty" doc:"The whole quota"`
	RequireFactor *bool   `json:"require_second_factor,omitempty" doc:"Counts from the next request of each account"`
}

// UpdateUser changes what is given.
type UpdateUser struct {
	Role     *auth.Role `json:"role,omitempty" maxLength:"32" doc:"Built-in or own"`
	Tenant   *string    `json:"tenant,omitempty" maxLength:"100" doc:"Id or name"`
	Disabled *bool      `json:"disabled,omitempty"`
}

// Membership says in which role an account acts in a tenant.
type Membership struct {
	Tenant     id.Tenant `json:"tenant"`
	TenantName string    `json:"tenant_name"`
	Role       auth.Role `json:"role"`
	Own        bool      `json:"own" doc:"The account's own tenant, where it acts unless a request says another one"`
	CreatedAt  time.Time `json:"created_at"`
}

// PutMembership gives an account a role in a tenant.
type PutMembership struct {
	Role auth.Role `json:"role" minLength:"1" maxLength:"32" doc:"Built-in but not administrator, or own"`
}

// Role says what an account of the role may do.
type Role struct {
	Name        auth.Role     `json:"name"`
	Description string        `json:"description"`
	BuiltIn     bool          `json:"built_in" doc:"It cannot be changed or deleted"`
	Actions     []auth.Action `json:"actions" nullable:"false"`
	Tenants     auth.Reach    `json:"tenants" enum:"own,all,named" doc:"Whose things; actions of the platform itself do not depend on it"`
	TenantIDs   []id.Tenant   `json:"tenant_ids" nullable:"false" doc:"With tenants named"`
	Version     int64         `json:"version" doc:"0: built-in"`
}

// CreateRole asks for an own role.
type CreateRole struct {
	Name        auth.Role     `json:"name" minLength:"1" maxLength:"32" doc:"Small letters, digits and -; it stays"`
	Description string        `json:"description,omitempty" maxLength:"200"`
	Actions     []auth.Action `json:"actions" minItems:"1" maxItems:"64" nullable:"false"`
	Tenants     auth.Reach    `json:"tenants,omitempty" enum:"own,all,named" doc:"Absent: own"`
	TenantIDs   []string      `json:"tenant_ids,omitempty" maxItems:"100" doc:"Ids or names, with tenants named"`
}

// UpdateRole changes what is given. It counts from the next request of everybody who has the role.
type UpdateRole struct {
	Description *string        `json:"description,omitempty" maxLength:"200"`
	Actions     *[]auth.Action `json:"actions,omitempty" minItems:"1" maxItems:"64" doc:"All of them"`
	Tenants     *auth.Reach    `json:"tenants,omitempty" enum:"own,all,named"`
	TenantIDs   *[]string      `json:"tenant_ids,omitempty" maxItems:"100" doc:"All of them, with tenants named"`
}

// AuditEntry is who did what.
type AuditEntry struct {
	ID        int64           `json:"id"`
	Time      time.Time       `json:"time"`
	Tenant    id.Tenant       `json:"tenant" doc:"Whose thing it was; empty: the platform's"`
	User      id.User         `json:"user" doc:"Empty: the platform itself"`
	Actor     string          `json:"actor"`
	Action    string          `json:"action"`
	Subject   string          `json:"subject"`
	Address   string          `json:"address"`
	Result    string          `json:"result" doc:"ok, or the code of the refusal"`
	RequestID string          `json:"request_id"`
	Detail    json.RawMessage `json:"detail"`
	Hash      string          `json:"hash" doc:"SHA-256 of this entry and the hash of the one before it"`
}

// VMChange is what the audit log has about a VM for those who may see the VM: without where from.
type VMChange struct {
	ID        int64           `json:"id"`
	Time      time.Time       `json:"time"`
	Actor     string          `json:"actor"`
	Action    string          `json:"action"`
	Result    string          `json:"result" doc:"ok, or the code of the refusal"`
	RequestID string          `json:"request_id"`
	Detail    json.RawMessage `json:"detail" doc:"Of a change: before and after"`
}

// AuditCheck says whether the audit log is whole.
type AuditCheck struct {
	Intact   bool   `json:"intact"`
	Entries  int64  `json:"entries"`
	Head     string `json:"head"`
	BrokenAt int64  `json:"broken_at" doc:"0: nowhere"`
	Sentence string `json:"sentence"`
}
