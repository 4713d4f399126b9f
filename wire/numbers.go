package wire

import (
	"cmp"
	"slices"
	"strconv"
)

// The numbers of messages. Those below 5000 and from 9000 up are the ones of the older OTP servers, for the message
// that means the same there; the layouts are ours. A number is never given to another message.
const (
	TypeSetState                Type = 1000
	TypeSetClientID             Type = 1001
	TypeEject                   Type = 1004
	TypeDrop                    Type = 1005
	TypeGetNetworkAddress       Type = 1006
	TypeNetworkAddress          Type = 1007
	TypeDeclareObject           Type = 1010
	TypeUndeclareObject         Type = 1011
	TypeAddSessionObject        Type = 1012
	TypeRemoveSessionObject     Type = 1013
	TypeSetFieldsSendable       Type = 1014
	TypeOpenChannel             Type = 1100
	TypeCloseChannel            Type = 1101
	TypeSessionPostRemove       Type = 1110
	TypeClearSessionPostRemoves Type = 1111
	TypeSessionInterest         Type = 1200
	TypeRemoveSessionInterest   Type = 1203
	TypeSessionInterestDone     Type = 1204
	TypeCreate                  Type = 2001
	TypeDeleteAIObjects         Type = 2009
	TypeGetField                Type = 2010
	TypeGetFields               Type = 2012
	TypeGetFieldsResp           Type = 2013
	TypeGetAll                  Type = 2014
	TypeGetAllResp              Type = 2015
	TypeSetFields               Type = 2021
	TypeDeleteFields            Type = 2031
	TypeDeleteRAM               Type = 2032
	TypeSetLocation             Type = 2040
	TypeChangingLocation        Type = 2041
	TypeEnterLocation           Type = 2043
	TypeGetLocation             Type = 2044
	TypeGetLocationResp         Type = 2045
	TypeLocationAck             Type = 2046
	TypeSetAI                   Type = 2050
	TypeChangingAI              Type = 2051
	TypeEnterAI                 Type = 2053
	TypeGetAI                   Type = 2054
	TypeGetAIResp               Type = 2055
	TypeSetOwner                Type = 2060
	TypeChangingOwner           Type = 2061
	TypeEnterOwner              Type = 2063
	TypeGetOwner                Type = 2064
	TypeGetOwnerResp            Type = 2065
	TypeGetZonesObjects         Type = 2102
	TypeGetChildren             Type = 2104
	TypeGetZonesCount           Type = 2112
	TypeGetZonesCountResp       Type = 2113
	TypeGetChildCount           Type = 2114
	TypeGetChildCountResp       Type = 2115
	TypeDeleteZones             Type = 2122
	TypeDeleteChildren          Type = 2124
	TypeGetActiveZones          Type = 2125
	TypeGetActiveZonesResp      Type = 2126
	TypeActivate                Type = 2201
	TypeGetActivated            Type = 2207
	TypeActivated               Type = 2208
	TypeDeleteDisk              Type = 2232
	TypeDBCreate                Type = 3000
	TypeDBGet                   Type = 3014
	TypeDBObject                Type = 3015
	TypeDBSet                   Type = 3021
	TypeDBDelete                Type = 3032
	TypeUpdate                  Type = 5001
	TypeDeleted                 Type = 5002
	TypeUnload                  Type = 5003
	TypeWakeChildren            Type = 5004
	TypeZonesObjects            Type = 5005
	TypeAskEntries              Type = 5006
	TypeZoneEntries             Type = 5007
	TypeChildren                Type = 5008
	TypeDigest                  Type = 5009
	TypeBundle                  Type = 5010
	TypeCall                    Type = 5011
	TypeCallReply               Type = 5012
	TypeAskHeld                 Type = 5013
	TypeGetClass                Type = 5014
	TypeGetClassResp            Type = 5015
	TypeProbe                   Type = 5016
	TypeProbed                  Type = 5017
	TypeHeldDigest              Type = 5018
	TypeAIEntered               Type = 5019
	TypeChildrenHere            Type = 5020
	TypeChildrenKnown           Type = 5021
	TypeAskChildren             Type = 5022
	TypeAskAIEntered            Type = 5023
	TypeAskLastWord             Type = 5024
	TypeLastWord                Type = 5025
	TypeGroundDigest            Type = 5026
	TypeFreeze                  Type = 5040
	TypeFrozen                  Type = 5041
	TypeThaw                    Type = 5042
	TypeThawed                  Type = 5043
	TypeDBFind                  Type = 5100
	TypeDBFound                 Type = 5101
	TypeDBChanged               Type = 5102
	TypeDBTransact              Type = 5103
	TypeDBOutcome               Type = 5104
	TypeDBDecided               Type = 5105
	TypeDBList                  Type = 5106
	TypeSchemaGet               Type = 5110
	TypeSchemaSet               Type = 5111
	TypeSchemaRecord            Type = 5112
	TypeDBWorked                Type = 5120
	TypeDBSchemaIs              Type = 5121
	TypeSessionFollow           Type = 5130
	TypePermitInterest          Type = 5131
	TypeChannelsAdded           Type = 5200
	TypeLinkLost                Type = 5201
	TypeDone                    Type = 5300
	TypeFailed                  Type = 5301
	TypeTick                    Type = 5400
	TypeSessionOpened           Type = 5401
	TypeSessionFrames           Type = 5402
	TypeSessionClosed           Type = 5403
	TypeSessionDrained          Type = 5404
	TypeFlush                   Type = 5405
	TypeAddChannels             Type = 9000
	TypeRemoveChannels          Type = 9001
	TypeAddRanges               Type = 9002
	TypeRemoveRanges            Type = 9003
	TypeAddPostRemove           Type = 9010
	TypeClearPostRemoves        Type = 9011
)

