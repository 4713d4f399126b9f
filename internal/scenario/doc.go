// Package scenario runs stories: text files in which commands stand with the messages that they cause. They are the
// first tests of every role, and read as documentation.
//
//	# An avatar walks out of its zone. (rules 30, 32)
//
//	move avatar1 from=ai1 to=street/21
//	----
//	ai1 -> location street/20: ChangingLocation avatar1 street/20 -> street/21
//	avatar1 -> location street/21: EnterLocation avatar1 Avatar street/21 {Name:"Flippy" HP:15}
//
// A file is a list of blocks: lines of commands, a line of four dashes, and the expected output up to an empty line.
// A line that begins with spaces belongs to the command before it. Lines that begin with # are comments. Words of a
// command are separated by spaces; KEY=VALUE gives an argument, in which quotes and brackets keep spaces together.
//
// What a command means is the role's business: [Walk] calls it with each [Command]. [World] has what most roles need:
// names for DoIDs and channels, values as text, and the requests to a state server. [Net] is a small message director:
// it delivers what cores send to each other, one message after the other, and prints everything in the order in which
// it was sent.
//
// Golden output is rewritten when Walk is told so, and read as a diff.
package scenario
