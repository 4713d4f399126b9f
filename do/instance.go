package do

import (
	"bytes"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/otpd/otpd/fields"
)

// Instance is the repository's side of an Object: what the cluster knows of it, and where its Go values are. Games
// do not use it. It has the owner of the object, the loop of its repository.
type Instance struct {
	plan    *plan
	target  any // pointer to the class or behaviour struct
	base    unsafe.Pointer
	object  *Object
	slots   []slot // by place in plan.members
	scratch []byte

	id       ID
	class    *Class
	location Location
	owner    Channel
	version  Version
	link     Link
}

// slot is what is known of a state field besides its Go value.
type slot struct {
	saved   []byte // encoding of the last saved or heard value; empty: the field's initial one
	spare   []byte // the value before it, whose memory the next one takes
	set     bool   // the cluster has a value
	touched bool   // send it even if it is the same
	unset   bool   // the game took the value back
}

// New makes an object of class or behaviour T, with the defaults filled in. It is in no repository yet.
// It panics if T is no class: registering T says so with an error.
func New[T any]() *T {
	t := new(T)
	in, err := Bind(t)
	if err != nil {
		panic(err)
	}
	in.fillDefaults()
	return t
}

// Bind makes target, a pointer to a class or behaviour struct, an object, unless it is one already. Unlike New it
// leaves the Go values as they are.
func Bind(target any) (*Instance, error) {
	p, rt, ok := pointerOf(target)
	if !ok {
		return nil, fmt.Errorf("do: bind %T: %w: want a pointer to a class", target, ErrSchema)
	}
	plan, err := planOf(rt)
	if err != nil {
		return nil, err
	}
	return plan.bind(target, p), nil
}

// bind ties all Objects and sent members in target to one Instance.
func (p *plan) bind(target any, base unsafe.Pointer) *Instance {
	object := (*Object)(unsafe.Add(base, p.objects[0]))
	if object.in != nil && object.in.base == base {
		return object.in
	}
	in := &Instance{plan: p, target: target, base: base, object: object, class: p.class, slots: make([]slot, len(p.members))}
	for _, offset := range p.objects {
		(*Object)(unsafe.Add(base, offset)).in = in
	}
	for i := range p.members {
		if m := &p.members[i]; m.field.Kind != FieldState {
			*(*handle)(unsafe.Add(base, m.offset)) = handle{in: in, m: m}
		}
	}
	return in
}

// fillDefaults gives each state field that has Go's zero value its initial one.
func (in *Instance) fillDefaults() {
	for i := range in.plan.members {
		m := &in.plan.members[i]
		if m.field.Kind == FieldState && !bytes.Equal(m.zero, m.field.initial) && bytes.Equal(in.encode(i), m.zero) {
			in.decode(i, m.field.initial)
		}
	}
}

// InstanceOf is the instance of an object, nil if it was never bound.
func InstanceOf(o *Object) *Instance { return o.in }

// Object is the object that links are given.
func (in *Instance) Object() *Object { return in.object }

// Target is the pointer to the class or behaviour struct.
func (in *Instance) Target() any { return in.target }

// GoType is the struct type of Target.
func (in *Instance) GoType() reflect.Type { return in.plan.rt }

// Attach puts the object into a repository. c is its class in the cluster's schema, which was compared with the
// Go type's when the repository connected; nil keeps the class made of the Go type.
func (in *Instance) Attach(id ID, c *Class, link Link) {
	in.id, in.link = id, link
	if c != nil {
		in.class = c
	}
}

// Detach takes the object out of its repository. It keeps its id and values, and can only be read.
func (in *Instance) Detach() { in.link = nil }

// SetLocation says where the object is.
func (in *Instance) SetLocation(l Location) { in.location = l }

// SetOwner says to whom the object belongs.
func (in *Instance) SetOwner(c Channel) { in.owner = c }

// SetVersion says how new this view is.
func (in *Instance) SetVersion(v Version) { in.version = v }

// pointer is where the Go value of member i is.
func (in *Instance) pointer(i int) unsafe.Pointer {
	return unsafe.Add(in.base, in.plan.members[i].offset)
}

