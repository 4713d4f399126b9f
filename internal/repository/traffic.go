package repository

import (
	"github.com/otpd/otpd/do"
)

// Traffic counts what a client sent and received.
type Traffic struct {
	FramesIn     uint64 // on the stream
	DatagramsIn  uint64
	BytesIn      uint64 // of both
	DatagramsOut uint64
	BytesOut     uint64
	Updates      uint64 // frames with live values that were taken in
	Stale        uint64 // latest values that were older than what was known
	Entered      uint64
	Left         uint64
}

// Traffic is what came and went so far.
func (c *Client) Traffic() Traffic {
	t := c.traffic
	t.FramesIn = c.frames
	return t
}

// Owns reports whether this side owns an object.
func (s *State) Owns(id do.ID) bool {
	o := s.objects[id]
	return o != nil && o.owned
}
