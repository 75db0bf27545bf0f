// Package auth decides who somebody is and what they may do: how passwords are kept, who a caller is, and which caller may
// act on which object. It is pure: sessions, tokens and rate limits, which need a clock and a database, live in package
// session.
package auth
