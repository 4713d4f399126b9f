// Package daemon wires the server roles into one process: a director with its bus, the database role, state servers
// and client agents, and the admin port. It is the body of `otpd run`, and of the demo and the benchmarks.
//
// Start returns when clients can connect; Wait when the daemon has ended, with the reason. Stop ends it in order:
// agents first (their clients are told), then the state servers (which write what is dirty), then the database role,
// then the bus.
package daemon
