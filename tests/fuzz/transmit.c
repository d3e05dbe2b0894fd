/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * transmit.c - fuzz target: turns and headers of bpf/transmit.h, and the faces that these are made
 * of [T3 T4 T5 T8].
 *
 * Input: a write (entries: destination and length; destinations: weight and what a packet holds),
 * and which packets end their entry in failure; then destinations (one byte: family, tags, RTP, no
 * checksum; then fields) with a packet for each.
 *
 * Holds: the order of packets is that of queues which take turns, none is left out, made twice or
 * longer than the destination allows; a packet has the lengths, numbers and checksums that a reader
 * of its own, byte by byte, expects.
 */
#include <errno.h>
#include <sys/socket.h>

#include "face.h"
#include "fuzz.h"
#include "sum.h"

#define DESTINATIONS 8u
#define ENTRIES 64u
#define PACKETS 4000
#define LONGEST 3000u

/* ---- turns ---- */

static struct xp_tx_entry entry[ENTRIES];
static uint32_t count;
static struct {
	uint32_t weight, room;
	uint32_t queue[ENTRIES], front, past; /* entries in order; the naive way */
} to[DESTINATIONS];
static uint32_t turn_of[DESTINATIONS], takers; /* destinations in order of their turns */
static uint64_t done[ENTRIES];		       /* bytes */

static void read_write(struct input *in)
{
	uint32_t i, d, length;

	memset(to, 0, sizeof(to));
	memset(done, 0, sizeof(done));
	takers = 0;
	count = 1 + take8(in) % ENTRIES;
	for (d = 0; d < DESTINATIONS; d++) {
		to[d].weight = 1 + take8(in) % 5;
		to[d].room = 1 + take16(in) % 2000;
	}
	for (i = 0; i < count; i++) {
		d = take8(in) % DESTINATIONS;
		length = 1 + take16(in) % 20000;
		if (to[d].front == to[d].past)
			turn_of[takers++] = d;
		to[d].queue[to[d].past++] = i;
		entry[i] = (struct xp_tx_entry){.at = i << 20, .left = length, .destination = d};
	}
}

/* The first entry of each destination is in the ring, the others are chained to it. */
static void link_up(struct xp_tx_job *job)
{
	uint32_t k, i, d;

	for (k = 0; k < takers; k++) {
		d = turn_of[k];
		for (i = 0; i < to[d].past; i++)
			entry[to[d].queue[i]].chain =
				i + 1 < to[d].past ? to[d].queue[i + 1] : XP_TX_NONE;
		entry[to[d].queue[0]].next = to[turn_of[(k + 1) % takers]].queue[0];
	}
	*job = (struct xp_tx_job){.at = to[turn_of[0]].queue[0],
				  .before = to[turn_of[takers - 1]].queue[0],
				  .ring = takers};
}

/* The first of those who wait goes to the end, or away. */
static void next_taker(int away)
{
	uint32_t first = turn_of[0];

	memmove(turn_of, turn_of + 1, (takers - 1) * sizeof(*turn_of));
	turn_of[takers - 1] = first;
	takers -= away;
}

static void one_packet(struct xp_tx_job *job, uint32_t *turn, int fails)
{
	uint32_t d = turn_of[0], i = to[d].queue[to[d].front], length;
	struct xp_tx_entry *e = &entry[job->at];

	holds(job->at == i, "it is entry %u's turn, not %u's", job->at, i);
	holds(job->ring == takers, "%u take turns, not %u", job->ring, takers);
	holds(e->at == ((uint64_t)i << 20) + done[i], "entry %u is at %llu", i,
	      (unsigned long long)e->at);
	if (fails) {
		xp_tx_leave(entry, job, e);
		*turn = 0;
		next_taker(1);
		return;
	}
	length = e->left < to[d].room ? e->left : to[d].room;
	xp_tx_advance(entry, job, e, length, to[d].weight);
	done[i] += length;
	++*turn;
	if (!e->left && ++to[d].front == to[d].past) {
		*turn = 0;
		next_taker(1);
	} else if (*turn >= to[d].weight) {
		*turn = 0;
		next_taker(0);
	}
}

static void turns(struct input *in)
{
	uint32_t turn = 0, n, fails;
	struct xp_tx_job job;

	read_write(in);
	fails = take8(in);
	link_up(&job);
	for (n = 0; takers && n < PACKETS; n++)
		one_packet(&job, &turn, fails && n % 64 == fails);
	if (!takers)
		holds(!job.ring, "%u still take turns", job.ring);
}

/* ---- headers ---- */

static uint8_t packet[256 + LONGEST];

static uint32_t at16(uint32_t at)
{
	return packet[at] << 8 | packet[at + 1];
}

static uint32_t at32(uint32_t at)
{
	return at16(at) << 16 | at16(at + 2);
}

static void take_bytes(struct input *in, void *to_bytes, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		((uint8_t *)to_bytes)[i] = take8(in);
}

