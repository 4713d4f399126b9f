package do

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Declarations that are wrong, each in one way.
type (
	noObject struct {
		HP int16 `do:"ram"`
	}
	objectMember struct {
		Obj Object `do:"ram"`
	}
	objectPointer struct {
		*Object
		HP int16 `do:"ram"`
	}
	parentPointer struct {
		Object
		*Named
	}
	parentTag struct {
		Object
		Named `do:"ram"`
	}
	parentLate struct {
		Object
		HP int16 `do:"ram"`
		Named
	}
	parentNoClass struct {
		Object
		testVec2
	}
	noTag struct {
		Object
		HP int16
	}
	eventNoTag struct {
		Object
		Say Event[string]
	}
	unexported struct {
		Object
		hp int16 `do:"ram"`
	}
	pointer struct {
		Object
		HP *int16 `do:"ram"`
	}
	unsized struct {
		Object
		HP int `do:"ram"`
	}
	channel struct {
		Object
		C chan int8 `do:"ram"`
	}
	unknownWord struct {
		Object
		HP int16 `do:"ram,brodcast"`
	}
	emptyWord struct {
		Object
		HP int16 `do:"ram,,db"`
	}
	notStored struct {
		Object
		HP int16 `do:"broadcast"`
	}
	eventStored struct {
		Object
		Say Event[string] `do:"ram,broadcast"`
	}
	eventClRecv struct {
		Object
		Say Event[string] `do:"clrecv"`
	}
	eventLatest struct {
		Object
		Say Event[string] `do:"broadcast,latest"`
	}
	eventDefault struct {
		Object
		Say Event[string] `do:"broadcast,default=\"x\""`
	}
	callStored struct {
		Object
		Buy Call[string, string] `do:"ownsend,db"`
	}
	callWide struct {
		Object
		Buy Call[string, string] `do:"ownsend,broadcast"`
	}
	callTwo struct {
		Object
		Buy Call[string, string] `do:"ownsend,ownrecv"`
	}
	callReview struct {
		Object
		Buy Call[string, string] `do:"ownsend,review"`
	}
	callReply struct {
		Object
		Buy Call[string, int] `do:"ownsend"`
	}
	aiSend struct {
		Object
		HP int16 `do:"ram,ai,ownsend"`
	}
	indexRAM struct {
		Object
		HP int16 `do:"ram,index"`
	}
	uniqueList struct {
		Object
		L []string `do:"db,unique"`
	}
	clrecvDB struct {
		Object
		HP int16 `do:"db,clrecv"`
	}
	latestDB struct {
		Object
		HP int16 `do:"db,latest"`
	}
	latestAlone struct {
		Object
		HP int16 `do:"ram,latest"`
	}
	latestUnique struct {
		Object
		HP int16 `do:"ram,db,broadcast,latest,unique"`
	}
	reviewAlone struct {
		Object
		HP int16 `do:"ram,review"`
	}
	rateAlone struct {
		Object
		HP int16 `do:"ram,rate=5"`
	}
	minAboveMax struct {
		Object
		HP int16 `do:"ram,min=5,max=4"`
	}
	minTooBig struct {
		Object
		HP int8 `do:"ram,max=300"`
	}
	maxOnBool struct {
		Object
		On bool `do:"ram,max=3"`
	}
	badPattern struct {
		Object
		S string `do:"ram,pattern='['"`
	}
	patternOnInt struct {
		Object
		HP int16 `do:"ram,pattern=x"`
	}
	packedInt struct {
		Object
		HP int16 `do:"ram,as=int8"`
	}
	badDefault struct {
		Object
		HP int16 `do:"ram,max=5,default=6"`
	}
	textDefault struct {
		Object
		HP int16 `do:"ram,default=six"`
	}
	zeroPattern struct {
		Object
		S string `do:"required,pattern='[a-z]+'"`
	}
	hidesSave struct {
		Object
		Save int16 `do:"ram"`
	}
	lifecycle struct {
		Object
		Generate int16 `do:"ram"`
	}
	reservedName struct {
		Object
		Otpd_version int16 `do:"ram"`
	}
	unicodeName struct {
		Object
		Größe int16 `do:"ram"`
	}
	caseOnly struct {
		Object
		HP int16 `do:"db"`
		Hp int16 `do:"db"`
	}
	ambiguous struct {
		Object
		Named
		Name string `do:"ram"`
	}
	twoObjects struct {
		Named
		Flyer
		HP int16 `do:"ram"`
	}
	diamond struct {
		Object
		Avatar
		Named
	}
	goneTag struct {
		Object
		Old Gone `do:"ram"`
	}
	ofState struct {
		Object
		HP int16 `do:"ram,of=X|Y"`
	}
	noParts struct {
		Object
		Walk Molecular `do:"ai"`
	}
	noPart struct {
		Object
		Walk Molecular `do:"of=X|Y"`
	}
	molWords struct {
		Object
		X, Y float32   `do:"ram"`
		Walk Molecular `do:"of=X|Y,broadcast"`
	}
	molLimits struct {
		Object
		X, Y float32   `do:"ram"`
		Walk Molecular `do:"of=X|Y,max=3"`
	}
	molMixed struct {
		Object
		X    float32   `do:"ram"`
		Y    float32   `do:"ram,broadcast"`
		Walk Molecular `do:"of=X|Y"`
	}
	molTwice struct {
		Object
		X    float32   `do:"ram"`
		Walk Molecular `do:"of=X|X"`
	}
	molEvents struct {
		Object
		A    Event[string] `do:"broadcast"`
		B    Event[string] `do:"broadcast"`
		Walk Molecular     `do:"of=A|B"`
	}
	embedsEvent struct {
		Object
		Event[string]
	}
	marker         struct{ Named }
	generic[T any] struct {
		Object
		V T `do:"ram"`
	}
	wrongFieldOnly struct {
		Object
		S struct{ inner int8 } `do:"ram"`
	}
	embedsNumber struct {
		Object
		sub
	}
	sub int8
)

