// Package messagedirector carries messages between the participants of a cluster: states, agents and repositories.
// It routes by channel and knows no game.
//
// # Rules
//
//   - A message is handled once by each participant that subscribed to at least one of its recipients (rule 1), and
//     never by its sender (rule 2).
//   - A call (wire.Call) to an UberDOG's channel is handled by exactly one of those that subscribed to it, other than its
//     sender: always by the same one for one caller, as long as they are the same (rule 171). What that one does not
//     answer, nobody does: the caller's deadline tells.
//   - From one sender to one receiver messages stay in order; between different senders there is no order (rule 4).
//   - A control message has the director as its only recipient (rule 5). It takes effect at its place in the sender's
//     order: what stands behind an AddChannels is routed with the new subscription in force.
//   - Nothing is ever sent to the invalid channel (rule 15) or to nobody (rule 16).
//   - A request to a session that nobody listens to is answered by the director: it has ended ([Nobody]).
//   - When a participant goes, it is unsubscribed first, then its post-removes are routed, then it is forgotten
//     (rule 12). Post-removes must be idempotent: with several nodes they are sent at least once (rule 11).
//
// # Within a process
//
// A [Director] has a [Table], the pure routing core, and [Participant]s. Routing runs on the goroutine of the sender,
// straight into the inboxes of the receivers: there is no central loop and no lock but the receiver's own. Changes of
// subscriptions are made under the director's lock, one owner at a time; readers see immutable snapshots. The
// simulation drives the same Table without a Director.
//
// A participant's loop takes all that has accumulated in one swap:
//
//	p := d.Join("stateserver 1")
//	defer p.Leave()
//	var batch []wire.Message
//	for {
//		if _, err := p.Inbox().Wait(ctx, &batch); err != nil {
//			return err
//		}
//		for _, m := range batch {
//			state.Step(m, &out)
//		}
//		p.Route(out.Messages)
//		out.Reset()
//	}
//
// An inbox never blocks its senders. Past its high-water mark the director has no credit, and originators (agents that
// read from clients, repositories) hold back until it has ([Director.Credit]). Past its hard limit the participant is
// removed, and its Wait says [ErrOverflow].
//
// # Between processes
//
// A director becomes a [Node] of a cluster by [Director.Serve], which embeds a nats-server and needs nothing else, or
// by [Director.Connect], which joins with one URL. Nodes tell each other their subscriptions, numbered and
// acknowledged; ranges stay ranges. For routing, a peer is one more member of the table: a message goes once to each
// node that listens to it, batched, on that node's subject. What comes from a peer is never sent on to another
// (rule 9).
//
//	subject otp.CLUSTER.node.ID   all frames for node ID: wire.BusHello, BusSubscribe, BusAck, BusBatch, ...; large ones as BusParts
//	bucket  otp_CLUSTER           key "epoch": the last epoch given; key "node.ID": the lease of a node
//
// Frames carry (node, epoch, sequence). A hole in the sequence, a reconnect or an overflowing queue is a lost link:
// local participants hear wire.LinkLost, fail their requests in flight and open again what they watched, and the
// link starts over with a whole snapshot of subscriptions and wills. They hear it again when the link is back, for what
// came in between was dropped. What a repository ([Participant.Builds]) sends from when a link starts over until it has
// taken the LinkLost is dropped, too: it is built on what may be lost.
//
// # Leases and wills
//
// A node's post-removes are its will: its peers hold a copy. A node renews its lease six times in its length (3 s
// unless configured). Who has seen no renewal for a whole lease, while it ran and could itself renew, may declare the
// node dead by a compare-and-set on its record; the winner runs the will, and if the winner dies before it is done,
// another does. A dead epoch is refused everywhere. The node that was declared dead finds out with its next renewal:
// its participants fail with [ErrEpochDead], and the process must connect again, as a new node.
package messagedirector
