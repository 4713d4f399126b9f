package do_test

import (
	"context"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Lamp can be seen by all and switched by its owner.
type Lamp struct {
	do.Object
	Colour string          `do:"required,broadcast,max=16,default=\"white\""`
	On     bool            `do:"ram,broadcast,ownsend,airecv"`
	Blink  do.Event[uint8] `do:"broadcast,rate=2,ownsend,airecv"`
}

// LampAI is a Lamp as its AI sees it.
type LampAI struct{ Lamp }

// OnBlink is called for each Blink event.
func (l *LampAI) OnBlink(ctx context.Context, times uint8) error {
	l.Colour = fmt.Sprintf("grey%d", times)
	return nil
}

func Example() {
	r := do.NewRegistry()
	if err := r.Behave(func() *LampAI { return new(LampAI) }); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(r.Schema().Text()))

	lamp := do.New[LampAI]()
	in := do.InstanceOf(&lamp.Object)
	blink := lamp.Class().FieldByName("Blink")
	if _, err := r.Behaviour("Lamp", do.SideAI).Handle(context.Background(), in, blink.Number, fields.AppendUint(nil, 3)); err != nil {
		fmt.Println(err)
		return
	}
	var b fields.MapBuilder
	if err := in.Changed(&b); err != nil {
		fmt.Println(err)
		return
	}
	it := b.Map().Iter()
	for it.Next() {
		f := lamp.Class().Field(it.Number())
		fmt.Printf("%s = %s\n", f, f.Type.Text(it.Value()))
	}
	// Output:
	// dclass Lamp {
	//   string(0-16) Colour = "white" required broadcast;
	//   uint8 On ram broadcast ownsend airecv; //! type="bool"
	//   Blink(uint8) broadcast ownsend airecv; //! rate=2
	// };
	// Lamp.Colour = "grey3"
}
