// Package wire is the protocol: every message between the roles and every frame of the client link, with its number,
// its Go struct, its layout and its codec.
//
// # Messages
//
// A [Message] has recipients, a sender and a [Body]: a pointer to one of the structs of this package. Each struct
// stands with its code method, which names the members in the order of the layout; that one method encodes, decodes,
// prints and documents the message. Numbers are in numbers.go; who sends what to whom is there, too. docs/protocol.md is
// made from all this and checked by a test.
//
// Bytes are msgpack. A message is an array of number, recipients, sender, body and an optional [Trace]; a body and
// every struct in it is an array of its members. What is none (no id, no location, no channel, no version) is nil.
// Field values travel as they are, encoded: package fields says how.
//
// Within a process messages are passed as they are. Once sent, neither a message nor its bytes are ever changed.
//
// # The client link
//
// A [Frame] is an array of its number and members. A stream is a sequence of frames; a datagram has one or more whole ones.
// The most frequent frames have functions of their own, which allocate nothing: [AppendClientUpdate], [ParseClientSet].
//
// # Bad input
//
// Decoding never panics and allocates no more than a small multiple of the input; lists are counted against the bytes that
// are there. Every prefix of a message is an error, and so are bytes behind its end, members too few or too many,
// numbers out of their range, text that is not UTF-8.
//
// # Text
//
// String of every message is one line; a [Printer] gives the same line with names and values as people write them:
//
//	avatar1 -> location street/20: EnterLocation avatar1 Avatar street/20 {Name:"Flippy" HP:15}
package wire
