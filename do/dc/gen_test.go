package dc

import (
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// typeTexts are types of every kind, in every form that a schema's text has for one.
var typeTexts = []string{
	"bool", "int8", "int16(-5..100)", "int32(..7)", "int64", "uint8(1..9)", "uint16(oneof 1|2|70)", "uint32", "uint64(5..)",
	"float32", "float64(-0.5..)", "string", "string(max 24)", "string(min 2, max 2)", `string(pattern "[a-z',]*")`,
	`string(oneof "a b"|"it's"|"\"")`, "bytes", "bytes(min 4, max 4)", "time", "duration(..1h0m0s)", "id",
	"float64 as int16/10%360", "float32(-1..1) as int8/100", "[3]int8", "[16]uint8", "[2]string(max 3)", "[]int16", "[](max 5) int32(0..9)",
	"[][]string", "map int8", "map(max 4, key string(max 8)) [](max 2) bytes", "{}", "{X int8, Y int8}",
	"{X float32 as int16/10, Y float32 as int16/10}", "{A {B int8(0..3), C []{D string}}, E [2]{F id}, G time}",
}

// randomSchema is a schema that Go can declare, made of choices: pick(n) is one of 0 to n-1.
func randomSchema(classes int, pick func(n int) int) (*do.Schema, error) {
	var decls []do.ClassDecl
	var bindings []do.Binding
	total := 0
	for i := range classes {
		d := do.ClassDecl{Name: fmt.Sprintf("Class%d", i)}
		if i > 0 && pick(3) == 0 {
			d.Parents = []string{fmt.Sprintf("Class%d", pick(i))}
		}
		for range pick(8) {
			total++
			f, err := randomField(fmt.Sprintf("Field%d", total), pick)
			if err != nil {
				return nil, err
			}
			d.Fields = append(d.Fields, f)
		}
		if n := len(d.Fields); n > 0 && d.Fields[n-1].Kind == do.FieldState && !d.Fields[n-1].Gone {
			d.Fields = append(d.Fields, do.FieldDecl{Name: fmt.Sprintf("Molecular%d", i), Kind: do.FieldMolecular, Parts: []string{d.Fields[n-1].Name}})
		}
		if len(d.Fields) == 0 && d.Parents == nil {
			bindings = append(bindings, do.Binding{ID: do.WellKnown(uint64(4000 + i)), Class: d.Name, Anonymous: pick(2) == 0})
		}
		decls = append(decls, d)
	}
	return do.NewSchema(decls, bindings)
}

// randomField is a field that contradicts itself in nothing.
func randomField(name string, pick func(n int) int) (f do.FieldDecl, err error) {
	f = do.FieldDecl{Name: name, Kind: do.FieldKind(pick(3))}
	for {
		if f.Type, err = fields.ParseType(typeTexts[pick(len(typeTexts))]); err != nil {
			return f, err
		}
		if f.Type.Check(f.Type.Zero()) == nil || f.Kind != do.FieldState {
			break
		}
	}
	switch f.Kind {
	case do.FieldState:
		f.Keywords = []fields.Keyword{
			fields.RAM, fields.Required, fields.DB, fields.Required | fields.DB | fields.Broadcast | fields.OwnSend | fields.Review,
			fields.RAM | fields.Broadcast | fields.ClSend | fields.Latest, fields.Required | fields.ClRecv | fields.AIRecv | fields.OwnRecv,
		}[pick(6)]
		if pick(2) == 0 {
			f.Default = f.Type.Zero()
		}
		f.Gone = pick(6) == 0
	case do.FieldCall:
		reply := []string{"string", "{}", "{X int8(0..5), Y []id}", "int64"}[pick(4)]
		if f.Reply, err = fields.ParseType(reply); err != nil {
			return f, err
		}
		f.Keywords = []fields.Keyword{0, fields.OwnSend, fields.ClSend | fields.AIRecv}[pick(3)]
	default:
		f.Keywords = []fields.Keyword{0, fields.Broadcast, fields.OwnSend | fields.AIRecv, fields.ClSend | fields.OwnRecv}[pick(4)]
	}
	if f.Keywords.Any(fields.ClSend|fields.OwnSend) && pick(2) == 0 {
		f.Rate = []float64{0.5, 20}[pick(2)]
	}
	return f, nil
}
