package wire

import (
	"cmp"
	"slices"
	"strconv"
)

// The numbers of frames. Those of the most frequent ones are below 128, one byte; 1 to 5 and from 120 up they are
// those of the older OTP servers' clients. A number is never given to another frame.
const (
	FrameClientHello          FrameType = 1
	FrameClientWelcome        FrameType = 2
	FrameClientDisconnect     FrameType = 3
	FrameClientEject          FrameType = 4
	FrameClientHeartbeat      FrameType = 5
	FrameServerHeartbeat      FrameType = 6
	FrameClientMove           FrameType = 10
	FrameClientCall           FrameType = 11
	FrameClientReply          FrameType = 12
	FrameClientRefused        FrameType = 13
	FrameClientState          FrameType = 14
	FrameClientSchema         FrameType = 15
	FrameClientInterestOpened FrameType = 16
	FrameClientCalled         FrameType = 17
	FrameClientAnswer         FrameType = 18
	FrameClientDeclare        FrameType = 19
	FrameClientUndeclare      FrameType = 20
	FrameClientGround         FrameType = 21
	FrameClientLatest         FrameType = 110
	FrameClientSetLatest      FrameType = 111
	FrameClientUpdates        FrameType = 112
	FrameClientDone           FrameType = 113
	FrameClientLatestDone     FrameType = 114
	FrameClientPing           FrameType = 115
	FrameClientPong           FrameType = 116
	FrameClientEnters         FrameType = 117
	FrameClientUpdate         FrameType = 120
	FrameClientSet            FrameType = 121
	FrameClientLeave          FrameType = 132
	FrameClientLocation       FrameType = 140
	FrameClientEnter          FrameType = 143
	FrameClientLeaveOwner     FrameType = 161
	FrameClientEnterOwner     FrameType = 173
	FrameClientAddInterest    FrameType = 200
	FrameClientRemoveInterest FrameType = 203
	FrameClientInterestDone   FrameType = 204
	FrameClientFollow         FrameType = 205
)

// Who sends a frame.
const (
	fromClient = "client"
	fromAgent  = "agent"
)

// frameSpec is what is known of a frame apart from its members.
type frameSpec struct {
	number uint16
	name   string
	from   string
	empty  func() Frame
}

// frames is every frame, ascending by number.
var frames = []frameSpec{
	{1, "ClientHello", fromClient, func() Frame { return new(ClientHello) }},
	{2, "ClientWelcome", fromAgent, func() Frame { return new(ClientWelcome) }},
	{3, "ClientDisconnect", fromClient, func() Frame { return new(ClientDisconnect) }},
	{4, "ClientEject", fromAgent, func() Frame { return new(ClientEject) }},
	{5, "ClientHeartbeat", fromClient, func() Frame { return new(ClientHeartbeat) }},
	{6, "ServerHeartbeat", fromAgent, func() Frame { return new(ServerHeartbeat) }},
	{10, "ClientMove", fromClient, func() Frame { return new(ClientMove) }},
	{11, "ClientCall", fromClient, func() Frame { return new(ClientCall) }},
	{12, "ClientReply", fromAgent, func() Frame { return new(ClientReply) }},
	{13, "ClientRefused", fromAgent, func() Frame { return new(ClientRefused) }},
	{14, "ClientState", fromAgent, func() Frame { return new(ClientState) }},
	{15, "ClientSchema", fromAgent, func() Frame { return new(ClientSchema) }},
	{16, "ClientInterestOpened", fromAgent, func() Frame { return new(ClientInterestOpened) }},
	{17, "ClientCalled", fromAgent, func() Frame { return new(ClientCalled) }},
	{18, "ClientAnswer", fromClient, func() Frame { return new(ClientAnswer) }},
	{19, "ClientDeclare", fromAgent, func() Frame { return new(ClientDeclare) }},
	{20, "ClientUndeclare", fromAgent, func() Frame { return new(ClientUndeclare) }},
	{21, "ClientGround", fromAgent, func() Frame { return new(ClientGround) }},
	{110, "ClientLatest", fromAgent, func() Frame { return new(ClientLatest) }},
	{111, "ClientSetLatest", fromClient, func() Frame { return new(ClientSetLatest) }},
	{112, "ClientUpdates", fromAgent, func() Frame { return new(ClientUpdates) }},
	{113, "ClientDone", fromAgent, func() Frame { return new(ClientDone) }},
	{114, "ClientLatestDone", fromAgent, func() Frame { return new(ClientLatestDone) }},
	{115, "ClientPing", fromClient, func() Frame { return new(ClientPing) }},
	{116, "ClientPong", fromAgent, func() Frame { return new(ClientPong) }},
	{117, "ClientEnters", fromAgent, func() Frame { return new(ClientEnters) }},
	{120, "ClientUpdate", fromAgent, func() Frame { return new(ClientUpdate) }},
	{121, "ClientSet", fromClient, func() Frame { return new(ClientSet) }},
	{132, "ClientLeave", fromAgent, func() Frame { return new(ClientLeave) }},
	{140, "ClientLocation", fromAgent, func() Frame { return new(ClientLocation) }},
	{143, "ClientEnter", fromAgent, func() Frame { return new(ClientEnter) }},
	{161, "ClientLeaveOwner", fromAgent, func() Frame { return new(ClientLeaveOwner) }},
	{173, "ClientEnterOwner", fromAgent, func() Frame { return new(ClientEnterOwner) }},
	{200, "ClientAddInterest", fromClient, func() Frame { return new(ClientAddInterest) }},
	{203, "ClientRemoveInterest", fromClient, func() Frame { return new(ClientRemoveInterest) }},
	{204, "ClientInterestDone", fromAgent, func() Frame { return new(ClientInterestDone) }},
	{205, "ClientFollow", fromClient, func() Frame { return new(ClientFollow) }},
}

// find is the row of a number, nil if there is no such frame.
func (t FrameType) find() *frameSpec {
	i, ok := slices.BinarySearchFunc(frames, t, func(s frameSpec, t FrameType) int { return cmp.Compare(s.number, uint16(t)) })
	if !ok {
		return nil
	}
	return &frames[i]
}

// FromClient reports whether t is a frame that clients send.
func (t FrameType) FromClient() bool {
	s := t.find()
	return s != nil && s.from == fromClient
}

// String is the name of the frame, or its number if there is no such frame.
func (t FrameType) String() string {
	if s := t.find(); s != nil {
		return s.name
	}
	return "frame " + strconv.Itoa(int(t))
}
