/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * opcode.c - fuzz target: the decisions of bpf/opcode.h, carried out on a stream [R3 R4 R12 R13].
 *
 * Input: window, first sequence number, then segments: where they begin relative to the edge, how
 * long they are, their flags. What is decided is done to a map of the stream's bytes, in the way of
 * stream.bpf.h, with the runs of sequence.h.
 *
 * Holds: a decision names one op-code and places within the window and within the payload; no byte
 * is placed twice, none under a sequence number that is not its own, none behind the FIN; what lies
 * in the window is placed, all of it, however many holes there are; a repetition is one.
 */
#include "fuzz.h"
#include "opcode.h"

#define AREA 4096u
#define LAST_EDGE (1u << 17) /* where a stream ends, at the latest */
#define REACH (1u << 19)     /* beyond it, the farthest that a byte is placed */
#define SEGMENTS 200

static struct xp_flow flow;
static struct xp_early early;
static uint32_t window_areas;
static uint8_t map[LAST_EDGE + REACH];
static uint32_t touched; /* bytes of the map that may be set */

static uint32_t window(void)
{
	return window_areas * AREA - ((uint32_t)flow.edge & (AREA - 1));
}

static void move_edge(uint32_t by)
{
	flow.edge += by;
	flow.next += by;
}

static void catch_up(void)
{
	uint32_t i, length;

	if (flow.early == XP_NONE || !xp_runs_find(&early, (uint32_t)flow.edge, 0))
		return;
	i = XP_RUN(xp_found(&early));
	length = early.run[i].end - early.run[i].start;
	xp_runs_remove(&early, i);
	move_edge(length);
	if (!early.count)
		flow.early = XP_NONE;
}

static void give_up_one(void)
{
	move_edge(xp_runs_hole(&early, (uint32_t)flow.edge));
	catch_up();
}

/* Of too many holes the nearest goes, up to what it goes for. */
static void make_room(uint32_t at)
{
	uint32_t hole = xp_runs_hole(&early, (uint32_t)flow.edge), ahead = at - (uint32_t)flow.edge;

	move_edge(ahead < hole ? ahead : hole);
	catch_up();
}

static void make_way(const struct xp_decision *d)
{
	uint64_t end = d->offset + d->length;

	while (early.count && (d->jump || end - flow.edge > window()))
		give_up_one();
	if (!d->jump && end - flow.edge <= window())
		return;
	flow.early = XP_NONE;
	if (d->offset > flow.edge)
		move_edge(d->offset - flow.edge);
}

static void place_piece(const struct xp_packet *p, const struct xp_decision *d, uint32_t at,
			uint32_t past)
{
	uint32_t first = d->skip + (at - (uint32_t)d->offset), n = past - at;
	uint32_t seq = p->seq + !!(p->tcp_flags & XP_TCP_SYN) + first;

	holds(first + n <= p->payload, "bytes %u to %u of %u", first, first + n, p->payload);
	holds(seq == flow.isn + at, "seq %u at offset %u", seq, at);
	holds(!memchr(map + at, 1, n), "some of [%u, %u) is placed twice", at, past);
	holds(past - flow.edge <= window(), "[%u, %u), edge %llu, window %u", at, past,
	      (unsigned long long)flow.edge, window());
	holds(!(flow.flags & XP_FLOW_FIN) || past <= flow.fin, "behind the FIN");
	memset(map + at, 1, n);
	if (past > touched)
		touched = past;
}

static void place(const struct xp_packet *p, const struct xp_decision *d)
{
	uint32_t at = d->offset, end = d->offset + d->length, past;

	for (past = end; (int32_t)(end - at) > 0; past = end) {
		if ((int32_t)((uint32_t)flow.edge - at) > 0)
			at = flow.edge;
		if ((int32_t)(end - at) <= 0 ||
		    !xp_runs_uncovered(&early, (uint32_t)flow.edge, &at, &past))
			return;
		/* A piece lies in one area: the edge, and the window with it, moves in between. */
		if (past - at > AREA - (at & (AREA - 1)))
			past = at + AREA - (at & (AREA - 1));
		if (at != (uint32_t)flow.edge && xp_runs_add(&early, at, past)) {
			make_room(at);
			continue;
		}
		place_piece(p, d, at, past);
		if (at == (uint32_t)flow.edge) {
			move_edge(past - at);
			catch_up();
		} else {
			flow.early = 0;
		}
		at = past;
	}
}

