/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dpdk_tx.c - the peer DPDK, sending: its AF_XDP driver, without huge pages.
 *
 *	peer-dpdk-tx INTERFACE FD
 *
 * In: an order (tx_shared.h). Out: packets that the driver took. Each is made in an mbuf of the
 * pool that is also the driver's UMEM, so that the driver copies nothing: a header that was
 * prepared for its destination, and the payload, copied.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "../tx_shared.h"

#define BURST 32u
#define DESCRIPTORS 2048u
#define MBUFS 8191u
#define CACHE 256u
#define IP_HEADERS 28u /* IPv4, UDP */
#define NAP_NS 200000

static struct tx_order *order;
static struct rte_mempool *pool;
static uint8_t *data;
static uint16_t port;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* ---- sending ---- */

static uint32_t destination, passed, at;

/* Number of the next packet's destination; where its payload is. As tx_next(). */
static uint32_t next(const uint8_t **payload)
{
	uint32_t to = destination;
	uint32_t bursts = TX_DATA / (order->size * order->burst);

	*payload = data + to * TX_DATA + (at + passed) * order->size;
	if (++passed < order->burst)
		return to;
	passed = 0;
	if (++destination < order->destinations)
		return to;
	destination = 0;
	at += order->burst;
	if (at >= order->burst * (bursts ? bursts : 1))
		at = 0;
	return to;
}

static void make(struct rte_mbuf *mbuf)
{
	const uint8_t *payload;
	uint32_t to = next(&payload);
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	memcpy(frame, order->header[to], TX_HEADERS);
	memcpy(frame + TX_HEADERS, payload, order->size);
	mbuf->data_len = mbuf->pkt_len = TX_HEADERS + order->size;
}

static uint64_t send_burst(void)
{
	struct rte_mbuf *mbuf[BURST];
	uint16_t taken = 0;
	uint32_t i;

	/* None left: the driver takes back those that were sent when it is called. */
	if (rte_pktmbuf_alloc_bulk(pool, mbuf, BURST)) {
		rte_eth_tx_burst(port, 0, mbuf, 0);
		return 0;
	}
	for (i = 0; i < BURST; i++)
		make(mbuf[i]);
	while (taken < BURST && !stop)
		taken += rte_eth_tx_burst(port, 0, mbuf + taken, BURST - taken);
	return taken;
}

static void obey(uint32_t number)
{
	double start = now();

	order->sent = 0;
	while (!stop && now() < start + order->seconds)
		order->sent += send_burst();
	order->took = now() - start;
	__atomic_store_n(&order->done, number, __ATOMIC_RELEASE);
}

/* ---- the driver ---- */

static int start_eal(const char *interface)
{
	char vdev[96];
	char *argv[] = {"peer-dpdk-tx",	  "--no-huge", "-m",  "512",
			"--no-pci",	  "--lcores",  "0@0", "--no-shconf",
			"--no-telemetry", "--vdev",    vdev,  NULL};

	snprintf(vdev, sizeof(vdev), "net_af_xdp0,iface=%s,start_queue=0,queue_count=1", interface);
	return rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv);
}

/* Its transmit queue sends without a copy what comes from the receive queue's pool. */
static int start_port(void)
{
	struct rte_eth_conf conf = {0};
	int err;

	pool = rte_pktmbuf_pool_create("mbufs", MBUFS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (!pool)
		return -rte_errno;
	if (rte_eth_dev_get_port_by_name("net_af_xdp0", &port))
		return -ENODEV;
	if (order->size + IP_HEADERS > RTE_ETHER_MTU)
		conf.rxmode.mtu = order->size + IP_HEADERS;
	err = rte_eth_dev_configure(port, 1, 1, &conf);
	if (!err)
		err = rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, 0, NULL, pool);
	if (!err)
		err = rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, 0, NULL);
	return err ? err : rte_eth_dev_start(port);
}

static bool prepare(const char *interface)
{
	int err;

	if (start_eal(interface) < 0) {
		fprintf(stderr, "rte_eal_init: %s\n", rte_strerror(rte_errno));
		return false;
	}
	err = start_port();
	if (err) {
		fprintf(stderr, "net_af_xdp with frames of %u bytes: %s\n",
			TX_HEADERS + order->size, rte_strerror(-err));
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	uint32_t i, seen = 0;

	if (argc != 3)
		return 2;
	order = mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);
	data = malloc(TX_DESTINATIONS_MAX * TX_DATA);
	if (order == MAP_FAILED || !data)
		return 1;
	for (i = 0; i < TX_DESTINATIONS_MAX; i++)
		memset(data + i * TX_DATA, tx_mark(i), TX_DATA);
	if (!prepare(argv[1]))
		return 1;
	signal(SIGTERM, on_signal);
	__atomic_store_n(&order->ready, 1, __ATOMIC_RELEASE);
	while (!stop) {
		if (__atomic_load_n(&order->begin, __ATOMIC_ACQUIRE) != seen)
			obey(++seen);
		else
			nanosleep(&nap, NULL);
	}
	rte_eth_dev_stop(port);
	rte_eth_dev_close(port);
	rte_eal_cleanup();
	return 0;
}
