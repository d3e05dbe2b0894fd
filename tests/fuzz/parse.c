/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse.c - fuzz target: frames through bpf/parse.h [R1 R2 R14].
 *
 * Input: the protocol set (two bytes, exclusive or with all; the highest bit: an IP length of 0
 * means all of the frame), how many bytes at the end are not in the linear part (one byte), the
 * frame.
 *
 * Holds: nothing outside of the linear part is read; what is accepted agrees with the frame, looked
 * at again by other code; each answer is one that this stage may give; more linear bytes change no
 * packet that was accepted, and have none accepted that was refused for another reason than the
 * lack of them; the plain way accepts nothing that the general way would not, and tells the same
 * of it.
 */
#include "fuzz.h"
#include "parse.h"

static const uint8_t *frame;
static uint32_t linear, length, protocols;

static uint32_t at16(uint32_t off)
{
	return frame[off] << 8 | frame[off + 1];
}

static uint32_t at32(uint32_t off)
{
	return at16(off) << 16 | at16(off + 2);
}

static void check_reason(int r)
{
	static const uint64_t allowed =
		1ull << XP_R_SHORT | 1ull << XP_R_NOT_IP | 1ull << XP_R_IP_HEADER |
		1ull << XP_R_IP_LENGTH | 1ull << XP_R_IP_FRAGMENT | 1ull << XP_R_EXT_HEADERS |
		1ull << XP_R_HEADER_LONG | 1ull << XP_R_HEADER_SPLIT | 1ull << XP_R_PROTOCOL |
		1ull << XP_R_L4_HEADER | 1ull << XP_R_TUNNEL;

	holds(r < 0 && r > -64 && allowed >> -r & 1, "result %d", r);
	if (r == -XP_R_HEADER_SPLIT)
		holds(linear < length, "all %u bytes are linear", length);
}

/* Offsets and lengths, from the outside in. */
static void check_places(const struct xp_packet *p)
{
	uint32_t ip = p->v6 ? 40 : 20, l4 = p->proto == IPPROTO_TCP ? 20 : 8;

	holds(p->l3 >= ETH_HLEN && p->l4 >= p->l3 + ip && p->data >= p->l4 + l4,
	      "l3 %u l4 %u data %u", p->l3, p->l4, p->data);
	holds(p->data <= XP_MAX_HEADER, "headers of %u bytes", p->data);
	holds(p->data <= linear, "headers of %u bytes, %u are linear", p->data, linear);
	holds(p->data + p->payload <= length, "%u + %u bytes in %u", p->data, p->payload, length);
	holds(p->proto == IPPROTO_TCP || p->data == p->l4 + 8, "UDP header of %u", p->data - p->l4);
}

/* Bytes that IP says it has; if it may say none, all up to `end`. */
static uint32_t ip_total(const struct xp_packet *p, uint32_t end)
{
	uint32_t says = at16(p->l3 + (p->v6 ? 4 : 2));

	if (!says && protocols & XP_P_BIG)
		return end - p->l3;
	return says + (p->v6 ? 40 : 0);
}

static void check_ip(const struct xp_packet *p)
{
	uint32_t end = p->data + p->payload, total = ip_total(p, end);

	if (p->v6) {
		holds(frame[p->l3] >> 4 == 6, "version %u", frame[p->l3] >> 4);
		holds(!memcmp(p->key.v6.src, frame + p->l3 + 8, 32), "addresses");
	} else {
		holds(frame[p->l3] >> 4 == 4, "version %u", frame[p->l3] >> 4);
		holds(p->l4 == p->l3 + 4 * (frame[p->l3] & 15), "l4 %u", p->l4);
		holds(frame[p->l3 + 9] == p->proto, "protocol %u", p->proto);
		holds(!(at16(p->l3 + 6) & 0x3fff), "a fragment");
		holds(!memcmp(&p->key.v4.src, frame + p->l3 + 12, 8), "addresses");
	}
	holds(p->l3 + total <= length, "IP packet of %u at %u of %u", total, p->l3, length);
	if (p->proto == IPPROTO_TCP)
		holds(end == p->l3 + total, "TCP ends at %u, IP at %u", end, p->l3 + total);
	else
		holds(end <= p->l3 + total, "UDP ends at %u, IP at %u", end, p->l3 + total);
}