// encode encodes the Go value of member i; the result is valid until the next call.
func (in *Instance) encode(i int) []byte {
	in.scratch = in.plan.members[i].codec.Append(in.scratch[:0], in.pointer(i))
	return in.scratch
}

// decode writes an encoding that was checked before into the Go value of member i.
func (in *Instance) decode(i int, value []byte) {
	// Only initial and saved values come here, which passed Check.
	_, _ = in.plan.members[i].codec.Decode(in.pointer(i), value)
}

// saved is the last saved or heard value of member i.
func (in *Instance) saved(i int) []byte {
	if s := in.slots[i].saved; len(s) > 0 {
		return s
	}
	return in.plan.members[i].field.initial
}

// setSaved copies value in as the saved one and gives back the one before, which is valid until the next call for
// the same member.
func (in *Instance) setSaved(i int, value []byte) (old []byte) {
	s := &in.slots[i]
	old = in.saved(i)
	s.saved, s.spare = append(s.spare[:0], value...), s.saved
	s.set, s.touched, s.unset = true, false, false
	return old
}

// change says what the next save does to state field i. If it is to be set, in.scratch holds its encoding.
func (in *Instance) change(i int) (set, removed bool) {
	s := &in.slots[i]
	now := in.encode(i)
	if s.unset && !s.touched && bytes.Equal(now, in.plan.members[i].field.initial) {
		return false, s.set || !bytes.Equal(now, in.saved(i))
	}
	return s.touched || !bytes.Equal(now, in.saved(i)), false
}

// Changed appends to dst the state fields whose encoding differs from the last saved one, or that were touched.
// A value that its type refuses is an error that names the field; dst then holds the fields before it.
// It allocates nothing once the buffers have grown.
func (in *Instance) Changed(dst *fields.MapBuilder) error {
	for i := range in.plan.members {
		m := &in.plan.members[i]
		if m.field.Kind != FieldState {
			continue
		}
		if set, _ := in.change(i); !set {
			continue
		}
		if err := in.add(dst, m, in.scratch); err != nil {
			return err
		}
	}
	return nil
}

// EachChanged calls fn with each state field that Changed would append, and its value, which is valid until fn returns.
// err: its type refuses the value.
func (in *Instance) EachChanged(fn func(f *Field, value []byte, err error)) {
	for i := range in.plan.members {
		m := &in.plan.members[i]
		if m.field.Kind != FieldState {
			continue
		}
		if set, _ := in.change(i); set {
			fn(m.field, in.scratch, m.field.Type.Check(in.scratch))
		}
	}
}

// add checks a value and appends it.
func (in *Instance) add(dst *fields.MapBuilder, m *member, value []byte) error {
	err := m.field.Type.Check(value)
	if err == nil {
		err = dst.Add(m.field.Number, value)
	}
	if err != nil {
		return fmt.Errorf("do: %s of %s: %w", m.field, in.id, err)
	}
	return nil
}

// Removed appends the numbers of the fields that Unset took back since the last save.
func (in *Instance) Removed(dst []fields.Number) []fields.Number {
	for i := range in.plan.members {
		if !in.slots[i].unset {
			continue
		}
		if _, removed := in.change(i); removed {
			dst = append(dst, in.plan.members[i].field.Number)
		}
	}
	return dst
}

// MarkSaved makes the present values the saved ones: what Changed and Removed told has been sent.
func (in *Instance) MarkSaved() {
	for i := range in.plan.members {
		if in.plan.members[i].field.Kind == FieldState {
			in.markSaved(i)
		}
	}
}

// MarkSavedField is MarkSaved for one state field, or for the parts of a molecular.
func (in *Instance) MarkSavedField(n fields.Number) {
	i := in.plan.find(n)
	if i < 0 {
		return
	}
	if in.plan.members[i].field.Kind == FieldState {
		in.markSaved(i)
	}
	for _, part := range in.plan.members[i].parts {
		in.markSaved(part)
	}
}

