// Package sim runs a whole cluster in one goroutine, from a seed: several state servers, two agents, the database role,
// three AIs and a dozen clients, all of them the real cores, between which a simulated network delays, reorders and
// loses.
//
// # What happens
//
// [Run] draws everything from its seed. AIs create, move, delete, hand over and activate objects and answer calls;
// clients log in, open, alter and close interests, set, move, call, misbehave, stall, hang up and dial again; a tool sets
// random fields of a random schema; links are cut, clocks jump, and AIs, agents and States die, or all servers at once, and
// AIs that were cut off come back. Messages of one participant to another stay in order, those of different pairs overtake
// each other. After Options.Steps messages and frames the actors stop, links are whole again, and time goes on until nothing
// is under way and the digests have run.
//
// # What must hold then
//
//   - What each client and each AI sees, owns and runs is what a full scan of the States' memory says it must: which
//     objects, where, and every field that it can hear. The scan shares no code with queries, interests or the agent.
//   - A parent's list is what the scan finds below it; the rows of the database are what is in memory.
//
// And at all times: each enter has one disable or delete; an interest, a call, a request has one answer; a refused
// message changes nothing; an alias means one object; gold is neither made nor lost by bundles; what is forbidden to
// clients reaches no State.
//
// Each run gives a hash of everything that happened, so that two runs of a seed can be compared, and counts the
// situations that it met: over many seeds none of them may be missing.
package sim
