// Package dc reads .dc files, the schema language of Panda3D, Astron and the servers before them, and turns them
// into our schema and from there into Go. docs/schema.md has the whole mapping as a table.
//
// [Read] reads one or more files, as one text in the given order, into a [File]: what the files say, with nothing
// left out that the other readers count. From a File come
//
//   - [File.Schema], the classes as this project has them, with a [Notice] for everything in the files that has no
//     place here and is left out or said differently: nothing is dropped in silence;
//   - [File.PandaHash] and [File.AstronHash], the 32-bit numbers by which clients and servers of those projects
//     know whether they have the same files (rule 154);
//   - [GoSource], the Go declarations of a schema.
//
// What [do.Schema.Text] writes is a .dc file, too, with structured comments (//! and a space) for what .dc cannot
// say; Read understands these and gives the same schema back.
//
// # What is read
//
// All of the language but one construct: keyword, import, typedef, struct and dclass with several parents, atomic,
// molecular and parameter fields, every built-in type (the old int16array and its kin, too), ranges, divisors,
// modulus, arrays, defaults with lists and repetition, both kinds of comments, hexadecimal numbers and strings, and
// the escapes within quotes. A switch is refused: it is a union, for which neither Go nor a column of a database has
// a type. Names are used after they were declared.
//
// Errors wrap [do.ErrSchema] and begin with file, line and column.
package dc