static void check_decision(const struct xp_packet *p, const struct xp_decision *d, int32_t start)
{
	uint32_t fin = !!(p->tcp_flags & XP_TCP_FIN);

	holds(d->opcode == XP_APPEND || d->opcode == XP_EARLY || d->opcode == XP_REPEAT ||
		      d->opcode == XP_NODATA || d->opcode == XP_WHOLE || d->opcode == XP_TEARDOWN,
	      "op-code %u", d->opcode);
	holds(!d->give_up || !d->jump, "both");
	if (d->opcode == XP_NODATA)
		holds(!p->payload || p->tcp_flags & XP_TCP_RST, "%u bytes are no data", p->payload);
	if (d->opcode == XP_REPEAT)
		/* What reaches half the number space ahead is as near from behind. */
		holds(start < 0 || start + (int64_t)p->payload > INT32_MAX ||
			      flow.state == XP_FLOW_CLOSED || !p->payload,
		      "%u bytes from %d on are new", p->payload, start);
	if (d->opcode != XP_APPEND && d->opcode != XP_EARLY)
		return;
	holds(flow.state == XP_FLOW_OPEN, "placed in a flow that has ended");
	holds(d->skip + d->length <= p->payload, "%u + %u of %u", d->skip, d->length, p->payload);
	holds(d->offset >= flow.edge, "offset %llu, edge %llu", (unsigned long long)d->offset,
	      (unsigned long long)flow.edge);
	holds(d->opcode == XP_EARLY || d->offset == flow.edge || d->jump, "APPEND ahead");
	holds(d->opcode == XP_APPEND || d->offset > flow.edge, "EARLY at the edge");
	holds(d->length || fin, "nothing is placed");
	/* What begins at the edge may be longer than the window: the edge moves with it. */
	if (d->opcode == XP_EARLY && !d->give_up)
		holds(d->offset + d->length - flow.edge <= window(), "beyond the window");
}

/* Of a segment in the window nothing may be missing afterwards. */
static void check_arrived(const struct xp_packet *p, uint64_t edge, int32_t start)
{
	int64_t first = edge + (start > 0 ? start : 0), past = edge + start + p->payload;

	if (flow.flags & XP_FLOW_FIN && past > (int64_t)flow.fin)
		past = flow.fin;
	if (first < past)
		holds(!memchr(map + first, 0, past - first),
		      "some of [%lld, %lld) was in the window and is missing", (long long)first,
		      (long long)past);
}

/* What needs no stream: who may start a flow, UDP, where an op-code's bytes go. */
static void check_others(const struct xp_packet *p, uint8_t opcode)
{
	uint32_t syn = p->tcp_flags & XP_TCP_SYN, rst = p->tcp_flags & XP_TCP_RST;
	struct xp_packet datagram = {.proto = IPPROTO_UDP, .payload = p->payload};
	struct xp_decision d = {0};

	holds(xp_eligible(p, 0) == (syn && !rst), "flags %x", p->tcp_flags);
	holds(!xp_eligible(p, 1) == (rst || (!syn && !p->payload)), "flags %x", p->tcp_flags);
	holds(!xp_went_elsewhere(&flow, p) || (!syn && !rst && p->payload), "flags %x",
	      p->tcp_flags);
	holds(!xp_starts_anew(&flow, p) || (syn && !rst && p->seq + 1 != flow.isn), "flags %x",
	      p->tcp_flags);
	holds(!xp_decide(&flow, &datagram, window(), &d), "no decision");
	holds(d.offset == flow.edge && d.length == p->payload && !d.skip, "UDP at %llu, %u bytes",
	      (unsigned long long)d.offset, d.length);
	holds(d.opcode == (p->payload ? XP_APPEND : XP_NODATA), "UDP is %u", d.opcode);
	holds(xp_eligible(&datagram, 0) == !!p->payload, "UDP of %u bytes", p->payload);
	holds((xp_opcode_areas(opcode) == XP_TO_NOTHING) == (opcode >= XP_OPCODE_COUNT),
	      "op-code %u goes to %d", opcode, xp_opcode_areas(opcode));
}