func (in *Instance) markSaved(i int) {
	s := &in.slots[i]
	switch set, removed := in.change(i); {
	case set:
		in.setSaved(i, in.scratch)
	case removed:
		s.saved, s.set = s.saved[:0], false
	}
	s.touched, s.unset = false, false
}

// Undo gives all state fields their saved values again.
func (in *Instance) Undo() {
	for i := range in.plan.members {
		if in.plan.members[i].field.Kind != FieldState {
			continue
		}
		if saved := in.saved(i); !bytes.Equal(in.encode(i), saved) {
			in.decode(i, saved)
		}
		in.slots[i].touched, in.slots[i].unset = false, false
	}
}

// Apply puts a value that came from the cluster into the Go field and makes it the saved one. old is the saved
// value before it, which is valid until the next Apply of the same field. A field that the Go type does not have is
// skipped: known is false. A value that the type refuses is an error, and changes nothing.
func (in *Instance) Apply(n fields.Number, value []byte) (old []byte, known bool, err error) {
	i := in.plan.find(n)
	if i < 0 || in.plan.members[i].field.Kind != FieldState {
		return nil, false, nil
	}
	m := &in.plan.members[i]
	length, err := fields.Skip(value)
	if err == nil && length < len(value) {
		err = fields.ErrTrailing
	}
	if err == nil {
		_, err = m.codec.Decode(in.pointer(i), value)
	}
	if err != nil {
		return nil, true, fmt.Errorf("do: apply %s of %s: %w", m.field, in.id, err)
	}
	return in.setSaved(i, value), true, nil
}

// Forget is Apply of a deleted field: it has its initial value again, and none in the cluster.
func (in *Instance) Forget(n fields.Number) (old []byte, known bool) {
	i := in.plan.find(n)
	if i < 0 || in.plan.members[i].field.Kind != FieldState {
		return nil, false
	}
	m, s := &in.plan.members[i], &in.slots[i]
	in.decode(i, m.field.initial)
	old = in.saved(i)
	s.saved, s.spare = s.spare[:0], s.saved
	s.set, s.touched, s.unset = false, false, false
	return old, true
}

// Saved is the last saved or heard value of a field; ok is false if the cluster has none.
func (in *Instance) Saved(n fields.Number) (value []byte, ok bool) {
	i := in.plan.find(n)
	if i < 0 || !in.slots[i].set {
		return nil, false
	}
	return in.slots[i].saved, true
}

// Value is the encoding of the present Go value of a state field, saved or not. It is valid until the next call of
// any method of the Instance; ok is false if the Go type has no such field.
func (in *Instance) Value(n fields.Number) (value []byte, ok bool) {
	i := in.plan.find(n)
	if i < 0 || in.plan.members[i].field.Kind != FieldState {
		return nil, false
	}
	return in.encode(i), true
}

// Touch makes the next save send a state field, even if its value did not change.
func (in *Instance) Touch(n fields.Number) {
	if i := in.plan.find(n); i >= 0 && in.plan.members[i].field.Kind == FieldState {
		in.slots[i].touched = true
	}
}

// Entry appends what a creation carries: every required field, and each other state field that has a value.
func (in *Instance) Entry(dst *fields.MapBuilder) error {
	for i := range in.plan.members {
		m := &in.plan.members[i]
		if m.field.Kind != FieldState {
			continue
		}
		set, removed := in.change(i)
		if !m.required() && !set && (removed || !in.slots[i].set) {
			continue
		}
		if err := in.add(dst, m, in.scratch); err != nil {
			return err
		}
	}
	return nil
}

// appendMolecular appends the array of the parts' present values.
func (in *Instance) appendMolecular(dst []byte, m *member) ([]byte, error) {
	dst = fields.AppendArrayHeader(dst, len(m.parts))
	for _, i := range m.parts {
		p := &in.plan.members[i]
		v := in.encode(i)
		if err := p.field.Type.Check(v); err != nil {
			return nil, fmt.Errorf("do: send %s of %s: %s: %w", m.field, in.id, p.field.Name, err)
		}
		dst = append(dst, v...)
	}
	return dst, nil
}
