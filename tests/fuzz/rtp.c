/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtp.c - fuzz target: the header, the numbers and the sources of bpf/rtp.h [R15].
 *
 * Input: packets, one behind the other: the length that the datagram has, and its first bytes; or
 * in short: source, number.
 *
 * Holds: no byte is read beyond those that are there to be looked at; what is accepted has the
 * lengths that its own fields add up to; a number is the nearest one with the bits of the wire; a
 * packet belongs to the stream of its source and near its numbers only; another stream begins
 * with the second of two in sequence and nowhere else. What has arrived of the last numbers, and
 * nothing else, is known to have.
 */
#include "fuzz.h"
#include "rtp.h"

#define PACKETS 200

static struct xp_rtp stream;
static uint32_t ssrc;
static struct {
	uint32_t ssrc;
	uint16_t sequence;
	int there;
} stray; /* the packet before, if it did not belong and none of the stream has come since */

/* Numbers that have come, naively: each once, the stream's first one. */
static int64_t came[2 * PACKETS], first_number;
static uint32_t came_count;

static int has_come(int64_t number)
{
	uint32_t i;

	for (i = 0; i < came_count; i++)
		if (came[i] == number)
			return 1;
	return 0;
}

/* As rtp.bpf.h does: slots that are new to the window are empty. */
static void arrive(int64_t number)
{
	int64_t i = stream.highest + 1;

	if (i < number - (int64_t)XP_RTP_WINDOW)
		i = number - (int64_t)XP_RTP_WINDOW + 1;
	for (; i <= number; i++)
		xp_rtp_slot(&stream, i)->there = 0;
	if (number > stream.highest)
		stream.highest = number;
	if (number <= stream.highest - (int64_t)XP_RTP_WINDOW || number < first_number)
		return;
	xp_rtp_slot(&stream, number)->there = 1;
	came[came_count++] = number;
}

static void check_arrived(int64_t number)
{
	int recent = number > stream.highest - (int64_t)XP_RTP_WINDOW;

	holds(!xp_rtp_arrived(&stream, first_number, number) == !(recent && has_come(number)),
	      "%lld, highest %lld", (long long)number, (long long)stream.highest);
}

/* A slot is a power of two that areas can be divided into, as near to the rule's as there is. */
static void check_shift(uint8_t shift, uint8_t area)
{
	uint32_t area_shift = XP_MIN_AREA_SHIFT + area % 5;
	uint32_t r = xp_rtp_shift(XP_RTP(shift & 15, 0), area_shift), want = shift & 15;

	want = want > area_shift ? area_shift : want;
	want = want < XP_MIN_RTP_SHIFT ? XP_MIN_RTP_SHIFT : want;
	holds(r == want, "slot of 2^%u, not 2^%u", r, want);
}

static uint32_t header_length(const uint8_t *bytes)
{
	uint32_t at = 12 + 4 * (bytes[0] & 15);

	if (!(bytes[0] & 0x10))
		return at;
	return at + 4 + 4 * (bytes[at + 2] << 8 | bytes[at + 3]);
}

static void check_header(const uint8_t *bytes, uint32_t length, const struct xp_rtp_header *h)
{
	holds(bytes[0] >> 6 == 2 && length >= 12, "version %u, %u bytes", bytes[0] >> 6, length);
	holds((bytes[1] & 0x60) != 0x40, "RTCP's packet type %u", bytes[1]);
	holds(h->length == header_length(bytes), "header of %u, not %u", h->length,
	      header_length(bytes));
	holds(h->length + h->payload == length, "%u + %u of %u", h->length, h->payload, length);
	holds(h->sequence == (bytes[2] << 8 | bytes[3]), "number %u", h->sequence);
	holds(h->marker == bytes[1] >> 7 && h->type == (bytes[1] & 0x7f), "type %u", h->type);
}

static void check_padding(struct xp_rtp_header h, uint8_t count)
{
	uint32_t before = h.payload;
	int r = xp_rtp_unpad(&h, count);

	holds(r == XP_R_OK || r == XP_R_RTP_HEADER, "%d", r);
	if (r)
		holds(!count || count > before, "%u of %u", count, before);
	else
		holds(count && h.payload + count == before, "%u of %u", count, before);
}