static void check_l4(const struct xp_packet *p)
{
	if (p->proto == IPPROTO_TCP) {
		holds(p->data == p->l4 + 4 * (frame[p->l4 + 12] >> 4), "data at %u", p->data);
		holds(p->seq == at32(p->l4 + 4) && p->ack == at32(p->l4 + 8) &&
			      p->tcp_flags == frame[p->l4 + 13],
		      "seq %u ack %u flags %02x", p->seq, p->ack, p->tcp_flags);
		holds(!p->no_checksum, "TCP without a checksum");
	} else {
		holds(p->payload + 8 == at16(p->l4 + 4), "%u bytes", p->payload);
		holds(!p->seq && !p->ack && !p->tcp_flags, "TCP's fields of UDP");
		holds(p->no_checksum == (!p->v6 && !at16(p->l4 + 6)), "checksum %u",
		      p->no_checksum);
	}
}

/* A key has one form only: what does not belong to it is zero. */
static void check_key(const struct xp_packet *p)
{
	static const uint8_t zero[24];
	uint32_t vnet = p->v6 ? p->key.v6.vnet : p->key.v4.vnet;
	uint8_t kind = p->v6 ? p->key.v6.vnet_kind : p->key.v4.vnet_kind;

	if (p->v6) {
		holds(!memcmp(&p->key.v6.sport, frame + p->l4, 4), "ports");
		holds(p->key.v6.proto == p->proto, "protocol %u", p->key.v6.proto);
		holds(!memcmp(p->key.v6.zero, zero, sizeof(p->key.v6.zero)), "not zero");
	} else {
		holds(!memcmp(&p->key.v4.sport, frame + p->l4, 4), "ports");
		holds(p->key.v4.proto == p->proto, "protocol %u", p->key.v4.proto);
		holds(!memcmp(p->key.v4.zero, zero, sizeof(p->key.v4.zero)), "not zero");
		holds(!memcmp(&p->key.v4 + 1, zero, 24), "not zero behind an IPv4 key");
	}
	holds(kind <= XP_VNET_IPIP, "network of kind %u", kind);
	holds(vnet < (kind == XP_VNET_VLAN  ? 1u << 12
		      : kind == XP_VNET_GRE ? ~0u
					    : 1u << 24) ||
		      (kind == XP_VNET_GRE && vnet == ~0u),
	      "network %u of kind %u", vnet, kind);
	holds(vnet == 0 || (kind != XP_VNET_NONE && kind != XP_VNET_IPIP), "network %u of kind %u",
	      vnet, kind);
}

/* What is switched off is not looked into. */
static void check_protocols(const struct xp_packet *p)
{
	static const uint32_t needs[] = {
		[XP_VNET_VLAN] = XP_P_VLAN,   [XP_VNET_QINQ] = XP_P_VLAN,
		[XP_VNET_VXLAN] = XP_P_VXLAN, [XP_VNET_GENEVE] = XP_P_GENEVE,
		[XP_VNET_GRE] = XP_P_GRE,     [XP_VNET_IPIP] = XP_P_IPIP,
	};
	uint32_t used = needs[p->v6 ? p->key.v6.vnet_kind : p->key.v4.vnet_kind];

	used |= p->v6 ? XP_P_IPV6 : XP_P_IPV4;
	used |= p->proto == IPPROTO_TCP ? XP_P_TCP : XP_P_UDP;
	holds((protocols & used) == used, "protocols %x of %x", used, protocols);
}

static void check_packet(const struct xp_packet *p)
{
	holds(p->v6 <= 1 && (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP),
	      "v6 %u protocol %u", p->v6, p->proto);
	check_places(p);
	check_ip(p);
	check_l4(p);
	check_key(p);
	check_protocols(p);
}

