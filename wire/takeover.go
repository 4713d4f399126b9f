package wire

import (
	"github.com/otpd/otpd/do"
)

// How an AI that was given an object knows that all below it has entered, too (rule 48).

// AIEntered tells the new AI of Root, after SetAI, that objects and all that inherits from them in their State have
// entered. What is below them in other States is Elsewhere: each of these is among the DOs of a later AIEntered. When
// none is left the entry is complete.
type AIEntered struct {
	Root      do.ID
	DOs       []do.ID
	Elsewhere []do.ID
}

func (*AIEntered) Type() Type       { return TypeAIEntered }
func (m *AIEntered) String() string { return text(m) }

func (m *AIEntered) code(c *coder) {
	c.id("root", &m.Root)
	list(c, "dos", &m.DOs, 1, plainID)
	list(c, "elsewhere", &m.Elsewhere, 1, plainID)
}

// AskAIEntered asks the State of a partition to tell AI of these objects, which inherit it, when they have entered:
// AIEntered. All DOs are of one partition; it is addressed to the channel of the first.
type AskAIEntered struct {
	Root do.ID
	AI   do.Channel
	DOs  []do.ID
}

func (*AskAIEntered) Type() Type       { return TypeAskAIEntered }
func (m *AskAIEntered) String() string { return text(m) }

func (m *AskAIEntered) code(c *coder) {
	c.id("root", &m.Root)
	c.channel("ai", &m.AI)
	list(c, "dos", &m.DOs, 1, plainID)
}