func TestWrongClasses(t *testing.T) {
	tests := []struct {
		class any
		want  string
	}{
		{7, `do: register int: wrong schema: want a class, like Avatar{}`},
		{nil, `do: register <nil>: wrong schema: want a class, like Avatar{}`},
		{testVec2{}, `do: do.testVec2: wrong schema: it embeds neither do.Object nor a class`},
		{noObject{}, `do: class noObject: wrong schema: it does not embed do.Object, or a class that does`},
		{objectMember{}, `do: class objectMember: wrong schema: it does not embed do.Object, or a class that does`},
		{objectPointer{}, `do: class objectPointer: wrong schema: it does not embed do.Object, or a class that does`},
		{parentPointer{}, `do: class parentPointer: wrong schema: it embeds Named by pointer: embed it by value`},
		{parentTag{}, `do: class parentTag: wrong schema: Named is embedded and has a do tag: only members have one`},
		{parentLate{}, `do: class parentLate: wrong schema: Named is embedded after the member HP: what is embedded comes first`},
		{parentNoClass{}, `do: class testVec2: wrong schema: it does not embed do.Object, or a class that does`},
		{noTag{}, `do: class noTag: field HP: wrong schema: it has no do tag: write where it lives, like do:"required,broadcast", or do:"-" to leave it out`},
		{eventNoTag{}, `do: class eventNoTag: field Say: wrong schema: it has no do tag: write who may send it and who hears it, like do:"broadcast,ownsend", or do:"ai"`},
		{unexported{hp: 1}, `do: class unexported: field hp: wrong schema: it is not exported: what only one process knows belongs in a behaviour that embeds the class`},
		{pointer{}, `do: class pointer: field HP: wrong schema: *int16 is a pointer: a field is a value`},
		{unsized{}, `do: class unsized: field HP: wrong schema: fields: type of int: wrong declaration: int has no fixed size: write int64 or another sized one`},
		{channel{}, `do: class channel: field C: wrong schema: fields: type of chan int8: wrong declaration: chan int8 cannot be a field: allowed are bool, sized ints, floats, string, []byte, time.Time, time.Duration, ids, and arrays, slices, string-keyed maps and structs of these`},
		{unknownWord{}, `do: class unknownWord: field HP: wrong schema: fields: parse tag "ram,brodcast": wrong tag: unknown word "brodcast": allowed are required ram db broadcast clsend clrecv ownsend ownrecv airecv ai latest review index unique position grid edges auto open, and min= max= minlen= maxlen= len= pattern= oneof= as= scale= mod= elem= key= default= rate= of=`},
		{emptyWord{}, `do: class emptyWord: field HP: wrong schema: fields: parse tag "ram,,db": wrong tag: an empty word between commas`},
		{notStored{}, `do: class notStored: field HP: wrong schema: a state field is required, ram or db: without any it would be an event, which is declared as do.Event`},
		{eventStored{}, `do: class eventStored: field Say: wrong schema: an event is never stored: it cannot be required, ram or db`},
		{eventClRecv{}, `do: class eventClRecv: field Say: wrong schema: clrecv is about the value at entry, which an event does not have`},
		{eventLatest{}, `do: class eventLatest: field Say: wrong schema: latest is last-wins, which holds for state fields only`},
		{eventDefault{}, `do: class eventDefault: field Say: wrong schema: only state fields have a default`},
		{callStored{}, `do: class callStored: field Buy: wrong schema: a call is never stored: it cannot be required, ram or db`},
		{callWide{}, `do: class callWide: field Buy: wrong schema: a call goes to one process, which answers: it cannot be broadcast or clrecv`},
		{callTwo{}, `do: class callTwo: field Buy: wrong schema: one side answers a call: with ownrecv it is the owner, whom AIs call, else the AI, whom clients call with clsend or ownsend`},
		{callReview{}, `do: class callReview: field Buy: wrong schema: review is about setting a value, which only state fields have`},
		{callReply{}, `do: class callReply: field Buy: wrong schema: reply: fields: type of int: wrong declaration: int has no fixed size: write int64 or another sized one`},
		{aiSend{}, `do: class aiSend: field HP: wrong schema: ai means that only the AI may set it, clsend and ownsend mean that clients may`},
		{indexRAM{}, `do: class indexRAM: field HP: wrong schema: index and unique need db`},
		{uniqueList{}, `do: class uniqueList: field L: wrong schema: index and unique need a type that a database orders: no bytes, arrays, slices, maps or structs`},
		{clrecvDB{}, `do: class clrecvDB: field HP: wrong schema: clrecv needs required or ram: other fields are in no entry`},
		{latestDB{}, `do: class latestDB: field HP: wrong schema: latest needs required or ram: the newest value is the one in memory`},
		{latestAlone{}, `do: class latestAlone: field HP: wrong schema: latest is about how updates travel, and nobody sends or hears this field`},
		{latestUnique{}, `do: class latestUnique: field HP: wrong schema: latest updates may be lost or skipped: not with unique or review, where each is answered`},
		{reviewAlone{}, `do: class reviewAlone: field HP: wrong schema: review needs clsend or ownsend: it is about what clients set`},
		{rateAlone{}, `do: class rateAlone: field HP: wrong schema: rate needs clsend or ownsend: it is about what clients send`},
		{minAboveMax{}, `do: class minAboveMax: field HP: wrong schema: fields: type of int16: wrong declaration: min=5 is above max=4`},
		{minTooBig{}, `do: class minTooBig: field HP: wrong schema: fields: type of int8: wrong declaration: max=300 is no int8`},
		{maxOnBool{}, `do: class maxOnBool: field On: wrong schema: fields: type of bool: wrong declaration: min= or max= on bool`},
		{badPattern{}, "do: class badPattern: field S: wrong schema: fields: type of string: wrong declaration: pattern=[: error parsing regexp: missing closing ]: `[`"},
		{patternOnInt{}, `do: class patternOnInt: field HP: wrong schema: fields: type of int16: wrong declaration: pattern= on int16: only strings have one`},
		{packedInt{}, `do: class packedInt: field HP: wrong schema: fields: type of int16: wrong declaration: as=int8 on int16: only floats can be packed`},
		{badDefault{}, `do: class badDefault: field HP: wrong schema: default=6: fields: parse value "6": fields: check int16(..5): value out of range`},
		{textDefault{}, `do: class textDefault: field HP: wrong schema: default=six: fields: parse value "six": wrong text: "six" is no int16`},
		{zeroPattern{}, `do: class zeroPattern: field S: wrong schema: without a default its first value would be the zero of string(pattern "[a-z]+"), which does not fit: fields: check string(pattern "[a-z]+"): string does not match the pattern`},
		{hidesSave{}, `do: class hidesSave: field Save: wrong schema: it would hide Save of do.Object`},
		{lifecycle{}, `do: class lifecycle: field Generate: wrong schema: OnGenerate is called when the object itself does that: take another name`},
		{reservedName{}, `do: class reservedName: field Otpd_version: wrong schema: names that begin with otpd_ are the database's own`},
		{unicodeName{}, `do: class unicodeName: field Größe: wrong schema: a name has only the letters a-z and A-Z, digits and _, and does not begin with a digit`},
		{caseOnly{}, `do: class caseOnly: field Hp: wrong schema: it differs from HP only in case, and both are db: some databases take them for one`},
		{ambiguous{}, `do: class ambiguous: field Name: wrong schema: the name is ambiguous: Named has a field Name, too`},
		{twoObjects{}, `do: class twoObjects: wrong schema: its parents Named and Flyer each hold a do.Object: embed do.Object first, too, so that Save and the others are not ambiguous`},
		{diamond{}, `do: class Named: wrong schema: it is embedded twice in do.diamond: Go would hold its fields twice`},
		{goneTag{}, `do: class goneTag: field Old: wrong schema: a do.Gone has no tag`},
		{ofState{}, `do: class ofState: field HP: wrong schema: of= names the parts of a do.Molecular`},
		{noParts{}, `do: class noParts: field Walk: wrong schema: a molecular names its parts (of=X|Y)`},
		{noPart{}, `do: class noPart: field Walk: wrong schema: part X is not declared before it`},
		{molWords{}, `do: class molWords: field Walk: wrong schema: a molecular takes the keywords of its parts and has none of its own (rule 61)`},
		{molLimits{}, `do: class molLimits: field Walk: wrong schema: a molecular has no constraints: its parts may`},
		{molMixed{}, `do: class molMixed: field Walk: wrong schema: part X is "ram" and part Y is "ram broadcast": all parts have the same keywords (rule 61)`},
		{molTwice{}, `do: class molTwice: field Walk: wrong schema: fields: parse tag "of=X|X": wrong tag: of=X|X: "X" is there twice`},
		{molEvents{}, `do: class molEvents: field Walk: wrong schema: part A is no state field: in Go a molecular is sent with the values of its parts`},
		{embedsEvent{}, `do: class embedsEvent: wrong schema: it embeds Event: give the member a name`},
		{marker{}, `do: class marker: wrong schema: it declares nothing: embed do.Object first if it is a class, and use Behave if it is a behaviour of Named`},
		{generic[int8]{}, `do: class generic[int8]: wrong schema: a class cannot have type parameters`},
		{wrongFieldOnly{}, `do: class wrongFieldOnly: field S: wrong schema: fields: type of struct { inner int8 }: wrong declaration: member inner is not exported: export it, or leave it out by do:"-"`},
		{embedsNumber{sub: 1}, `do: class embedsNumber: wrong schema: it embeds sub, which is no class`},
	}
	for _, test := range tests {
		r := NewRegistry()
		err := r.Class(test.class)
		require.ErrorIs(t, err, ErrSchema, "%T", test.class)
		require.EqualError(t, err, test.want)
		require.Empty(t, r.Schema().Classes())
	}
}

func TestSameNameInTwoPlaces(t *testing.T) {
	type Named struct {
		Object
		Nick string `do:"ram"`
	}
	r := NewRegistry()
	require.NoError(t, r.Class(Avatar{}))
	require.EqualError(t, r.Class(Named{}), "do: class Named: wrong schema: do.Named and do.Named have the same name")
}