/* A part of a datagram that is to be put together: the promise of parse.h for those. */
static void check_part(const struct xp_packet *p)
{
	uint32_t ip = p->v6 ? 40 : 20, end = p->data + p->payload;
	uint8_t kind = p->v6 ? p->key.v6.vnet_kind : p->key.v4.vnet_kind;

	holds(p->l3 >= ETH_HLEN && p->base >= p->l3 + ip && p->l4 >= p->base && p->data >= p->l4,
	      "l3 %u base %u l4 %u data %u", p->l3, p->base, p->l4, p->data);
	holds(p->data <= XP_MAX_HEADER && p->data <= linear, "headers of %u bytes, %u are linear",
	      p->data, linear);
	holds(p->data <= end && end <= length, "%u + %u bytes in %u", p->data, p->payload, length);
	holds(p->fragment & XP_PART && !(p->at % 8), "flags %x at %u", p->fragment, p->at);
	holds(p->at || p->fragment & XP_PART_MORE, "a part that is all");
	holds(!p->at || p->fragment <= (XP_PART | XP_PART_MORE), "flags %x at %u", p->fragment,
	      p->at);
	holds(!p->at || p->data == p->base, "%u bytes of headers at %u", p->data - p->base, p->at);
	holds(kind <= XP_VNET_IPIP, "network of kind %u", kind);
	holds(end <= p->l3 + ip_total(p, end), "ends at %u", end);
	if (p->v6)
		holds(!memcmp(p->key.v6.src, frame + p->l3 + 8, 32), "addresses");
	else
		holds(!memcmp(&p->key.v4.src, frame + p->l3 + 12, 8), "addresses");
}

static void check_answer(int r, const struct xp_packet *p)
{
	if (r)
		check_reason(r);
	else
		check_packet(p);
	if (r == -XP_R_IP_FRAGMENT && p->fragment)
		check_part(p);
}

static void same(const struct xp_packet *a, const struct xp_packet *b, const char *why)
{
	holds(!memcmp(&a->key, &b->key, a->v6 ? 48 : 24) && a->v6 == b->v6, "%s: key", why);
	holds(a->l3 == b->l3 && a->l4 == b->l4 && a->data == b->data, "%s: %u %u %u, %u %u %u", why,
	      a->l3, a->l4, a->data, b->l3, b->l4, b->data);
	holds(a->payload == b->payload && a->seq == b->seq && a->ack == b->ack &&
		      a->tcp_flags == b->tcp_flags && a->proto == b->proto &&
		      a->no_checksum == b->no_checksum,
	      "%s: payload %u, %u", why, a->payload, b->payload);
}

/* Fields are written, not relied on: what is in `p` before must not matter. */
static int general(const uint8_t *bytes, uint32_t size, uint8_t fill, struct xp_packet *p)
{
	memset(p, fill, sizeof(*p));
	return xp_parse(bytes, bytes + size, length, protocols, p);
}

static void check_plain(const uint8_t *bytes, uint32_t size, int result,
			const struct xp_packet *expected)
{
	struct xp_packet p;
	int r;

	memset(&p, 0xa5, sizeof(p));
	r = xp_parse_plain(bytes, bytes + size, protocols, &p);
	holds(r == 0 || r == 1, "plain: %d", r);
	if (r)
		return;
	holds(!result, "plain accepts what is refused for %d", -result);
	same(&p, expected, "plain");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct xp_packet p, again;
	uint32_t cut;
	int r, more;

	protocols = take16(&in);
	protocols = ((protocols & XP_P_ALL) ^ XP_P_ALL) | (protocols & 0x8000 ? XP_P_BIG : 0);
	cut = take8(&in);
	if (in.left > FENCED_MAX)
		return -1;
	length = in.left;
	linear = cut < length ? length - cut : 0;
	frame = in.at;
	/* The reference reads the whole input; the subject sees the linear part alone. */
	r = general(fenced(in.at, linear), linear, 0xa5, &p);
	check_answer(r, &p);
	more = general(fenced(in.at, length), length, 0x5a, &again);
	/* With what lies behind the IP packet in sight, a refusal may have another name. */
	holds(r == more || r == -XP_R_HEADER_SPLIT || (r && more), "%d, with all bytes %d", r,
	      more);
	if (!r)
		same(&p, &again, "all bytes");
	linear = length;
	check_answer(more, &again);
	check_plain(fenced(in.at, length), length, more, &again);
	return 0;
}
