// Package wire holds what travels between the API and its clients, as JSON: one struct per shape, with the bounds that the
// API's description publishes in its tags. Requests and answers are different types, since what an answer always has a
// request need not say. The package deliberately decides nothing and stands in core so that server and client share it
// without sharing anything else.
package wire
