/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet.c - the frame that a case sends, and the part of its checksum that stays the same.
 *
 * In: lengths, a port, what kind. Out: Ethernet, IPv4, TCP or UDP, payload, with ports, sequence
 * number and TCP checksum left to the programs that take turns (turn.bpf.h, rx.bpf.c).
 */
#include <arpa/inet.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "bench.h"

/* Of 16-bit words as they lie in memory, not folded; RFC 1071. */
static uint32_t sum_words(const void *data, size_t len)
{
	const uint8_t *byte = data;
	uint32_t sum = 0;
	uint16_t word;

	for (; len >= sizeof(word); len -= sizeof(word), byte += sizeof(word)) {
		memcpy(&word, byte, sizeof(word));
		sum += word;
	}
	if (len) {
		word = 0;
		memcpy(&word, byte, 1);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void put_ethernet(uint8_t *at)
{
	static const uint8_t dest[] = {0x02, 0, 0, 0, 0, 0x01};
	static const uint8_t source[] = {0x02, 0, 0, 0, 0, 0x02};
	struct ethhdr *eth = (struct ethhdr *)at;

	memcpy(eth->h_dest, dest, sizeof(dest));
	memcpy(eth->h_source, source, sizeof(source));
	eth->h_proto = htons(ETH_P_IP);
}

static void put_ip(uint8_t *at, const struct bench_packet *packet, size_t len)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(sizeof(ip) + len),
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.protocol = packet->udp ? IPPROTO_UDP : IPPROTO_TCP,
		.saddr = htonl(packet->reverse ? BENCH_DEST : BENCH_SOURCE),
		.daddr = htonl(packet->reverse ? BENCH_SOURCE : BENCH_DEST),
	};

	ip.check = ~fold(sum_words(&ip, sizeof(ip)));
	memcpy(at, &ip, sizeof(ip));
}

/* Returns the length. Ports, sequence number and checksum stay zero. */
static size_t put_tcp(uint8_t *at, const struct bench_packet *packet)
{
	/* No operation, window scale of 14: RFC 7323 section 2.2. */
	static const uint8_t options[] = {1, 3, 3, 14};
	const size_t option_len = packet->syn ? sizeof(options) : 0;
	struct tcphdr tcp = {
		.doff = (sizeof(tcp) + option_len) / 4,
		.syn = packet->syn,
		.ack = !packet->syn || packet->reverse,
		.window = htons(0xffff),
	};

	if (tcp.ack)
		tcp.ack_seq = htonl(BENCH_SEQUENCE);
	memcpy(at, &tcp, sizeof(tcp));
	memcpy(at + sizeof(tcp), options, option_len);
	return sizeof(tcp) + option_len;
}

static size_t put_udp(uint8_t *at, const struct bench_packet *packet)
{
	const struct udphdr udp = {.len = htons(sizeof(udp) + packet->payload)};

	memcpy(at, &udp, sizeof(udp));
	return sizeof(udp);
}

/* Over pseudo header, header and payload: RFC 9293 section 3.1, RFC 768. */
static uint32_t sum_all(const uint8_t *at, const struct bench_packet *packet, size_t len)
{
	const uint32_t address[] = {htonl(BENCH_SOURCE), htonl(BENCH_DEST)};
	uint32_t sum = htons(packet->udp ? IPPROTO_UDP : IPPROTO_TCP) + htons(len);

	return sum + sum_words(address, sizeof(address)) + sum_words(at, len);
}

size_t bench_frame_of(uint8_t *frame, const struct bench_packet *packet, struct bench_turn *turn)
{
	uint8_t *ip = frame + sizeof(struct ethhdr);
	uint8_t *at = ip + sizeof(struct iphdr);
	size_t i, len;

	memset(frame, 0, BENCH_FRAME_MAX);
	put_ethernet(frame);
	len = packet->udp ? put_udp(at, packet) : put_tcp(at, packet);
	/* From the ninth byte on: room for the time. */
	for (i = 8; i < packet->payload; i++)
		at[len + i] = i * 2654435761u >> 24;
	len += packet->payload;
	put_ip(ip, packet, len);
	turn->sum = fold(sum_all(at, packet, len));
	turn->payload = packet->payload;
	turn->seq = BENCH_SEQUENCE - packet->syn;
	turn->dport = packet->dport;
	len += at - frame;
	return len < BENCH_FRAME_MIN ? BENCH_FRAME_MIN : len;
}

size_t bench_frame(uint8_t *frame, size_t frame_len, size_t payload, uint16_t dport,
		   struct bench_turn *turn)
{
	const struct bench_packet packet = {.payload = payload, .dport = dport};

	bench_frame_of(frame, &packet, turn);
	return frame_len;
}

/* RFC 1071, in four sums that do not wait for each other. */
uint16_t bench_checksum(const uint8_t *data, size_t len, uint64_t sum)
{
	uint64_t part[4] = {sum, 0, 0, 0};
	uint32_t word[4];
	uint16_t tail;
	size_t i;

	for (; len >= sizeof(word); len -= sizeof(word), data += sizeof(word)) {
		memcpy(word, data, sizeof(word));
		for (i = 0; i < 4; i++)
			part[i] += word[i];
	}
	sum = part[0] + part[1] + part[2] + part[3];
	for (i = 0; i < len; i += sizeof(tail)) {
		tail = 0;
		memcpy(&tail, data + i, len - i < sizeof(tail) ? 1 : sizeof(tail));
		sum += tail;
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}
