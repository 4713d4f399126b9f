package wire

// Messages whose line reads better in another order than that of the wire.

// print is "avatar1 street/20 -> street/21".
func (m *ChangingLocation) print(w *printing) {
	w.member("do", m.DO)
	w.member("version", m.Version)
	w.word(w.p.location(m.Old) + " -> " + w.p.location(m.New))
}

// print is "avatar1 ai1 -> none".
func (m *ChangingAI) print(w *printing) {
	w.member("do", m.DO)
	w.member("version", m.Version)
	w.word(w.p.who(m.Old) + " -> " + w.p.who(m.New))
}

// print is "avatar1 client1 -> none".
func (m *ChangingOwner) print(w *printing) {
	w.member("do", m.DO)
	w.member("version", m.Version)
	w.word(w.p.who(m.Old) + " -> " + w.p.who(m.New))
}

// print is "set avatar1 {HP:15}", "move avatar1 street/20" or "reply avatar1 Buy {Item:1 Paid:3} caller=client1 call=7".
func (m *Op) print(w *printing) {
	w.word(m.Kind.String())
	w.member("do", m.DO)
	switch m.Kind {
	case OpSet:
		w.fields("fields", m.Fields)
	case OpMove:
		w.word(w.p.location(m.Location))
	case OpReply:
		w.member("field", m.Reply.Field)
		w.member("code", m.Reply.Code)
		w.member("text", m.Reply.Text)
		w.member("result", rawValue(m.Reply.Result))
		w.member("caller", m.Caller)
		w.member("call", m.Reply.Context)
	}
}

// print is "Avatar [alias=7 avatar1 street/20 {Name:"Flippy"}, alias=8 avatar2 street/20 {Name:"Clarabelle"}]".
func (m *ClientEnters) print(w *printing) {
	w.setClass(classNumber(m.Class))
	class := w.class
	w.word("[")
	for i := range m.Entered {
		f := ClientEnter{Location: m.Location}
		f.enter(&m.Entered[i], m.Location.Zone, m.Alias, m.Inc)
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.member("alias", f.Alias)
		w.member("do", f.DO)
		w.class = class
		w.member("location", f.Location)
		w.member("serial", f.Serial)
		w.member("version", f.Version)
		w.member("fields", f.Fields)
	}
	w.out = append(w.out, ']')
}
