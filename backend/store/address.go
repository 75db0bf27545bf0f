package store

import (
	"context"
	"encoding/binary"
	"net/netip"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Address is an IPv4 address that a NIC has for its life.
type Address struct {
	Network id.Network
	Address string
	NIC     id.NIC
	VM      id.VM
	MAC     string // unique on the whole platform
}

func scanAddress(r row) (a Address, err error) {
	return a, r.Scan(&a.Network, &a.Address, &a.NIC, &a.VM, &a.MAC)
}

// AllocateAddress gives the NIC the address behind the highest that is taken, and the lowest free one once the network's end is
// reached; never the gateway's. So an address that became free rests for a while, and finding one takes no longer with many.
// Repeated for a NIC that has one, it gives that. fault.Exhausted: the network is full. fault.Conflict: the MAC is in use. The VM's row must be there.
func (t *Tx) AllocateAddress(ctx context.Context, network id.Network, nic id.NIC, vm id.VM, mac string) (Address, error) {
	var none Address
	w, err := t.Network(ctx, network) // locked: two allocations must not find the same gap
	if err != nil {
		return none, err
	}
	// On PostgreSQL the lock above and this statement see different instants, so what was there before is looked up after it.
	have, err := one(ctx, &t.Reader, nil, scanAddress, "select network, address, nic, vm, mac from addresses where nic = $1", nic)
	if err != nil || have.NIC != "" {
		return have, err
	}
	first, last, gateway, err := hosts(w)
	if err != nil {
		return none, err
	}
	n, err := t.behindHighest(ctx, first, last, gateway, "select max(number) from addresses where network = $1 and number >= $2 and number <= $3", network, first, last)
	if err == nil && n == nil {
		n, err = t.number(ctx, `select min(n) from (select cast($2 as bigint) as n union select number + 1 from addresses
			where network = $1 and number >= $2 and number < $3 union select cast($4 as bigint) + 1) as c
			where n >= $2 and n <= $3 and n <> $4 and not exists (select 1 from addresses a where a.network = $1 and a.number = c.n)`,
			network, first, last, gateway)
	}
	if err != nil {
		return none, err
	}
	if n == nil {
		return none, fault.New(fault.Exhausted, "network_full", "network %q has no free address left; delete a VM on it or use another network", w.Name)
	}
	a := Address{network, unpack(*n).String(), nic, vm, mac}
	rows, err := t.exec(ctx, "insert into addresses (network, number, address, nic, vm, mac) values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
		a.Network, *n, a.Address, a.NIC, a.VM, a.MAC)
	if err == nil && rows == 0 {
		err = fault.New(fault.Conflict, "mac_taken", "another NIC has the MAC address %s; pick another", mac).On("mac")
	}
	return a, err
}

// behindHighest gives the number behind the one that the query reads, or first when it reads none; but not the one to skip. nil: it
// would be behind last.
func (t *Tx) behindHighest(ctx context.Context, first, last, skip int64, query string, args ...any) (*int64, error) {
	n, err := t.number(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	next := first
	if n != nil {
		next = *n + 1
	}
	if next == skip {
		next++
	}
	if next > last {
		return nil, nil
	}
	return &next, nil
}

// number reads a number, nil when there is none.
func (t *Tx) number(ctx context.Context, query string, args ...any) (*int64, error) {
	return one(ctx, &t.Reader, nil, func(r row) (n *int64, err error) { return n, r.Scan(&n) }, query, args...)
}

// hosts gives the first and last address for guests and the gateway, as numbers.
func hosts(w Network) (first, last, gateway int64, err error) {
	p, err := netip.ParsePrefix(w.Subnet)
	if err != nil || !p.Addr().Is4() || p.Bits() > 30 || p.Bits() < 8 {
		return 0, 0, 0, fault.New(fault.Invalid, "subnet_invalid", "network %q has subnet %q; IPv4 from /8 to /30 is expected", w.Name, w.Subnet).On("subnet")
	}
	base := pack(p.Masked().Addr())
	if g, err := netip.ParseAddr(w.Gateway); err == nil && g.Is4() {
		gateway = pack(g)
	}
	return base + 1, base + 1<<(32-p.Bits()) - 2, gateway, nil
}

func pack(a netip.Addr) int64 { b := a.As4(); return int64(binary.BigEndian.Uint32(b[:])) }

func unpack(n int64) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	return netip.AddrFrom4(b)
}

// Addresses reads the addresses of a VM, by network and number.
func (r *Reader) Addresses(ctx context.Context, vm id.VM) ([]Address, error) {
	return many(ctx, r, scanAddress, "select network, address, nic, vm, mac from addresses where vm = $1 order by network, number", vm)
}

// ReleaseAddresses gives all addresses of a VM back; none is success.
func (t *Tx) ReleaseAddresses(ctx context.Context, vm id.VM) error {
	_, err := t.exec(ctx, "delete from addresses where vm = $1", vm)
	return err
}

// ReleaseAddress gives the address of one NIC back; none is success.
func (t *Tx) ReleaseAddress(ctx context.Context, nic id.NIC) error {
	_, err := t.exec(ctx, "delete from addresses where nic = $1", nic)
	return err
}

// AllocateUID gives the VM a free user id from first to last, in the order of AllocateAddress, or the one that it has: a process that
// a deleted VM may have left does not meet its id's next owner at once. fault.Exhausted: all are
// taken. The VM's row must be there.
func (t *Tx) AllocateUID(ctx context.Context, vm id.VM, first, last int) (int, error) {
	if err := t.Lock(ctx, "uid"); err != nil {
		return 0, err
	}
	have, err := one(ctx, &t.Reader, nil, func(r row) (n int, err error) { return n, r.Scan(&n) }, "select uid from uids where vm = $1", vm)
	if err != nil || have != 0 {
		return have, err
	}
	n, err := t.behindHighest(ctx, int64(first), int64(last), 0, "select max(uid) from uids where uid >= $1 and uid <= $2", first, last)
	if err == nil && n == nil {
		n, err = t.number(ctx, `select min(n) from (select cast($1 as bigint) as n union select uid + 1 from uids
			where uid >= $1 and uid < $2) as c where n >= $1 and n <= $2 and not exists (select 1 from uids u where u.uid = c.n)`, first, last)
	}
	if err != nil {
		return 0, err
	}
	if n == nil {
		return 0, fault.New(fault.Exhausted, "uids_used_up", "all %d user ids for VMs are taken; widen the range in the settings", last-first+1)
	}
	_, err = t.exec(ctx, "insert into uids (uid, vm) values ($1, $2)", *n, vm)
	return int(*n), err
}

// ReleaseUID gives the VM's user id back; none is success.
func (t *Tx) ReleaseUID(ctx context.Context, vm id.VM) error {
	_, err := t.exec(ctx, "delete from uids where vm = $1", vm)
	return err
}