// spec is what is known of a message apart from its members: its number, its name, who sends it to whom, and how to
// make an empty one to decode into.
type spec struct {
	number   uint16
	name     string
	from, to string
	empty    func() Body
}

// messages is every message, ascending by number.
var messages = []spec{
	{1000, "SetState", "UberDOG, AI", "the session", func() Body { return new(SetState) }},
	{1001, "SetClientID", "UberDOG, AI", "the session", func() Body { return new(SetClientID) }},
	{1004, "Eject", "UberDOG, AI", "the session", func() Body { return new(Eject) }},
	{1005, "Drop", "UberDOG, AI", "the session", func() Body { return new(Drop) }},
	{1006, "GetNetworkAddress", "UberDOG, AI", "the session", func() Body { return new(GetNetworkAddress) }},
	{1007, "NetworkAddress", "agent", "who asked", func() Body { return new(NetworkAddress) }},
	{1010, "DeclareObject", "UberDOG, AI", "the session", func() Body { return new(DeclareObject) }},
	{1011, "UndeclareObject", "UberDOG, AI", "the session", func() Body { return new(UndeclareObject) }},
	{1012, "AddSessionObject", "UberDOG, AI", "the session", func() Body { return new(AddSessionObject) }},
	{1013, "RemoveSessionObject", "UberDOG, AI", "the session", func() Body { return new(RemoveSessionObject) }},
	{1014, "SetFieldsSendable", "UberDOG, AI", "the session", func() Body { return new(SetFieldsSendable) }},
	{1100, "OpenChannel", "UberDOG, AI", "the session", func() Body { return new(OpenChannel) }},
	{1101, "CloseChannel", "UberDOG, AI", "the session", func() Body { return new(CloseChannel) }},
	{1110, "SessionPostRemove", "UberDOG, AI", "the session", func() Body { return new(SessionPostRemove) }},
	{1111, "ClearSessionPostRemoves", "UberDOG, AI", "the session", func() Body { return new(ClearSessionPostRemoves) }},
	{1200, "SessionInterest", "UberDOG, AI", "the session", func() Body { return new(SessionInterest) }},
	{1203, "RemoveSessionInterest", "UberDOG, AI", "the session", func() Body { return new(RemoveSessionInterest) }},
	{1204, "SessionInterestDone", "agent", "who asked", func() Body { return new(SessionInterestDone) }},
	{2001, "Create", "AI, agent", "the object's channel", func() Body { return new(Create) }},
	{2009, "DeleteAIObjects", "AI, or its post-remove", "control stateserver", func() Body { return new(DeleteAIObjects) }},
	{2010, "GetField", "anybody", "the object", func() Body { return new(GetField) }},
	{2012, "GetFields", "anybody", "the object", func() Body { return new(GetFields) }},
	{2013, "GetFieldsResp", "state server", "who asked", func() Body { return new(GetFieldsResp) }},
	{2014, "GetAll", "anybody", "the object", func() Body { return new(GetAll) }},
	{2015, "GetAllResp", "state server", "who asked", func() Body { return new(GetAllResp) }},
	{2021, "SetFields", "AI, agent for a client", "the object", func() Body { return new(SetFields) }},
	{2031, "DeleteFields", "AI", "the object", func() Body { return new(DeleteFields) }},
	{2032, "DeleteRAM", "AI, agent", "the object", func() Body { return new(DeleteRAM) }},
	{2040, "SetLocation", "AI, agent for a client", "the object", func() Body { return new(SetLocation) }},
	{2041, "ChangingLocation", "state server, as the mover", "AI, owner, old parent, old location, new parent", func() Body { return new(ChangingLocation) }},
	{2043, "EnterLocation", "state server, as the object", "the new location", func() Body { return new(EnterLocation) }},
	{2044, "GetLocation", "anybody", "the object", func() Body { return new(GetLocation) }},
	{2045, "GetLocationResp", "state server", "who asked", func() Body { return new(GetLocationResp) }},
	{2046, "LocationAck", "state server, as the parent", "the child", func() Body { return new(LocationAck) }},
	{2050, "SetAI", "AI", "the object", func() Body { return new(SetAI) }},
	{2051, "ChangingAI", "state server, as who changed it", "the old AI, the object's children", func() Body { return new(ChangingAI) }},
	{2053, "EnterAI", "state server, as the object", "the new AI", func() Body { return new(EnterAI) }},
	{2054, "GetAI", "anybody", "the object", func() Body { return new(GetAI) }},
	{2055, "GetAIResp", "state server", "who asked", func() Body { return new(GetAIResp) }},
	{2060, "SetOwner", "AI", "the object", func() Body { return new(SetOwner) }},
	{2061, "ChangingOwner", "state server, as who changed it", "the old owner", func() Body { return new(ChangingOwner) }},
	{2063, "EnterOwner", "state server, as the object", "the new owner", func() Body { return new(EnterOwner) }},
	{2064, "GetOwner", "anybody", "the object", func() Body { return new(GetOwner) }},
	{2065, "GetOwnerResp", "state server", "who asked", func() Body { return new(GetOwnerResp) }},
	{2102, "GetZonesObjects", "agent, AI", "the parent", func() Body { return new(GetZonesObjects) }},
	{2104, "GetChildren", "anybody", "the parent", func() Body { return new(GetChildren) }},
	{2112, "GetZonesCount", "anybody", "the parent", func() Body { return new(GetZonesCount) }},
	{2113, "GetZonesCountResp", "state server", "who asked", func() Body { return new(GetZonesCountResp) }},
	{2114, "GetChildCount", "anybody", "the object", func() Body { return new(GetChildCount) }},
	{2115, "GetChildCountResp", "state server", "who asked", func() Body { return new(GetChildCountResp) }},
	{2122, "DeleteZones", "AI; state server", "the parent; the children of a parent", func() Body { return new(DeleteZones) }},
	{2124, "DeleteChildren", "AI; state server", "the parent; the children of a parent", func() Body { return new(DeleteChildren) }},
	{2125, "GetActiveZones", "anybody", "the object", func() Body { return new(GetActiveZones) }},
	{2126, "GetActiveZonesResp", "state server", "who asked", func() Body { return new(GetActiveZonesResp) }},
	{2201, "Activate", "AI, UberDOG", "the object's channel", func() Body { return new(Activate) }},
	{2207, "GetActivated", "anybody", "the object's channel", func() Body { return new(GetActivated) }},
	{2208, "Activated", "state server", "who asked", func() Body { return new(Activated) }},
	{2232, "DeleteDisk", "AI, UberDOG; state server", "the object; location, AI, owner", func() Body { return new(DeleteDisk) }},
	{3000, "DBCreate", "AI, UberDOG", "control database", func() Body { return new(DBCreate) }},
	{3014, "DBGet", "state server, AI, UberDOG", "control database", func() Body { return new(DBGet) }},
	{3015, "DBObject", "database", "who asked", func() Body { return new(DBObject) }},
	{3021, "DBSet", "state server, AI, UberDOG", "control database", func() Body { return new(DBSet) }},
	{3032, "DBDelete", "state server, AI, UberDOG", "control database", func() Body { return new(DBDelete) }},
	{5001, "Update", "state server, as the writer", "location, AI, owner; with a grid, edges or open zones the children of the object", func() Body { return new(Update) }},
	{5002, "Deleted", "state server, as who deleted it", "location, owner, AI", func() Body { return new(Deleted) }},
	{5003, "Unload", "AI", "the object", func() Body { return new(Unload) }},
	{5004, "WakeChildren", "state server, as the parent", "the children of a parent", func() Body { return new(WakeChildren) }},
	{5005, "ZonesObjects", "state server of the parent", "who asked", func() Body { return new(ZonesObjects) }},
	{5006, "AskEntries", "state server of the parent, or a watcher after a gap", "the first of the objects", func() Body { return new(AskEntries) }},
	{5007, "ZoneEntries", "state server of the children", "who opens", func() Body { return new(ZoneEntries) }},
	{5008, "Children", "state server", "who asked", func() Body { return new(Children) }},
	{5009, "Digest", "state server", "the location", func() Body { return new(Digest) }},
	{5010, "Bundle", "AI, agent for a client", "the object", func() Body { return new(Bundle) }},
	{5011, "Call", "agent, AI; state server", "the object; its AI or owner", func() Body { return new(Call) }},
	{5012, "CallReply", "state server, or an UberDOG's process", "the caller", func() Body { return new(CallReply) }},
	{5013, "AskHeld", "agent, AI, after a loss", "control stateserver, or an object: its State alone", func() Body { return new(AskHeld) }},
	{5014, "GetClass", "anybody", "the object's channel", func() Body { return new(GetClass) }},
	{5015, "GetClassResp", "state server", "who asked", func() Body { return new(GetClassResp) }},
	{5016, "Probe", "state server", "an object in the chain of parents", func() Body { return new(Probe) }},
	{5017, "Probed", "state server", "the mover's state server", func() Body { return new(Probed) }},
	{5018, "HeldDigest", "state server", "owner, AI", func() Body { return new(HeldDigest) }},
	{5019, "AIEntered", "state server", "the new AI", func() Body { return new(AIEntered) }},
	{5020, "ChildrenHere", "state server of children, after a lost link", "the parent", func() Body { return new(ChildrenHere) }},
	{5021, "ChildrenKnown", "state server of the parent", "who sent ChildrenHere", func() Body { return new(ChildrenKnown) }},
	{5022, "AskChildren", "state server of the parent, after a lost link", "the first of the objects", func() Body { return new(AskChildren) }},
	{5023, "AskAIEntered", "state server of the parent", "the first of the objects", func() Body { return new(AskAIEntered) }},
	{5024, "AskLastWord", "state server", "the AI of an object that went", func() Body { return new(AskLastWord) }},
	{5025, "LastWord", "AI", "the object", func() Body { return new(LastWord) }},
	{5026, "GroundDigest", "state server", "the children channel of the object", func() Body { return new(GroundDigest) }},
	{5040, "Freeze", "database", "the object", func() Body { return new(Freeze) }},
	{5041, "Frozen", "state server", "control database", func() Body { return new(Frozen) }},
	{5042, "Thaw", "database", "the object", func() Body { return new(Thaw) }},
	{5043, "Thawed", "state server", "control database", func() Body { return new(Thawed) }},
	{5100, "DBFind", "AI, UberDOG", "control database", func() Body { return new(DBFind) }},
	{5101, "DBFound", "database", "who asked", func() Body { return new(DBFound) }},
	{5102, "DBChanged", "database, as who wrote", "the object's record", func() Body { return new(DBChanged) }},
	{5103, "DBTransact", "AI, UberDOG", "control database", func() Body { return new(DBTransact) }},
	{5104, "DBOutcome", "who asked for it, state server", "control database", func() Body { return new(DBOutcome) }},
	{5105, "DBDecided", "database", "who asked", func() Body { return new(DBDecided) }},
	{5106, "DBList", "AI, UberDOG", "control database", func() Body { return new(DBList) }},
	{5110, "SchemaGet", "anybody", "control database", func() Body { return new(SchemaGet) }},
	{5111, "SchemaSet", "AI, daemon", "control database", func() Body { return new(SchemaSet) }},
	{5112, "SchemaRecord", "database", "who asked, and all roles", func() Body { return new(SchemaRecord) }},
	{5120, "DBWorked", "the backend of a database role", "its core", func() Body { return new(DBWorked) }},
	{5121, "DBSchemaIs", "the backend of a database role", "its core", func() Body { return new(DBSchemaIs) }},
	{5130, "SessionFollow", "UberDOG, AI", "the session", func() Body { return new(SessionFollow) }},
	{5131, "PermitInterest", "UberDOG, AI", "the session", func() Body { return new(PermitInterest) }},
	{5200, "ChannelsAdded", "director", "who subscribed", func() Body { return new(ChannelsAdded) }},
	{5201, "LinkLost", "director", "all participants of the process", func() Body { return new(LinkLost) }},
	{5300, "Done", "who was asked", "who asked", func() Body { return new(Done) }},
	{5301, "Failed", "who was asked", "who asked", func() Body { return new(Failed) }},
	{5400, "Tick", "the shell of a core", "its core", func() Body { return new(Tick) }},
	{5401, "SessionOpened", "the shell of an agent", "its core", func() Body { return new(SessionOpened) }},
	{5402, "SessionFrames", "the shell of an agent", "its core", func() Body { return new(SessionFrames) }},
	{5403, "SessionClosed", "the shell of an agent", "its core", func() Body { return new(SessionClosed) }},
	{5404, "SessionDrained", "the shell of an agent", "its core", func() Body { return new(SessionDrained) }},
	{5405, "Flush", "the shell of an agent", "its core", func() Body { return new(Flush) }},
	{9000, "AddChannels", "any participant", "control director", func() Body { return new(AddChannels) }},
	{9001, "RemoveChannels", "any participant", "control director", func() Body { return new(RemoveChannels) }},
	{9002, "AddRanges", "any participant", "control director", func() Body { return new(AddRanges) }},
	{9003, "RemoveRanges", "any participant", "control director", func() Body { return new(RemoveRanges) }},
	{9010, "AddPostRemove", "any participant", "control director", func() Body { return new(AddPostRemove) }},
	{9011, "ClearPostRemoves", "any participant", "control director", func() Body { return new(ClearPostRemoves) }},
}

// find is the row of a number, nil if there is no such message.
func (t Type) find() *spec {
	i, ok := slices.BinarySearchFunc(messages, t, func(s spec, t Type) int { return cmp.Compare(s.number, uint16(t)) })
	if !ok {
		return nil
	}
	return &messages[i]
}

// String is the name of the message, or its number if there is no such message.
func (t Type) String() string {
	if s := t.find(); s != nil {
		return s.name
	}
	return "message " + strconv.Itoa(int(t))
}