static void read_plan(struct input *in, struct xp_face_plan *plan)
{
	uint8_t kind = take8(in);
	int family = kind & 1 ? AF_INET6 : AF_INET;

	*plan = (struct xp_face_plan){.tags = (kind >> 1 & 3) % 3,
				      .rtp = kind & 8,
				      .no_checksum = kind & 16,
				      .mtu = kind & 32 ? 60 + take8(in) : 9000,
				      .frame = kind & 64 ? 40 + take8(in) : 16384,
				      .payload = kind & 128 ? 1 + take8(in) : 0};
	take_bytes(in, plan->to.byte, kind & 1 ? 16 : 4);
	take_bytes(in, plan->from.byte, kind & 1 ? 16 : 4);
	plan->to.family = plan->from.family = family;
	plan->sport = take16(in);
	plan->dport = take16(in);
	plan->ttl = take8(in);
	plan->tos = take8(in);
	plan->rtp_type = take8(in) & 0x7f;
	plan->rtp_ssrc = take32(in);
	plan->tag[0].vlan = take16(in) & 0xfff;
	plan->tag[1].vlan = take16(in) & 0xfff;
}

static uint32_t check_ip(const struct xp_face_plan *plan, uint32_t at, uint32_t end, uint16_t id)
{
	if (plan->to.family == AF_INET6) {
		holds(at16(at + 4) == end - at - 40, "%u bytes in IPv6", at16(at + 4));
		holds(packet[at] >> 4 == 6 && packet[at + 6] == 17, "no UDP over IPv6");
		holds(!memcmp(packet + at + 8, plan->from.byte, 16) &&
			      !memcmp(packet + at + 24, plan->to.byte, 16),
		      "addresses");
		return at + 40;
	}
	holds(packet[at] == 0x45 && packet[at + 9] == 17, "no UDP over IPv4");
	holds(at16(at + 2) == end - at, "%u bytes in IPv4", at16(at + 2));
	holds(at16(at + 4) == id, "id %u, not %u", at16(at + 4), id);
	holds(sum_add(0, packet + at, 20) == 0xffff, "IPv4's checksum");
	return at + 20;
}

static void check_udp(const struct xp_face_plan *plan, uint32_t at, uint32_t end)
{
	uint32_t bytes = end - at, addresses = plan->to.family == AF_INET ? 8 : 32;
	uint8_t tail[4] = {bytes >> 8, bytes, 0, 17};
	uint32_t sum = sum_add(sum_add(0, packet + at - addresses, addresses), tail, 4);

	holds(at16(at + 4) == bytes, "%u bytes in UDP", at16(at + 4));
	if (plan->no_checksum && plan->to.family == AF_INET) {
		holds(!at16(at + 6), "a checksum that nobody asked for");
		return;
	}
	holds(at16(at + 6), "UDP without a checksum");
	holds(sum_both(sum, sum_add(0, packet + at, bytes)) == 0xffff, "UDP's checksum");
}

static void check_rtp(const struct xp_face_plan *plan, uint32_t at, uint16_t sequence,
		      uint32_t timestamp, int marker)
{
	holds(packet[at] == 0x80 && packet[at + 1] == (marker << 7 | plan->rtp_type), "type %02x",
	      packet[at + 1]);
	holds(at16(at + 2) == sequence && at32(at + 4) == timestamp &&
		      at32(at + 8) == plan->rtp_ssrc,
	      "number %u, time %u", at16(at + 2), at32(at + 4));
}

static void headers(struct input *in)
{
	struct xp_tx_packet p = {0};
	uint32_t timestamp, i, at, end;
	struct xp_face_plan plan;
	struct xp_tx_face face;
	const uint8_t *payload;
	int err, marker;
	uint8_t filler;

	read_plan(in, &plan);
	p.id = take16(in);
	p.sequence = take16(in);
	timestamp = take32(in);
	marker = take8(in) & 1;
	filler = take8(in);
	err = xp_face_build(&plan, &face);
	holds(!err || err == -EMSGSIZE, "%d", err);
	if (err)
		return;
	holds(face.room && (!plan.payload || face.room <= plan.payload) &&
		      face.front + face.room <= plan.frame &&
		      face.front - face.l3 + face.room <= plan.mtu && face.front <= XP_TX_BLOCK,
	      "room for %u behind %u", face.room, face.front);
	p.length = take16(in) % LONGEST;
	if (p.length > face.room)
		p.length = face.room;
	memcpy(packet, face.block, face.front);
	for (i = 0; i < p.length; i++)
		packet[face.front + i] = filler + i * (filler | 1);
	payload = fenced(packet + face.front, p.length);
	xp_tx_patch(packet + face.l3, packet + face.l4, &face, &p, timestamp, marker,
		    xp_tx_sum(payload, p.length));
	end = face.front + p.length;
	at = check_ip(&plan, 14 + 4 * plan.tags, end, p.id);
	check_udp(&plan, at, end);
	if (plan.rtp)
		check_rtp(&plan, at + 8, p.sequence, timestamp, marker);
	holds(!memcmp(packet + end - p.length, payload, p.length), "payload");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	turns(&in);
	do
		headers(&in);
	while (in.left);
	return 0;
}