static void check_number(uint16_t sequence)
{
	int64_t number = xp_rtp_number(stream.highest, sequence), off = number - stream.highest;

	holds((uint16_t)number == sequence, "%llx for %x", (long long)number, sequence);
	holds(off >= -32768 && off <= 32767, "%lld away", (long long)off);
}

static void check_judged(enum xp_rtp_belongs is, const struct xp_rtp_header *h)
{
	int64_t ahead = xp_rtp_number(stream.highest, h->sequence) - stream.highest;
	int near = ahead <= XP_RTP_DROPOUT && ahead >= -XP_RTP_MISORDER;
	int follows = stray.there && stray.ssrc == h->ssrc &&
		      (uint16_t)(stray.sequence + 1) == h->sequence;

	if (h->ssrc == ssrc && near)
		holds(is == XP_RTP_BELONGS, "%d", is);
	else
		holds(is == (follows ? XP_RTP_RESTART : XP_RTP_STRAY), "%d", is);
}

/* A stream whose first number is the next one. */
static void begin(uint16_t sequence)
{
	memset(&stream, 0, sizeof(stream));
	stream.highest = (int64_t)sequence;
	first_number = stream.highest + 1;
	came_count = 0;
}

static void judge(const struct xp_rtp_header *h)
{
	enum xp_rtp_belongs is = xp_rtp_judge(&stream, ssrc, h);

	check_number(h->sequence);
	check_judged(is, h);
	check_arrived(xp_rtp_number(stream.highest, h->sequence));
	if (is == XP_RTP_BELONGS) {
		arrive(xp_rtp_number(stream.highest, h->sequence));
		check_arrived(xp_rtp_number(stream.highest, h->sequence));
		check_arrived(stream.highest - (int64_t)XP_RTP_WINDOW);
		check_arrived(stream.highest + 1);
		stray.there = 0;
	} else if (is == XP_RTP_RESTART) {
		ssrc = h->ssrc;
		begin(h->sequence);
		stray.there = 0;
	} else {
		stray.ssrc = h->ssrc;
		stray.sequence = h->sequence;
		stray.there = 1;
	}
}

static void whole_packet(struct input *in)
{
	uint32_t length = take16(in), i, look = length < XP_RTP_LOOK ? length : XP_RTP_LOOK;
	struct xp_rtp_header h;
	uint8_t bytes[XP_RTP_LOOK] = {0};
	const uint8_t *seen;
	int r;

	for (i = 0; i < look; i++)
		bytes[i] = take8(in);
	seen = fenced(bytes, sizeof(bytes));
	memset(&h, 0xa5, sizeof(h));
	r = xp_rtp_parse(seen, length, &h);
	holds(r == XP_R_OK || r == XP_R_RTP_HEADER || r == XP_R_RTCP, "%d", r);
	if (r == XP_R_RTCP)
		holds(length >= 4 && bytes[0] >> 6 == 2, "RTCP of version %u", bytes[0] >> 6);
	if (r)
		return;
	check_header(bytes, length, &h);
	check_padding(h, take8(in));
	judge(&h);
}

/* Of a few sources, near the highest number as a rule. */
static void short_packet(struct input *in, uint8_t kind)
{
	struct xp_rtp_header h = {.ssrc = kind >> 6};
	int16_t off = take16(in);

	h.sequence = stream.highest + (kind & 2 ? off : off % 64);
	if (kind & 4 && stray.there)
		h.sequence = stray.sequence + 1;
	judge(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint32_t n;
	uint8_t kind;

	memset(&stray, 0, sizeof(stray));
	ssrc = 0;
	begin(take16(&in));
	kind = take8(&in);
	check_shift(kind, take8(&in));
	for (n = 0; in.left && n < PACKETS; n++) {
		kind = take8(&in);
		if (kind & 1)
			whole_packet(&in);
		else
			short_packet(&in, kind);
	}
	return 0;
}
