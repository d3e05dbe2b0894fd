/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dpdk.c - the peer DPDK: its AF_XDP driver, without huge pages, and its GRO library.
 *
 * In: an interface. Out: bytes of streams in sequence. GRO makes long packets of what came in one
 * burst: chains of mbufs whose payload is in order. They are followed by flow; a chain that is
 * early is kept until its turn. Payload stays where the driver put it: unlike the other systems
 * this one never makes one piece of it, which saves it a copy.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_gro.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "peer.h"

#define BURST 64u
#define DESCRIPTORS 2048u
#define MBUFS 16383u
#define EARLY 32u
#define TABLE_LEAST 4096u
#define GRO_FLOWS 64u
#define NAP_NS 100000
#define LONG_NAP_NS 500000

struct early {
	struct rte_mbuf *chain[EARLY];
	uint32_t seq[EARLY];
	uint32_t count;
};

struct flow {
	uint64_t address;
	uint32_t ports;
	uint32_t next;
	struct early *early;
	uint8_t proto; /* 0: entry is free */
};

struct packet {
	uint64_t address;
	uint32_t ports;
	uint32_t seq;
	uint32_t len;	 /* of the payload */
	uint32_t header; /* where it begins */
	uint8_t proto;
	bool syn;
};

static struct peer_shared *shared;
static struct flow *table;
static uint32_t table_mask;
static uint16_t port;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

/* ---- packets ---- */

/* GRO wants to be told where the headers end; this driver does not. */
static void classify(struct rte_mbuf *mbuf)
{
	struct rte_net_hdr_lens lens;

	mbuf->packet_type = rte_net_get_ptype(mbuf, &lens, RTE_PTYPE_ALL_MASK);
	mbuf->l2_len = lens.l2_len;
	mbuf->l3_len = lens.l3_len;
	mbuf->l4_len = lens.l4_len;
}

static bool parse(const struct rte_mbuf *mbuf, struct packet *packet)
{
	const struct rte_ipv4_hdr *ip;
	const struct rte_tcp_hdr *tcp;

	if (!RTE_ETH_IS_IPV4_HDR(mbuf->packet_type))
		return false;
	ip = rte_pktmbuf_mtod_offset(mbuf, void *, mbuf->l2_len);
	tcp = (const void *)((const uint8_t *)ip + mbuf->l3_len);
	packet->proto = ip->next_proto_id;
	packet->header = mbuf->l2_len + mbuf->l3_len + mbuf->l4_len;
	packet->len = mbuf->l2_len + rte_be_to_cpu_16(ip->total_length) - packet->header;
	packet->seq = 0;
	packet->syn = false;
	memcpy(&packet->address, &ip->src_addr, sizeof(packet->address));
	memcpy(&packet->ports, tcp, sizeof(packet->ports));
	if (packet->proto == IPPROTO_UDP)
		return true;
	packet->seq = rte_be_to_cpu_32(tcp->sent_seq);
	packet->syn = tcp->tcp_flags & RTE_TCP_SYN_FLAG;
	return packet->proto == IPPROTO_TCP;
}

/* ---- flows ---- */

static struct flow *find(const struct packet *packet)
{
	uint64_t hash = (packet->address ^ (uint64_t)packet->ports << 16) * 0x9e3779b97f4a7c15u;
	uint32_t at = hash >> 40;
	struct flow *flow;
	uint32_t i;

	for (i = 0; i <= table_mask; i++) {
		flow = &table[(at + i) & table_mask];
		if (flow->proto == packet->proto && flow->address == packet->address &&
		    flow->ports == packet->ports)
			return flow;
		if (flow->proto)
			continue;
		*flow = (struct flow){.address = packet->address,
				      .ports = packet->ports,
				      .next = packet->seq + packet->syn,
				      .proto = packet->proto};
		return flow;
	}
	return NULL;
}

static void advance(struct flow *flow, uint32_t len)
{
	flow->next += len;
	__atomic_store_n(&shared->bytes, shared->bytes + len, __ATOMIC_RELAXED);
}

static bool keep(struct flow *flow, struct rte_mbuf *mbuf, uint32_t seq)
{
	struct early *early = flow->early;

	if (!early)
		early = flow->early = calloc(1, sizeof(*early));
	if (!early || early->count == EARLY)
		return false;
	early->chain[early->count] = mbuf;
	early->seq[early->count++] = seq;
	return true;
}

static void catch_up(struct flow *flow)
{
	struct early *early = flow->early;
	struct packet packet;
	uint32_t i = 0;

	while (i < early->count) {
		if (early->seq[i] != flow->next) {
			i++;
			continue;
		}
		if (parse(early->chain[i], &packet))
			advance(flow, packet.len);
		rte_pktmbuf_free(early->chain[i]);
		early->count--;
		early->chain[i] = early->chain[early->count];
		early->seq[i] = early->seq[early->count];
		i = 0;
	}
}

