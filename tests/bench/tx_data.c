/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_data.c - what is sent, to whom, and in which order: the same for all systems.
 *
 * In: the traffic. Out: packet after packet. Each destination is sent data of its own, TX_DATA
 * bytes over and over, as a streaming server would from its buffers: with one destination they
 * are in the first cache, with 256 in the last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>

#include "tx.h"

#define SOURCE 0x0a4e0001u /* 10.78.0.1, scripts/bench.sh */
#define SOURCE_PORT 9999u
#define SPARE (1u << 20) /* the longest burst there is, behind the last destination's data */
#define SIZE (TX_DESTINATIONS_MAX * TX_DATA + SPARE)

static const uint8_t near_mac[ETH_ALEN] = {2, 0, 0, 0, 0x78, 1};
static const uint8_t far_mac[ETH_ALEN] = {2, 0, 0, 0, 0x78, 2};

static uint8_t *data;

int tx_data_open(void)
{
	if (data)
		return 0;
	data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED) {
		data = NULL;
		return -errno;
	}
	tx_fill(data, TX_DESTINATIONS_MAX);
	memset(data + TX_DESTINATIONS_MAX * TX_DATA, 0, SPARE);
	return 0;
}

void tx_fill(uint8_t *memory, uint32_t destinations)
{
	uint32_t i;

	for (i = 0; i < destinations; i++)
		memset(memory + i * TX_DATA, tx_mark(i), TX_DATA);
}

void tx_data_close(void)
{
	if (data)
		munmap(data, SIZE);
	data = NULL;
}

uint8_t *tx_data(uint32_t *size)
{
	*size = SIZE;
	return data;
}

void tx_begin(struct tx_cursor *cursor, const struct tx_traffic *traffic)
{
	uint32_t bursts = TX_DATA / (traffic->size * traffic->burst);

	*cursor = (struct tx_cursor){.traffic = *traffic};
	cursor->packets = traffic->burst * (bursts ? bursts : 1);
}

static void next_turn(struct tx_cursor *cursor)
{
	cursor->passed = 0;
	if (++cursor->destination < cursor->traffic.destinations)
		return;
	cursor->destination = 0;
	cursor->packet += cursor->traffic.burst;
	if (cursor->packet >= cursor->packets)
		cursor->packet = 0;
}

uint32_t tx_next(struct tx_cursor *cursor, uint8_t **payload)
{
	uint32_t destination = cursor->destination;
	uint32_t packet = cursor->packet + cursor->passed;

	*payload = data + destination * TX_DATA + packet * cursor->traffic.size;
	if (++cursor->passed == cursor->traffic.burst)
		next_turn(cursor);
	return destination;
}

uint32_t tx_next_burst(struct tx_cursor *cursor, uint8_t **payload)
{
	uint32_t destination = cursor->destination;

	*payload = data + destination * TX_DATA + cursor->packet * cursor->traffic.size;
	next_turn(cursor);
	return destination;
}

struct sockaddr_in tx_address(uint32_t destination)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(TX_FIRST_ADDRESS + destination % TX_ADDRESSES),
		.sin_port = htons(TX_PORT + destination / TX_ADDRESSES),
	};
}

void tx_header(uint8_t *header, uint32_t destination, uint32_t size)
{
	const struct sockaddr_in to = tx_address(destination);
	struct ethhdr eth = {.h_proto = htons(ETH_P_IP)};
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons(sizeof(ip) + sizeof(struct udphdr) + size),
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = htonl(SOURCE),
		.daddr = to.sin_addr.s_addr,
	};
	const struct udphdr udp = {
		.source = htons(SOURCE_PORT),
		.dest = to.sin_port,
		.len = htons(sizeof(udp) + size),
	};

	memcpy(eth.h_source, near_mac, ETH_ALEN);
	memcpy(eth.h_dest, far_mac, ETH_ALEN);
	ip.check = ~bench_checksum((const uint8_t *)&ip, sizeof(ip), 0);
	memcpy(header, &eth, sizeof(eth));
	memcpy(header + sizeof(eth), &ip, sizeof(ip));
	memcpy(header + sizeof(eth) + sizeof(ip), &udp, sizeof(udp));
}

uint64_t tx_pseudo_sum(const uint8_t *header, uint32_t size)
{
	const uint32_t ip_addresses = TX_HEADERS - sizeof(struct udphdr) - 2 * sizeof(uint32_t);
	const uint16_t len = htons(sizeof(struct udphdr) + size);

	/* The length is in the pseudo header as well as in UDP's own. */
	return (uint64_t)htons(IPPROTO_UDP) + len +
	       bench_checksum(header + ip_addresses, TX_HEADERS - ip_addresses, 0);
}
