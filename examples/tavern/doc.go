// Package tavern is a small game, complete enough to be a model: avatars walk a street of 8 x 8 zones, see those
// around them without naming zones, enter taverns (a zone inside an object), talk, buy drinks with gold that is kept in the
// database, and trade mugs.
//
//   - class.go: the classes, which clients and AI share
//   - place.go: the ground: where the street is, its grid, how fast one walks
//   - world.go, avatar.go, realm.go: the AI's side: what the world is made of, and the rules
//   - wages.go: a durable job
//   - trade.go: a transaction over two objects
//   - bot.go and what follows it: a client that plays by itself, for demos and load
//
// Package ai runs the world as a program of its own, package client one bot.
package tavern
