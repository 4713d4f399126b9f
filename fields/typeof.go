package fields

import (
	"fmt"
	"reflect"
	"time"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

// TypeOf makes the Type of a Go type with the constraints of a tag; keywords, default, rate and of are for others.
//
// A named type of [16]byte is a KindID, time.Time and time.Duration have kinds of their own, any other named type is
// what it is made of. Exported members of a struct are its members, with their own do:"..." constraints;
// do:"-" leaves one out; an unexported one is an error, for it would be lost in silence.
// int and uint are refused because their size depends on the machine.
func TypeOf(rt reflect.Type, tag Tag) (*Type, error) {
	t, err := typeOf(rt, tag, nil)
	if err != nil {
		return nil, fmt.Errorf("fields: type of %v: %w", rt, err)
	}
	return t, nil
}

// typeOf is TypeOf within the structs, slices and maps of path.
func typeOf(rt reflect.Type, tag Tag, path []reflect.Type) (*Type, error) {
	for _, outer := range path {
		if outer == rt {
			return nil, fmt.Errorf("%w: %v contains itself", ErrDeclare, rt)
		}
	}
	if len(path) > MaxDepth {
		return nil, fmt.Errorf("%w: %v: %w (at most %d)", ErrDeclare, rt, ErrDepth, MaxDepth)
	}
	kind, err := kindOf(rt)
	if err != nil {
		return nil, err
	}
	if tag.Key != nil && kind != KindMap {
		return nil, fmt.Errorf("%w: key= on %s", ErrDeclare, kind)
	}
	if tag.Elem != nil && kind != KindMap && kind != KindArray && kind != KindSlice {
		return nil, fmt.Errorf("%w: elem= on %s", ErrDeclare, kind)
	}
	path = append(path, rt)
	switch kind {
	case KindArray, KindSlice, KindMap:
		return containerOf(rt, kind, tag, path)
	case KindStruct:
		return structOf(rt, tag, path)
	}
	return newScalar(kind, tag)
}

// kindOf returns the kind of a Go type.
func kindOf(rt reflect.Type) (Kind, error) {
	switch rt {
	case timeType:
		return KindTime, nil
	case durationType:
		return KindDuration, nil
	}
	switch k := rt.Kind(); k {
	case reflect.Bool:
		return KindBool, nil
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return KindInt8 + Kind(k-reflect.Int8), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return KindUint8 + Kind(k-reflect.Uint8), nil
	case reflect.Float32, reflect.Float64:
		return KindFloat32 + Kind(k-reflect.Float32), nil
	case reflect.String:
		return KindString, nil
	case reflect.Array:
		if isID(rt) {
			return KindID, nil
		}
		return KindArray, nil
	case reflect.Slice:
		if rt.Elem().Kind() == reflect.Uint8 {
			return KindBytes, nil
		}
		return KindSlice, nil
	case reflect.Map:
		if rt.Key().Kind() != reflect.String {
			return 0, fmt.Errorf("%w: %v: the keys of a map must be strings", ErrDeclare, rt)
		}
		return KindMap, nil
	case reflect.Struct:
		return KindStruct, nil
	case reflect.Int, reflect.Uint:
		return 0, fmt.Errorf("%w: %v has no fixed size: write %v64 or another sized one", ErrDeclare, rt, rt.Kind())
	}
	return 0, fmt.Errorf("%w: %v cannot be a field: allowed are bool, sized ints, floats, string, []byte, time.Time, "+
		"time.Duration, ids, and arrays, slices, string-keyed maps and structs of these", ErrDeclare, rt)
}

// isID reports whether an array type is a named [16]byte.
func isID(rt reflect.Type) bool {
	return rt.Name() != "" && rt.Len() == idLen && rt.Elem().Kind() == reflect.Uint8
}

// containerOf makes the type of an array, slice or map: it shares the words of the tag out, as described at Tag.
func containerOf(rt reflect.Type, kind Kind, tag Tag, path []reflect.Type) (*Type, error) {
	own := Tag{Min: tag.Min, Max: tag.Max, MinLen: tag.MinLen, MaxLen: tag.MaxLen}
	inner := Tag{Pattern: tag.Pattern, OneOf: tag.OneOf, As: tag.As, Scale: tag.Scale, Mod: tag.Mod}
	if kind == KindArray {
		inner.Min, inner.Max, inner.MinLen, inner.MaxLen = tag.Min, tag.Max, tag.MinLen, tag.MaxLen
	}
	if tag.Elem != nil {
		if w := inner.constraintWord(); w != "" {
			return nil, fmt.Errorf("%w: %s= beside elem=: put it inside", ErrDeclare, w)
		}
		inner = *tag.Elem
	}
	elem, err := typeOf(rt.Elem(), inner, path)
	if err != nil {
		return nil, fmt.Errorf("element: %w", err)
	}
	switch kind {
	case KindArray:
		return newArray(rt.Len(), elem)
	case KindSlice:
		return newSlice(elem, own)
	}
	var keyTag Tag
	if tag.Key != nil {
		keyTag = *tag.Key
	}
	key, err := typeOf(rt.Key(), keyTag, path)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return newMap(key, elem, own)
}

// structOf makes the type of a struct. A tag on a struct goes to its members, which must be floats without own tags.
func structOf(rt reflect.Type, tag Tag, path []reflect.Type) (*Type, error) {
	word := tag.constraintWord()
	var members []Member
	for _, f := range reflect.VisibleFields(rt) {
		if len(f.Index) > 1 {
			continue // part of an embedded struct, which is a member itself
		}
		text, tagged := f.Tag.Lookup("do")
		if text == "-" {
			continue
		}
		if !f.IsExported() {
			return nil, fmt.Errorf("%w: member %s is not exported: export it, or leave it out by do:\"-\"", ErrDeclare, f.Name)
		}
		memberTag, err := memberTag(text, tagged)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", f.Name, err)
		}
		if word != "" {
			if kind, _ := kindOf(f.Type); !kind.isFloat() || tagged {
				return nil, fmt.Errorf("%w: %s= on a struct with a member (%s) that is no plain float: put it on the members", ErrDeclare, word, f.Name)
			}
			memberTag = tag
		}
		t, err := typeOf(f.Type, memberTag, path)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", f.Name, err)
		}
		members = append(members, Member{Name: f.Name, Type: t})
	}
	if word != "" && len(members) == 0 {
		return nil, fmt.Errorf("%w: %s= on a struct without members", ErrDeclare, word)
	}
	return newStruct(members)
}

// memberTag reads the tag of a member, which has constraints only.
func memberTag(text string, tagged bool) (Tag, error) {
	if !tagged {
		return Tag{}, nil
	}
	tag, err := ParseTag(text)
	if err != nil {
		return Tag{}, err
	}
	if w := tag.fieldWord(); w != "" {
		return Tag{}, fmt.Errorf("%w: %q belongs to the whole field", ErrTag, w)
	}
	return tag, nil
}