/* Chains that wait for what was lost hold mbufs for ever: soon the driver would have none. */
static void forget_flows(void)
{
	struct early *early;
	uint32_t i;

	for (i = 0; i <= table_mask; i++) {
		early = table[i].early;
		while (early && early->count)
			rte_pktmbuf_free(early->chain[--early->count]);
		free(early);
	}
	memset(table, 0, ((size_t)table_mask + 1) * sizeof(*table));
	peer_forgot(shared);
}

/* True: the chain is kept. */
static bool receive(struct rte_mbuf *mbuf)
{
	struct packet packet;
	struct flow *flow;

	if (!parse(mbuf, &packet))
		return false;
	flow = find(&packet);
	if (!flow || !packet.len)
		return false;
	if (packet.proto == IPPROTO_TCP && packet.seq != flow->next)
		return (int32_t)(packet.seq - flow->next) > 0 && keep(flow, mbuf, packet.seq);
	if (shared->stamped)
		peer_saw(shared, rte_pktmbuf_mtod_offset(mbuf, void *, packet.header));
	advance(flow, packet.len);
	if (flow->early && flow->early->count)
		catch_up(flow);
	return false;
}

static uint16_t run_burst(void)
{
	static const struct rte_gro_param param = {
		.gro_types = RTE_GRO_TCP_IPV4,
		.max_flow_num = GRO_FLOWS,
		.max_item_per_flow = BURST,
	};
	struct rte_mbuf *mbuf[BURST];
	uint16_t count = rte_eth_rx_burst(port, 0, mbuf, BURST);
	uint16_t i, chains;

	if (!count)
		return 0;
	for (i = 0; i < count; i++)
		classify(mbuf[i]);
	chains = rte_gro_reassemble_burst(mbuf, count, &param);
	for (i = 0; i < chains; i++)
		if (!receive(mbuf[i]))
			rte_pktmbuf_free(mbuf[i]);
	return count;
}

/* ---- the driver ---- */

static int start_eal(const char *interface)
{
	char vdev[96];
	char *argv[] = {"peer-dpdk",	  "--no-huge", "-m",  "512",
			"--no-pci",	  "--lcores",  "0@1", "--no-shconf",
			"--no-telemetry", "--vdev",    vdev,  NULL};

	snprintf(vdev, sizeof(vdev), "net_af_xdp0,iface=%s,start_queue=0,queue_count=1", interface);
	return rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv);
}

static int start_port(void)
{
	const struct rte_eth_conf conf = {0};
	struct rte_mempool *pool =
		rte_pktmbuf_pool_create("mbufs", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	int err;

	if (!pool)
		return -rte_errno;
	if (rte_eth_dev_get_port_by_name("net_af_xdp0", &port))
		return -ENODEV;
	err = rte_eth_dev_configure(port, 1, 1, &conf);
	if (!err)
		err = rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, 0, NULL, pool);
	if (!err)
		err = rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, 0, NULL);
	return err ? err : rte_eth_dev_start(port);
}

static bool make_table(uint32_t flows)
{
	uint32_t entries = TABLE_LEAST;

	/* Twice the flows, so that few are out of their place. */
	while (entries < 2 * flows)
		entries *= 2;
	table_mask = entries - 1;
	table = calloc(entries, sizeof(*table));
	return table;
}

static void rest(const char *wait)
{
	const struct timespec nap = {.tv_nsec = *wait == 'n' ? NAP_NS : LONG_NAP_NS};

	if (*wait != 'b')
		nanosleep(&nap, NULL);
}

int main(int argc, char **argv)
{
	int err;

	if (argc != 5)
		return 2;
	if (*argv[4] == 's') {
		fprintf(stderr, "its AF_XDP driver can only be polled: it has no interrupts\n");
		return 1;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);
	if (shared == MAP_FAILED || !make_table(atoi(argv[3])))
		return 1;
	if (start_eal(argv[1]) < 0) {
		fprintf(stderr, "rte_eal_init: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	err = start_port();
	if (err) {
		fprintf(stderr, "net_af_xdp: %s\n", rte_strerror(-err));
		return 1;
	}
	signal(SIGTERM, on_signal);
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	while (!stop) {
		if (peer_asked(shared))
			forget_flows();
		if (!run_burst())
			rest(argv[4]);
	}
	rte_eth_dev_stop(port);
	rte_eth_dev_close(port);
	rte_eal_cleanup();
	return 0;
}
