package wire

import (
	"github.com/otpd/otpd/do"
)

// How the last writes of an object of the database come before its next life (K6, K7): its AI hears that it went, lets
// OnDelete or OnDisable run, and writes what is left. Until it has said that this is done, what others ask of the row
// through the State waits there.

// AskLastWord asks the AI of an object that went for LastWord. It is sent behind Deleted, and again to one that was
// cut off and asks what the object has.
type AskLastWord struct {
	DO      do.ID
	Version do.Version // of the life that ended
}

func (*AskLastWord) Type() Type       { return TypeAskLastWord }
func (m *AskLastWord) String() string { return text(m) }

func (m *AskLastWord) code(c *coder) {
	c.id("do", &m.DO)
	c.version(&m.Version)
}

// LastWord says that the AI has sent the last that it had to write of an object that went. Version is that of
// AskLastWord: a word about another life changes nothing.
type LastWord struct {
	DO      do.ID
	Version do.Version
}

func (*LastWord) Type() Type       { return TypeLastWord }
func (m *LastWord) String() string { return text(m) }

func (m *LastWord) code(c *coder) {
	c.id("do", &m.DO)
	c.version(&m.Version)
}
