// Package fields knows the values that an object's fields can hold: their types, their constraints, and their bytes.
//
// It is the lowest package of the project and imports only the standard library.
// Everything that travels or is stored is one msgpack value per field, self-delimiting, so that a server can hold
// and forward it without understanding it, and anybody's msgpack library can read it.
//
// # How a type is written
//
// A class declares its fields as struct members with a `do:"..."` tag. [ParseTag] reads the tag, [TypeOf] makes a
// [Type] of the member's Go type and the constraints in the tag, and [CodecOf] compiles a [Codec] for both.
// The Type has a canonical text ([Type.String], read back by [ParseType]), which is what schemas and fingerprints hold.
//
// # How a value is encoded
//
//	bool                 msgpack bool
//	int8 ... uint64      msgpack int, written in the smallest form, read in any form, range checked
//	float32, float64     msgpack float 32 and 64; a float64 field also takes a float 32
//	string               msgpack str, UTF-8; what is limited is the length in bytes (rule 73)
//	bytes                msgpack bin
//	time                 int, nanoseconds since 1970 UTC; 0 is Go's zero time.Time
//	duration             int, nanoseconds
//	id                   bin of 16 bytes
//	[n]T, []T            msgpack array
//	map T                msgpack map with str keys in ascending byte order, no duplicates
//	{A T, B U}           msgpack array of the members in order, without their names
//	float32 as int16/10  int, round(v*10); a struct of only such values is one bin of little-endian ints
//
// # What is promised
//
//   - Nothing here panics on bytes, however wrong, and nothing allocates more than the bytes justify.
//   - [Type.Check] works on the bytes, builds no value and allocates nothing when the value is right.
//   - Every proper prefix of a right value is wrong, and so is a right value with anything after it.
//   - [Codec] encoders never fail. What Go can hold and the type cannot (an out of range packed float, a time of
//     the year 3000, a NaN to be packed) is encoded as something that Check refuses, never bent into a right value.
//   - A [Codec] decoder refuses exactly what Check refuses, and then leaves the Go value as it was.
package fields
