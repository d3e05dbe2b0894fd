/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * schedule.c - schedules as such: numbers from a seed, frames, text, capture files.
 */
#include <errno.h>
#include <string.h>

#include "schedule.h"

/* splitmix64: any seed is as good as any other. */
uint64_t rng_next(struct rng *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint32_t below(struct rng *r, uint32_t n)
{
	return n ? (rng_next(r) >> 32) * n >> 32 : 0;
}

bool chance(struct rng *r, unsigned percent)
{
	return below(r, 100) < percent;
}

const struct setup *schedule_setup(const struct family *family, uint64_t seed)
{
	unsigned n = 0;

	while (n < SETUPS && family->setups[n])
		n++;
	return family->setups[seed % n];
}

void schedule_make(struct schedule *s, const struct family *family, uint64_t seed)
{
	struct rng r = {.state = seed};

	s->family = family;
	s->seed = seed;
	s->steps = 0;
	family->make(s, &r, schedule_setup(family, seed));
}

bool schedule_prepend(struct schedule *s, const struct schedule *before)
{
	size_t more = before->steps + 1;

	if (s->steps + more > MAX_STEPS)
		return false;
	memmove(s->step + more, s->step, s->steps * sizeof(s->step[0]));
	memcpy(s->step, before->step, before->steps * sizeof(s->step[0]));
	memset(&s->step[more - 1], 0, sizeof(s->step[0]));
	s->step[more - 1].kind = STEP_FLUSH;
	s->steps += more;
	return true;
}

static void put_rtp_header(const struct rtp *r, uint8_t *p, uint16_t seq)
{
	uint32_t i;

	p[0] = (0x80 | !!r->padding << 5 | !!r->extension << 4 | r->csrcs) ^ r->first;
	p[1] = r->second;
	p[2] = seq >> 8;
	p[3] = seq;
	for (i = 0; i < 4; i++)
		p[8 + i] = r->ssrc >> (24 - 8 * i);
}

static void put_rtp(const struct step *step, struct frame *f)
{
	const struct rtp *r = &step->rtp;
	uint8_t *p = f->bytes + f->headers, *check = f->bytes + f->l4 + 6;
	uint32_t at = 12 + 4 * r->csrcs, next;

	if (!r->on || f->payload < 12)
		return;
	put_rtp_header(r, p, r->seq);
	/* Several datagrams in one packet: each has a header. */
	for (next = step->gso; next && next + 12 <= f->payload; next += step->gso)
		put_rtp_header(r, p + next, r->seq + next / step->gso);
	if (r->extension && at + 4 <= f->payload) {
		p[at + 2] = 0;
		p[at + 3] = r->extension - 1;
	}
	if (r->padding)
		p[f->payload - 1] = r->padding ^ r->lie;
	if (step->p.fault != FAULT_NO_CHECKSUM && step->p.fault != FAULT_PSEUDO)
		frame_fix_l4(f);
	if (step->p.fault == FAULT_CHECKSUM)
		*check ^= 0x04;
}

static void build(const struct step *step, struct frame *f)
{
	packet_build(&step->p, f);
	put_rtp(step, f);
}

/* What lies behind the end of the packet is its end once more: only the offset is another. */
static void cut(const struct step *step, struct frame *frame)
{
	static struct frame whole;
	uint32_t total, bytes = step->bytes, at = step->at;
	bool v6;

	build(step, &whole);
	if (step->outer) { /* tunnels over IPv4, without tags */
		whole.l3 = 14;
		whole.l4 = 34;
		whole.headers = 42;
		whole.payload = whole.len - 42;
	}
	total = whole.headers - whole.l4 + whole.payload;
	if (bytes > total)
		bytes = total;
	if (at + bytes > total)
		at = total - bytes;
	packet_cut(&whole, at, bytes, step->more, step->id, frame);
	v6 = step->p.v6 && !step->outer;
	at = v6 ? step->at | step->more : step->at / 8 | step->more << 13;
	frame->bytes[v6 ? frame->l4 - 6 : frame->l3 + 6] = at >> 8;
	frame->bytes[v6 ? frame->l4 - 5 : frame->l3 + 7] = at;
	frame_fix_ip(frame);
}

bool step_frame(const struct step *step, struct frame *frame)
{
	if (step->kind != STEP_PACKET)
		return false;
	if (step->part)
		cut(step, frame);
	else
		build(step, frame);
	frame->len =
		frame->len - step->cut < 14 || frame->len < step->cut ? 14 : frame->len - step->cut;
	if (step->poke < frame->len)
		frame->bytes[step->poke] ^= step->poke_bits;
	if (step->mend)
		frame_fix_ip(frame);
	return true;
}

/* ---- text ---- */

static const char *const wraps[WRAP_COUNT] = {
	[WRAP_NONE] = "",
	[WRAP_VLAN] = " vlan",
	[WRAP_QINQ] = " qinq",
	[WRAP_VXLAN] = " vxlan",
	[WRAP_VXLAN6] = " vxlan-over-ipv6",
	[WRAP_GENEVE] = " geneve",
	[WRAP_GENEVE_OPTIONS] = " geneve-with-options",
	[WRAP_GENEVE_IP] = " geneve-without-ethernet",
	[WRAP_GRE] = " gre",
	[WRAP_GRE_KEY] = " gre-key",
	[WRAP_GRE_ALL] = " gre-key-checksum-sequence",
	[WRAP_GRE_ETHERNET] = " gre-ethernet",
	[WRAP_IPIP] = " in-ipv4",
	[WRAP_IPIP6] = " in-ipv6",
	[WRAP_VXLAN_VLAN] = " vxlan-vlan-inside",
	[WRAP_VLAN_VXLAN] = " vxlan-vlan-outside",
};
static const char *const faults[] = {"", " bad-checksum", " bad-ip-checksum", " partial-checksum",
				     " no-checksum"};

static size_t more(char *text, size_t size, size_t at, const char *format, long value)
{
	if (at < size)
		at += snprintf(text + at, size - at, format, value);
	return at < size ? at : size;
}

static size_t text_of_extras(const struct step *step, char *text, size_t size, size_t at)
{
	const struct packet *p = &step->p;
	const struct {
		const char *format;
		long value;
	} extras[] = {
		{" salt %ld", p->salt},
		{p->v6 ? " extensions %ld" : " ip-options %ld", p->ip_options},
		{" tcp-options %ld", p->tcp_options},
		{" padding %ld", p->padding},
		{" first-extension %ld longer", p->extension},
		{" atomic-fragment", p->pure_fragment},
		{" vnet %ld", p->vnet},
		{" tag %ld beside it", step->tag},
		{" in packets of %ld", step->gso},
		{" forwarded", step->came_in},
		{" cut %ld", step->cut},
		{" byte %ld changed", step->poke_bits ? step->poke : 0},
		{" and the IP checksum with it", step->mend},
	};
	size_t i;

	for (i = 0; i < sizeof(extras) / sizeof(extras[0]); i++)
		if (extras[i].value)
			at = more(text, size, at, extras[i].format, extras[i].value);
	return at;
}

static size_t text_of_rtp(const struct step *step, char *text, size_t size, size_t at)
{
	const struct rtp *r = &step->rtp;

	if (!r->on || at >= size)
		return at;
	at += snprintf(text + at, size - at, ", rtp %u of %u", r->seq, r->ssrc);
	if (at < size &&
	    (r->first || r->csrcs || r->extension || r->padding || r->lie || r->second != 96))
		at += snprintf(text + at, size - at,
			       " first ^ %02x second %02x csrcs %u extension %u padding %u ^ %02x",
			       r->first, r->second, r->csrcs, r->extension, r->padding, r->lie);
	return at;
}

static size_t text_of_part(const struct step *step, char *text, size_t size, size_t at)
{
	if (!step->part || at >= size)
		return at;
	return at + snprintf(text + at, size - at, ", of that%s fragment %u + %u%s, id %u",
			     step->outer ? " tunnel's" : "", step->at, step->bytes,
			     step->more ? " and more" : "", step->id);
}

static size_t text_of_key(const struct packet *p, char *text, size_t size, size_t at)
{
	uint16_t alice = p->port ? p->port : ALICE_PORT, bob = p->bob_port ? p->bob_port : BOB_PORT;

	return at + snprintf(text + at, size - at, "%s %s:%u > %s:%u%s%s", p->udp ? "udp" : "tcp",
			     p->reverse ? "bob" : "alice", p->reverse ? bob : alice,
			     p->reverse ? "alice" : "bob", p->reverse ? alice : bob,
			     p->v6 ? " v6" : "", wraps[p->wrap]);
}

static void text_of_packet(const struct step *step, char *text, size_t size)
{
	static const char letters[] = "FSRPAU";
	const struct packet *p = &step->p;
	char flags[8];
	size_t at, i, n = 0;

	at = snprintf(text, size, "lane %u%s%s%s: ", step->lane, step->cpu ? ", CPU 1" : "",
		      step->shared ? ", of both" : "", step->out ? ", sent" : "");
	at = text_of_key(p, text, size, at);
	for (i = 0; letters[i]; i++)
		if (p->flags >> i & 1)
			flags[n++] = letters[i];
	flags[n] = 0;
	if (!p->udp)
		at += snprintf(text + at, size - at, " [%s] seq %u", flags, p->seq);
	at = more(text, size, at, " len %ld", p->len);
	if (p->flags & ACK)
		at = more(text, size, at, " ack %ld", p->ack);
	if (p->fault && at < size)
		at += snprintf(text + at, size - at, "%s", faults[p->fault]);
	at = text_of_extras(step, text, size, at);
	at = text_of_rtp(step, text, size, at);
	text_of_part(step, text, size, at);
}

static void text_of_command(const struct step *step, const char *what, char *text, size_t size)
{
	size_t at = snprintf(text, size, "%s ", what);

	at = text_of_key(&step->p, text, size, at);
	if (step->kind == STEP_ADD)
		at += snprintf(text + at, size - at, " to lane %u%s%s", step->lane,
			       step->p.flags & FIN ? ", take" : "", step->rtp.on ? ", rtp" : "");
	if (step->own_areas)
		snprintf(text + at, size - at, ", own areas %u + %u from area %u of the stream on",
			 step->own_at, step->own_areas, step->own_start);
}

void step_text(const struct step *step, char *text, size_t size)
{

	switch (step->kind) {
	case STEP_PACKET:
		text_of_packet(step, text, size);
		break;
	case STEP_ADD:
		text_of_command(step, "add", text, size);
		break;
	case STEP_OWN:
		text_of_command(step, "own", text, size);
		break;
	case STEP_DELETE:
		text_of_command(step, "delete", text, size);
		break;
	case STEP_SLEEP:
		snprintf(text, size, "sleep %u ms", step->ms);
		break;
	case STEP_TICK:
		snprintf(text, size, "tick lane %u", step->lane);
		break;
	case STEP_HOLD:
		snprintf(text, size, "the consumer stops");
		break;
	case STEP_LET_GO:
		snprintf(text, size, "the consumer goes on");
		break;
	case STEP_PAIR:
		snprintf(text, size, "from here on two CPUs at a time");
		break;
	case STEP_FLUSH:
		snprintf(text, size, "the consumer goes on, all flows are ended");
	}
}

void schedule_print(const struct schedule *s, FILE *to)
{
	char text[400];
	size_t i;

	for (i = 0; i < s->steps; i++) {
		step_text(&s->step[i], text, sizeof(text));
		fprintf(to, "#  %3zu  %s\n", i, text);
	}
}

/* ---- capture file: the classic format, microseconds ---- */

static void put32(FILE *file, uint32_t value)
{
	fwrite(&value, sizeof(value), 1, file);
}

int schedule_pcap(const struct schedule *s, const char *path)
{
	static struct frame frame;
	FILE *file = fopen(path, "w");
	int failed;
	size_t i;

	if (!file)
		return -errno;
	put32(file, 0xa1b2c3d4);
	put32(file, 2 | 4 << 16);
	put32(file, 0);
	put32(file, 0);
	put32(file, 65535);
	put32(file, 1); /* Ethernet */
	for (i = 0; i < s->steps; i++) {
		if (!step_frame(&s->step[i], &frame))
			continue;
		put32(file, i / 1000);
		put32(file, i % 1000 * 1000);
		put32(file, frame.len);
		put32(file, frame.len);
		fwrite(frame.bytes, frame.len, 1, file);
	}
	failed = ferror(file);
	return fclose(file) || failed ? -EIO : 0;
}