/* As xp_put_stream() does it. */
static void carry_out(const struct xp_packet *p, const struct xp_decision *d)
{
	uint64_t end = d->offset + d->length;

	if (d->give_up || d->jump)
		make_way(d);
	if (d->fin && !(flow.flags & XP_FLOW_FIN) &&
	    !(flow.early != XP_NONE &&
	      xp_runs_beyond(&early, (uint32_t)flow.edge, (uint32_t)end))) {
		flow.flags |= XP_FLOW_FIN;
		flow.fin = end;
	}
	place(p, d);
	if (flow.flags & XP_FLOW_FIN && flow.edge == flow.fin) {
		holds(!early.count, "runs behind the FIN");
		flow.state = XP_FLOW_CLOSED;
	}
}

static void segment(const struct xp_packet *p, int32_t start)
{
	uint64_t edge = flow.edge;
	uint32_t in_window = start + (int64_t)p->payload <= window() && start > -(1 << 25);
	struct xp_decision d = {0};
	int open = flow.state == XP_FLOW_OPEN;

	holds(!xp_decide(&flow, p, window(), &d), "no decision");
	check_decision(p, &d, start);
	if (d.opcode != XP_NODATA)
		flow.strays = d.stray && !d.jump ? flow.strays + 1 : 0;
	holds(flow.strays < XP_MAX_STRAYS || !open || d.opcode == XP_TEARDOWN, "%u strays",
	      flow.strays);
	if (d.opcode == XP_APPEND || d.opcode == XP_EARLY)
		carry_out(p, &d);
	else if (d.opcode == XP_TEARDOWN)
		flow.state = XP_FLOW_CLOSED;
	if (open && in_window && !(p->tcp_flags & XP_TCP_RST))
		check_arrived(p, edge, start);
}

static void begin(struct input *in)
{
	memset(&flow, 0, sizeof(flow));
	memset(&early, 0, sizeof(early));
	memset(map, 0, touched);
	touched = 0;
	window_areas = 16u << take8(in) % 2;
	flow.isn = flow.next = take32(in);
	flow.state = XP_FLOW_OPEN;
	flow.early = XP_NONE;
}

/* Near the edge as a rule, anywhere else now and then. */
static int32_t distance(struct input *in, uint8_t kind)
{
	int32_t near = (int16_t)take16(in);

	switch (kind & 7) {
	case 0:
		return 0;
	case 1:
		return near * 4;
	case 2:
		return (int32_t)take32(in);
	case 3:
		return (int32_t)window() + near % 64;
	default:
		return near;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t flags[] = {0, XP_TCP_FIN, XP_TCP_SYN, XP_TCP_RST};
	struct input in = {data, size};
	struct xp_packet p = {.proto = IPPROTO_TCP};
	uint32_t n, syn;
	int32_t start;
	uint8_t kind;

	begin(&in);
	for (n = 0; in.left && n < SEGMENTS && flow.edge < LAST_EDGE; n++) {
		kind = take8(&in);
		start = distance(&in, kind);
		p.payload = take16(&in) >> (kind >> 3 & 7);
		p.tcp_flags = XP_TCP_ACK | (kind & 0xc0 ? 0 : flags[take8(&in) & 3]);
		syn = !!(p.tcp_flags & XP_TCP_SYN);
		/* A jump as far as that is right, and beyond what the map knows. */
		if (start > (1 << 16) + 2 * (int32_t)window() && flow.strays == XP_MAX_STRAYS - 1)
			start = -start;
		p.seq = flow.next + start - syn;
		check_others(&p, kind);
		segment(&p, start);
	}
	return 0;
}
