/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet.c - the frame that a case sends, and the part of its checksum that stays the same.
 *
 * In: lengths and a port. Out: Ethernet, IPv4, TCP, payload, with ports, sequence number and TCP
 * checksum left to the programs that take turns (turn.bpf.h).
 */
#include <arpa/inet.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

#include "bench.h"

#define SOURCE_ADDRESS 0xc6336401u /* 198.51.100.1, RFC 5737 */
#define DEST_ADDRESS 0xcb007101u   /* 203.0.113.1, RFC 5737 */
#define FIRST_SEQUENCE 0x10000000u

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

static void put_ip(uint8_t *at, size_t len)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(len),
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.protocol = IPPROTO_TCP,
		.saddr = htonl(SOURCE_ADDRESS),
		.daddr = htonl(DEST_ADDRESS),
	};

	ip.check = ~fold(sum_words(&ip, sizeof(ip)));
	memcpy(at, &ip, sizeof(ip));
}

/* Returns the sum over pseudo header, header and payload, RFC 9293 section 3.1. */
static uint32_t put_tcp(uint8_t *at, size_t payload)
{
	struct tcphdr tcp = {
		.doff = sizeof(tcp) / 4,
		.ack = 1,
		.ack_seq = htonl(FIRST_SEQUENCE),
		.window = htons(0xffff),
	};
	uint32_t address[] = {htonl(SOURCE_ADDRESS), htonl(DEST_ADDRESS)};
	uint32_t sum = htons(IPPROTO_TCP) + htons(sizeof(tcp) + payload);
	size_t i;

	memcpy(at, &tcp, sizeof(tcp));
	for (i = 0; i < payload; i++)
		at[sizeof(tcp) + i] = i * 2654435761u >> 24;
	sum += sum_words(address, sizeof(address));
	return sum + sum_words(at, sizeof(tcp) + payload);
}

size_t bench_frame(uint8_t *frame, size_t frame_len, size_t payload, uint16_t dport,
		   struct bench_turn *turn)
{
	uint8_t *ip = frame + sizeof(struct ethhdr);
	uint8_t *tcp = ip + sizeof(struct iphdr);

	memset(frame, 0, frame_len);
	put_ethernet(frame);
	put_ip(ip, sizeof(struct iphdr) + sizeof(struct tcphdr) + payload);
	turn->sum = fold(put_tcp(tcp, payload));
	turn->payload = payload;
	turn->seq = FIRST_SEQUENCE;
	turn->dport = dport;
	return frame_len;
}
